"""Timing of one thing against another, and where it was measured."""

import csv
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import torch

from medtail.files import replacing


@contextmanager
def results_file(
    path: Path, columns: Sequence[str], device: str, *measured: str
) -> Iterator[Callable[[Mapping[str, object]], object]]:
    """Open a CSV of results; what is yielded writes a row, with where and on which commit it was measured.

    The file appears when all rows are written. ``measured`` are the paths whose changes mark the commit.
    """
    circumstances = {
        "device": device,
        "hardware": hardware(device),
        "torch": torch.__version__,
        "commit": commit(*measured),
        "date": date.today().isoformat(),
    }
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        yield lambda row: writer.writerow({**row, **circumstances})


def paired_seconds(
    run: Callable[[], None],
    reference: Callable[[], None],
    pairs: int,
    device: str,
    clock: Callable[[], float] = time.perf_counter,
) -> list[tuple[float, float]]:
    """Time both alternately, after three turns to warm up; by ``time.process_time``, other work counts little."""
    for _ in range(3):
        run()
        reference()
    repeats = max(1, int(2e-3 / max(one_run(run, 1, device, clock), 1e-9)))
    return [
        (one_run(run, repeats, device, clock), one_run(reference, repeats, device, clock))
        for _ in range(pairs)
    ]


def one_run(
    run: Callable[[], None], repeats: int, device: str, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the seconds of one call, averaged over repeats."""
    synchronize(device)
    start = clock()
    for _ in range(repeats):
        run()
    synchronize(device)
    return (clock() - start) / repeats


def synchronize(device: str) -> None:
    """Wait for the device to finish."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def hardware(device: str) -> str:
    """Name what computes."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    names = [
        line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
    ]
    model = names[0] if names else platform.processor() or platform.machine()
    return f"{model}, {torch.get_num_threads()} of {os.cpu_count()} cores"


def commit(*measured: str) -> str:
    """Return the short commit, marked when the paths that are measured were changed since."""
    folder = Path(__file__).parent.parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", *measured)
    return git("rev-parse", "--short", "HEAD") + ("+changes" if changed else "")
