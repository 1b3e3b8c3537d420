"""How long-running work reports its progress."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""It is called with what is being done, how much of it is done, and how much there is in all."""
