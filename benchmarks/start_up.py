"""What a command costs before it does anything, and what opening a table costs, each against a reference.

CPU seconds of processes of their own, the median of several, and ratios within one run:

    python benchmarks/start_up.py
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import results_file
from PIL import Image

from medtail.data import open_collection

RESULTS = Path(__file__).parent / "results" / "start_up_cpu.csv"
COLUMNS = (
    "what", "reference", "seconds", "reference_seconds", "ratio", "device", "hardware", "torch", "commit", "date",
)  # fmt: skip

HELP = ("-m", "medtail", "--help")
TORCH = ("-c", "import torch, timm")

#: What a prediction cannot do without.
FORWARD = (
    "-c",
    "import torch, timm\n"
    "model = timm.create_model('resnet18', num_classes=10, in_chans=1).eval()\n"
    "with torch.inference_mode(): model(torch.rand(1, 1, 32, 32))",
)


def cpu_seconds(arguments: tuple[str, ...], repeats: int) -> float:
    """CPU seconds of a Python process, system calls included."""
    seconds = []
    for _ in range(repeats):
        before = os.times()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        seconds.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    return statistics.median(seconds)


def opening_seconds(rows: int, repeats: int) -> tuple[float, float]:
    """CPU seconds of opening a folder with a table of images, and of reading that table with pandas."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"image_{row:07d}.png" for row in range(rows)]
        picture = Path(folder, names[0])
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture)
        for name in names[1:]:
            os.link(picture, Path(folder, name))
        table = Path(folder, "labels.csv")
        pd.DataFrame({"image": names, "label": [f"class {row % 7}" for row in range(rows)]}).to_csv(
            table, index=False
        )
        opening, reading = [], []
        for _ in range(repeats):
            start = time.process_time()
            open_collection(folder)
            middle = time.process_time()
            pd.read_csv(table)
            opening.append(middle - start)
            reading.append(time.process_time() - middle)
    return statistics.median(opening), statistics.median(reading)


def trained(folder: Path, backbone: str) -> tuple[Path, Path]:
    """A run of one epoch on the built-in digits at 32 pixels, and an image."""
    image, run = folder / "image.png", folder / backbone
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(image)
    options = ("--method", "ce", "--backbone", backbone, "--epochs", "1", "--image-size", "32", "--out", run)
    command = [sys.executable, "-m", "medtail", "train", "digits-lt", *map(str, options)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return run, image


def main() -> None:
    """Measure and write the CSV."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    pairs = [
        ("medtail list losses", ("-m", "medtail", "list", "losses"), "medtail --help", HELP),
        ("medtail list datasets", ("-m", "medtail", "list", "datasets"), "medtail --help", HELP),
        (
            "import of what predicts",
            ("-c", "import medtail.inference.loading"),
            "import torch, timm",
            TORCH,
        ),
        ("import of what trains", ("-c", "import medtail.training.fit"), "import torch, timm", TORCH),
        ("medtail --help", HELP, "python -c pass", ("-c", "pass")),
    ]
    with results_file(RESULTS, COLUMNS, "cpu", "src") as write:

        def row(what: str, reference: str, seconds: float, reference_seconds: float) -> None:
            ratio = seconds / reference_seconds
            print(f"{what:<30} {seconds:8.3f} s, {ratio:6.2f} of {reference}")
            write(
                {
                    "what": what,
                    "reference": reference,
                    "seconds": f"{seconds:.4f}",
                    "reference_seconds": f"{reference_seconds:.4f}",
                    "ratio": f"{ratio:.3f}",
                }
            )

        for what, command, reference, other in pairs:
            row(what, reference, cpu_seconds(command, options.repeats), cpu_seconds(other, options.repeats))
        with tempfile.TemporaryDirectory() as folder:
            for backbone in ("resnet8", "resnet18"):
                command = ("-m", "medtail", "predict", *map(str, trained(Path(folder), backbone)))
                row(
                    f"predict of one image, {backbone}",
                    "import torch, timm; forward pass of resnet18",
                    cpu_seconds(command, options.repeats),
                    cpu_seconds(FORWARD, options.repeats),
                )
        row(
            f"opening {options.rows} images",
            "pandas.read_csv",
            *opening_seconds(options.rows, options.repeats),
        )


if __name__ == "__main__":
    main()
