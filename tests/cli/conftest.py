"""The command line as a user starts it: its entry point, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from references.warm_program import WarmProgram

Command = Callable[..., subprocess.CompletedProcess[str]]


PROGRAM = Path(sys.executable).with_name("medtail")


def environment() -> dict[str, str]:
    """That of the tests, with a wide terminal without colours."""
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def fresh_medtail() -> Command:
    """Run ``medtail ARGUMENTS`` in a new interpreter and return what it printed and its exit code."""

    def run(*arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=environment(),
        )

    return run


@pytest.fixture(scope="session")
def medtail() -> Iterator[Command]:
    """Run ``medtail ARGUMENTS`` in a process of its own, which need not import everything again."""
    program = WarmProgram(PROGRAM)

    def run(*arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return program.run([str(argument) for argument in arguments], environment(), timeout)

    yield run
    program.close()


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
def digits_run(fresh_medtail: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three epochs on the built-in digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    result = fresh_medtail("train", "digits-lt", "--method", "dbm_bs", "--out", folder, "--epochs", 3)
    assert result.returncode == 0, result.stderr
    return folder
