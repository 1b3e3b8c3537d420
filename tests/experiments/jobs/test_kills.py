"""Workers and callers killed in the middle: the table in the end is that of an undisturbed comparison."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

RUNS = ("ce-seed0", "dbm_bs-seed0")
COMMAND = ("compare", "digits-lt", "--methods", "ce,dbm_bs", "--seeds", "1", "--epochs", "8", "--out", "out")
TABLES = ("comparison.json", "comparison.csv", "comparison.md")
PATIENCE = 400.0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(folder, "--jobs", "2")
    return folder / "out"


def start(folder: Path, *options: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "medtail", *COMMAND, *options]
    log = (folder / "log").open("ab")
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)


def finish(folder: Path, *options: str) -> None:
    assert start(folder, *options).wait(PATIENCE) == 0, (folder / "log").read_text()


def until(what: str, happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)


def epochs(out: Path, name: str) -> int:
    table = out / name / "metrics.csv"
    return len(table.read_text().splitlines()) - 1 if table.is_file() else 0


def workers(out: Path) -> list[int]:
    """The processes that write runs."""
    claims = [out / name / ".claim.json" for name in RUNS]
    texts = [claim.read_text() for claim in claims if claim.is_file()]
    return [json.loads(text)["process"] for text in texts if text.endswith("\n")]


def ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def kill_and_continue(folder: Path, undisturbed: Path, *options: str) -> None:
    out = folder / "out"
    caller = start(folder, *options)
    until("a first epoch", lambda: any(epochs(out, name) for name in RUNS) and bool(workers(out)))
    first = workers(out)[0]
    os.kill(first, signal.SIGKILL)
    killed_at = {name: epochs(out, name) for name in RUNS}
    until(
        "an epoch by another worker",
        lambda: any(epochs(out, name) > killed_at[name] + 1 for name in RUNS) and first not in workers(out),
    )
    alive = workers(out)
    assert caller.poll() is None, (folder / "log").read_text()
    caller.kill()
    caller.wait()
    until("the end of the workers", lambda: all(ended(process) for process in alive))
    assert not (out / "comparison.json").exists()
    finish(folder, *options)
    for name in TABLES:
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes(), name
    for name in RUNS:
        for file in ("metrics.csv", "predictions/test.parquet"):
            assert (out / name / file).read_bytes() == (undisturbed / name / file).read_bytes(), (name, file)


@pytest.mark.slow
def test_local_workers_and_their_caller_killed(tmp_path: Path, undisturbed: Path) -> None:
    kill_and_continue(tmp_path, undisturbed, "--jobs", "2")
    assert "another one continues after the last finished epoch" in (tmp_path / "log").read_text()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Ray cluster of this machine."""
    pytest.importorskip("ray", reason="needs the extra cluster")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "disabled",
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("ray") / "cache"),
    }
    head = [
        "--head",
        f"--port={port}",
        "--num-cpus=2",
        "--num-gpus=0",
        "--include-dashboard=false",
        "--block",
    ]
    ray = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", *head, "--disable-usage-stats"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"127.0.0.1:{port}"
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    until(
        "the start of Ray",
        lambda: subprocess.run(check, capture_output=True, env=environment).returncode == 0,
    )
    yield address
    ray.terminate()
    ray.wait()


@pytest.mark.slow
def test_workers_of_a_cluster_and_their_caller_killed(
    tmp_path: Path, undisturbed: Path, cluster: str
) -> None:
    kill_and_continue(tmp_path, undisturbed, "--cluster", cluster)
