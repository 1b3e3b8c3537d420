"""``python killed.py N ARGUMENTS``: run the command line, and die without warning at the N-th renaming of a file.

An even N dies before the file gets its name, an odd one just after it.
"""

import os
import signal
import sys
from pathlib import Path

from medtail.cli import main

left = int(sys.argv.pop(1))
replace = Path.replace


def replace_or_die(self: Path, target: Path) -> Path:
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    result = replace(self, target)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result


Path.replace = replace_or_die  # type: ignore[method-assign]
main()
