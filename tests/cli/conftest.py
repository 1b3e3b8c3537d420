"""The command line as a user starts it: its real entry point, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def medtail() -> Command:
    """Run ``medtail ARGUMENTS`` and return what it printed and its exit code."""
    program = Path(sys.executable).with_name("medtail")

    def run(*arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        )

    return run


@pytest.fixture(scope="session")
def refuses(medtail: Command) -> Callable[..., str]:
    """Run ``medtail ARGUMENTS``, which must be refused with one sentence; return the sentence."""

    def run(*arguments: object) -> str:
        result = medtail(*arguments)
        assert result.returncode == 2, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        assert result.stdout == ""
        *notes, error = result.stderr.splitlines()
        assert error.startswith("error: "), result.stderr
        assert not any(note.startswith("error: ") for note in notes), result.stderr
        return error

    return run


@pytest.fixture(scope="session")
def digits_run(medtail: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three epochs on the built-in digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    result = medtail("train", "digits-lt", "--method", "dbm_bs", "--out", folder, "--epochs", 3)
    assert result.returncode == 0, result.stderr
    return folder
