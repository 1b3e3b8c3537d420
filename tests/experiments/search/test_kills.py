"""A search killed in the middle: its trials in the end are those of an undisturbed one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="needs the extra tune")

PATIENCE = 400.0


def start(folder: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    options = ("--method", "focal", "--trials", "3", "--epochs", "4", "--jobs", "2", "--out", "out")
    command = [sys.executable, "-m", "medtail", "tune", "digits-lt", *options]
    log = (folder / "log").open("ab")
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)


def until(what: str, happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)


@pytest.mark.slow
def test_a_search_killed_in_the_middle(tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    assert start(tmp_path / "whole").wait(PATIENCE) == 0, (tmp_path / "whole" / "log").read_text()
    broken = start(tmp_path / "broken")
    out = tmp_path / "broken" / "out"
    until(
        "a second epoch", lambda: any(len(m.read_text().splitlines()) > 2 for m in out.rglob("metrics.csv"))
    )
    broken.kill()
    broken.wait()
    until(
        "the end of the workers",
        lambda: not any(_lives(claim) for claim in out.rglob("trials/*/.claim.json")),
    )
    assert start(tmp_path / "broken").wait(PATIENCE) == 0, (tmp_path / "broken" / "log").read_text()
    whole = tmp_path / "whole" / "out"
    for name in ("best.yaml", "tuning.html", *(f"trials/{number:04d}/metrics.csv" for number in range(3))):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name


def _lives(claim: Path) -> bool:
    """Whether the process that claims a folder is still there."""
    try:
        process = json.loads(claim.read_text())["process"]
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, ValueError):
        return False
