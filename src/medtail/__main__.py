"""``python -m medtail`` is the command ``medtail``."""

from medtail.cli import main

main()
