"""Killed at any moment, a command that is given again ends as if it had never been killed."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.material import pixels
from PIL import Image

PROGRAM = [sys.executable, str(Path(__file__).with_name("killed.py"))]
SMALL = ("--image-size", "8", "--epochs", "2", "--batch-size", "8", "--backbone", "resnet8")

#: Whatever number, it is never reached.
NEVER = 10**9


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
    done = start(NEVER, "train", root / "data", "--method", "ce", "--out", root / "sound", *SMALL)
    assert done.wait() == 0, done.communicate()
    return root


def start(number: int, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, str(number), *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*arguments: object) -> None:
    done = start(NEVER, *arguments)
    _, errors = done.communicate(timeout=300)
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


def killed_then_resumed(folder: Path, out: Path, process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=300)
    assert not (out / "summary.json").exists() or process.returncode == 0
    finish(*train(folder, out), *(("--resume",) if out.is_dir() else ()))
    same_runs(out, folder / "sound")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 34))
def test_training_killed_at_a_rename(folder: Path, tmp_path: Path, number: int) -> None:
    out = tmp_path / "run"
    killed_then_resumed(folder, out, start(number, *train(folder, out)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_training_killed_at_a_random_moment(folder: Path, tmp_path: Path, seed: int) -> None:
    out = tmp_path / "run"
    process = start(NEVER, *train(folder, out))
    time.sleep(random.Random(seed).uniform(0, 20))
    process.kill()
    killed_then_resumed(folder, out, process)


@pytest.mark.slow
@pytest.mark.parametrize("number", (3, 10, 17, 24))
def test_one_of_two_comparisons_killed(folder: Path, tmp_path: Path, number: int) -> None:
    out = tmp_path / "comparison"
    small = ("--epochs", 2, "--backbone", "resnet8")
    sizes = ("--set", "data.image_size=8", "--set", "training.batch_size=8")
    command = ("compare", folder / "data", "--methods", "ce", "--seeds", 2, "--out", out, *small, *sizes)
    first, second = start(number, *command), start(NEVER, *command)
    for process in (first, second):
        process.communicate(timeout=600)
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
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    finish(*command, "--resume", "--overwrite")
    assert out.read_bytes() == whole and not list(tmp_path.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("seconds", (0.5, 4, 8))
def test_the_request_of_a_scheduler_ends_a_training_that_continues(
    folder: Path, tmp_path: Path, seconds: float
) -> None:
    out = tmp_path / "run"
    process = start(NEVER, *train(folder, out))
    time.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    # Before the program is there to handle it, the signal ends the process itself.
    assert process.returncode in (143, -signal.SIGTERM, 0), errors
    assert "Traceback" not in errors
    finish(*train(folder, out), *(("--resume",) if out.is_dir() else ()))
    same_runs(out, folder / "sound")


@pytest.mark.slow
def test_two_trainings_into_one_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    pair = [start(NEVER, *train(folder, out)) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in pair]
    assert sorted(process.returncode for process in pair) == [0, 2], said
    same_runs(out, folder / "sound")
    shutil.rmtree(out)
