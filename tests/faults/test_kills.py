"""Killed at any moment, a command that is given again ends as if it had never been killed."""

import io
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
import torch
from faults.material import pixels
from PIL import Image

import medtail.cli
import medtail.evaluation.report.report
import medtail.inference.loading
from medtail.training import fit

assert fit, "imported once, so that a run costs seconds"

SMALL = ("--image-size", "8", "--epochs", "2", "--batch-size", "8", "--backbone", "resnet8")

#: Whatever number, it is never reached.
NEVER = 10**9


@dataclass
class Command:
    """The command line in a child of this process."""

    process: int
    errors: Any
    returncode: int | None = None

    def wait(self, timeout: float = 300) -> str:
        """Return what it printed on standard error, when it has ended."""
        deadline = time.monotonic() + timeout
        while self.returncode is None:
            done, status = os.waitpid(self.process, os.WNOHANG)
            if done:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                os.kill(self.process, signal.SIGKILL)
                pytest.fail("the command hangs")
            else:
                time.sleep(0.02)
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")


def start(number: int, *arguments: object) -> Command:
    """Start a command, which dies at the N-th step: an odd one is before a file gets its name, an even one after."""
    errors = TemporaryFile()  # noqa: SIM115
    process = os.fork()
    if process:
        return Command(process, errors)
    code = 1
    try:
        # Threads do not survive a fork.
        torch.set_num_threads(1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(errors.fileno(), 2)
        sys.stdout, sys.stderr = io.StringIO(), os.fdopen(2, "w")
        sys.argv = ["medtail", *map(str, arguments)]
        _die_at(number)
        medtail.cli.main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_at(number: int) -> None:
    left, replace = number, Path.replace

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def replace_or_die(self: Path, target: Path) -> Path:
        step()
        result = replace(self, target)
        step()
        return result

    Path.replace = replace_or_die  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kills")
    for seed in range(24):
        place = root / "data" / ("bkl", "mel", "nv")[seed % 3]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(seed)).save(place / f"{seed:02d}.png")
    (root / "new").mkdir()
    for seed in range(4):
        Image.fromarray(pixels(100 + seed)).save(root / "new" / f"{seed}.png")
    finish("train", root / "data", "--method", "ce", "--out", root / "sound", *SMALL)
    return root


def finish(*arguments: object) -> None:
    done = start(NEVER, *arguments)
    errors = done.wait()
    assert done.returncode == 0, errors


def same_runs(one: Path, other: Path) -> None:
    for name in (
        "summary.json",
        "metrics.csv",
        "splits.csv",
        "predictions/test.parquet",
        "predictions/validation.parquet",
    ):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert (one / "report.html").is_file()
    assert not list(one.rglob(".*")), "nothing is left over"


def train(folder: Path, out: Path) -> tuple[object, ...]:
    return ("train", folder / "data", "--method", "ce", "--out", out, *SMALL)


def killed_then_resumed(folder: Path, out: Path, process: Command) -> None:
    process.wait()
    # The mark of a finished run comes last.
    assert not (out / "summary.json").exists() or (out / "report.html").is_file()
    finish(*train(folder, out), *(("--resume",) if out.is_dir() else ()))
    same_runs(out, folder / "sound")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 32))
def test_training_killed_at_a_rename(folder: Path, tmp_path: Path, number: int) -> None:
    out = tmp_path / "run"
    killed_then_resumed(folder, out, start(number, *train(folder, out)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_training_killed_at_a_random_moment(folder: Path, tmp_path: Path, seed: int) -> None:
    out = tmp_path / "run"
    process = start(NEVER, *train(folder, out))
    time.sleep(random.Random(seed).uniform(0, 8))
    os.kill(process.process, signal.SIGKILL)
    killed_then_resumed(folder, out, process)


@pytest.mark.slow
@pytest.mark.parametrize("number", (3, 10, 17, 24))
def test_one_of_two_comparisons_killed(folder: Path, tmp_path: Path, number: int) -> None:
    out = tmp_path / "comparison"
    small = ("--epochs", 2, "--backbone", "resnet8")
    sizes = ("--set", "data.image_size=8", "--set", "training.batch_size=8")
    command = (
        "compare",
        folder / "data",
        "--methods",
        "ce",
        "--seeds",
        2,
        "--jobs",
        1,
        "--out",
        out,
        *small,
        *sizes,
    )
    first, second = start(number, *command), start(NEVER, *command)
    for process in (first, second):
        process.wait(600)
        # Killed, done, or refused because the other one writes this run.
        assert process.returncode in (-signal.SIGKILL, 0, 2)
    finish(*command)
    same_runs(out / "ce-seed0", folder / "sound")
    assert (out / "comparison.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("number", (1, 2))
def test_prediction_killed_at_a_rename(folder: Path, tmp_path: Path, number: int) -> None:
    out = tmp_path / "x.csv"
    command = ("predict", folder / "sound", folder / "new", "--out", out)
    finish(*command)
    whole = out.read_bytes()
    out.unlink()
    process = start(number, *command)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    finish(*command, "--resume", "--overwrite")
    assert out.read_bytes() == whole and not list(tmp_path.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("seconds", (0.2, 1, 2, 4))
def test_the_request_of_a_scheduler_ends_a_training_that_continues(
    folder: Path, tmp_path: Path, seconds: float
) -> None:
    out = tmp_path / "run"
    process = start(NEVER, *train(folder, out))
    time.sleep(seconds)
    os.kill(process.process, signal.SIGTERM)
    errors = process.wait(60)
    # Before the program is there to handle it, the signal ends the process itself.
    assert process.returncode in (143, -signal.SIGTERM, 0), errors
    assert "Traceback" not in errors
    finish(*train(folder, out), *(("--resume",) if out.is_dir() else ()))
    same_runs(out, folder / "sound")


@pytest.mark.slow
def test_two_trainings_into_one_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    pair = [start(NEVER, *train(folder, out)) for _ in range(2)]
    said = [process.wait() for process in pair]
    assert sorted(process.returncode for process in pair) == [0, 2], said
    same_runs(out, folder / "sound")
