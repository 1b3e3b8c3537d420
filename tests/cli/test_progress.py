"""Bars and lines of the log on a terminal."""

import os
import re
import subprocess
import sys
from contextlib import suppress

SCRIPT = """
import logging
from medtail.cli import _shown_log
from medtail.cli.progress import progress_bar

log = logging.getLogger("medtail.data")
with _shown_log(), progress_bar() as show:
    if show is None:
        raise SystemExit("stderr is no terminal")
    show("decoding", 1, 4)
    log.info("beside a bar, give `resume=True` [1]")
    show("decoding", 4, 4)
    log.info("without a bar")
"""


def test_a_line_of_the_log_stands_above_the_bar() -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=theirs) as process:
        os.close(theirs)
        written = b""
        # Linux ends the reading of a terminal that nobody writes to with an error.
        with suppress(OSError):
            while chunk := os.read(ours, 1024):
                written += chunk
        os.close(ours)
    assert process.returncode == 0, written.decode()
    erased, start_of_line = r"\x1b\[2K", r"(?:^|[\r\n])"
    assert re.search(rf"{erased}beside a bar, give --resume \[1\]\r\n".encode(), written)
    assert re.search(rf"{start_of_line}without a bar\r\n".encode(), written)
