"""What several trainings at a time gain: one comparison with one job at a time, and with several.

Seconds by the wall clock of the whole command, start included; ratios within one run, on as many processors as the
process may use (`taskset --cpu-list 0,1 python benchmarks/jobs.py` for two):

    python benchmarks/jobs.py DATA --epochs 5
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import results_file

RESULTS = Path(__file__).parent / "results" / "jobs_cpu.csv"
COLUMNS = (
    "data", "trainings", "epochs", "processors", "jobs", "seconds", "reference_seconds", "throughput_ratio", "device",
    "hardware", "torch", "commit", "date",
)  # fmt: skip


def seconds(data: str, epochs: int, seeds: int, jobs: int) -> float:
    """Seconds of a comparison of two methods, in a folder and with a cache of its own."""
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "--methods",
            "ce,dbm_bs",
            "--seeds",
            str(seeds),
            "--epochs",
            str(epochs),
            "--jobs",
            str(jobs),
        ]
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "medtail", "compare", data, *options, "--out", f"{folder}/out"],
            check=True,
            env={**environment, "XDG_CACHE_HOME": f"{folder}/cache"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - start


def main() -> None:
    """Measure and write the CSV."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with results_file(options.out, COLUMNS, "cpu", "src/medtail") as write:
        for data in options.data:
            one = seconds(data, options.epochs, options.seeds, 1)
            several = seconds(data, options.epochs, options.seeds, options.jobs)
            row = {
                "data": Path(data).name,
                "trainings": 2 * options.seeds,
                "epochs": options.epochs,
                "processors": len(os.sched_getaffinity(0)),
                "jobs": options.jobs,
                "seconds": f"{several:.1f}",
                "reference_seconds": f"{one:.1f}",
                "throughput_ratio": f"{one / several:.2f}",
            }
            write(row)
            print(row)


if __name__ == "__main__":
    main()
