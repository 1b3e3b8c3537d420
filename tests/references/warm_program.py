"""The program in processes of its own that need not import PyTorch and Lightning again.

A server imports them once and forks for every command: the fork calls the entry point with its own arguments,
environment, standard streams and exit code, as a fresh process does. Imports are most of the time of a short command.
"""

import atexit
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: What most commands import before they do anything.
HEAVY = (
    "medtail.cli",
    "medtail.training.fit",
    "medtail.inference.loading",
    "medtail.evaluation",
    "timm",
)


class WarmProgram:
    """Starts the server with the first command; :meth:`close` ends it."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self._server: subprocess.Popen[str] | None = None

    def run(
        self, arguments: Sequence[str], environment: dict[str, str], timeout: float
    ) -> "subprocess.CompletedProcess[str]":
        """Run ``medtail ARGUMENTS``, as :func:`subprocess.run` would."""
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._server.stdin is not None and self._server.stdout is not None
        command = [str(self.program), *arguments]
        with tempfile.TemporaryDirectory() as folder:
            request = {
                "command": command,
                "environment": environment,
                "folder": str(Path.cwd()),
                "output": folder,
                "timeout": timeout,
            }
            self._server.stdin.write(json.dumps(request) + "\n")
            self._server.stdin.flush()
            code = json.loads(self._server.stdout.readline())
            if code is None:
                raise subprocess.TimeoutExpired(command, timeout)
            printed = [Path(folder, name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(command, code, *printed)

    def close(self) -> None:
        """End the server."""
        if self._server is not None and self._server.stdin is not None:
            self._server.stdin.close()
            self._server.wait()


def _serve() -> None:
    for name in HEAVY:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(request)
        print(json.dumps(_code_of(child, request["timeout"])), flush=True)


def _code_of(child: int, timeout: float) -> int | None:
    """The exit code of a process, or None if it had to be killed."""
    end = time.monotonic() + timeout
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.01)


def _become(request: dict[str, Any]) -> None:
    """Be a process that was started with a command."""
    from medtail.cli import main

    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    tempfile.tempdir = None
    sys.argv = list(request["command"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(Path(request["output"], name), os.O_WRONLY | os.O_CREAT), descriptor)
        setattr(sys, name, open(descriptor, "w", encoding="utf-8", closefd=False, buffering=1))  # noqa: SIM115
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve()
