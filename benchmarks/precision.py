"""What ``training.precision=auto`` decides on this machine, network by network.

    OMP_NUM_THREADS=1 python benchmarks/precision.py --out benchmarks/results/precision_cpu.csv

The times are those that the decision rests on: processor seconds of a pass forwards and backwards, taken in turns.
"""

import argparse
from pathlib import Path

import torch
from measuring import results_file

from medtail.recipes.compose import compose
from medtail.training.optimization.precision import faster, seconds_of_steps

COLUMNS = [
    "network",
    "pixels",
    "float32_milliseconds",
    "bfloat16_milliseconds",
    "float32_to_bfloat16",
    "auto",
    "threads",
    "device",
    "hardware",
    "torch",
    "commit",
    "date",
]

#: Networks with the size of their images.
NETWORKS = {
    "resnet8": 28,
    "resnet20": 28,
    "resnet32": 32,
    "resnet18": 64,
    "tf_efficientnet_lite0": 64,
    "vit_tiny_patch16_224": 64,
    "resnet18_3d": 28,
}


def main() -> None:
    """Time every network, and write what it came to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    arguments = parser.parse_args()
    with results_file(
        arguments.out, COLUMNS, "cpu", "src/medtail/training/optimization/precision.py"
    ) as write:
        for name, size in NETWORKS.items():
            dataset = "small_volumes" if name.endswith("_3d") else "small_images"
            seconds = seconds_of_steps(
                compose(dataset, "ce", {"backbone": {"name": name}, "data": {"image_size": size}})
            )
            ratio = seconds["32-true"] / seconds["bf16-mixed"]
            print(f"{name:24} {size:4} {ratio:.2f}", flush=True)
            write(
                {
                    "network": name,
                    "pixels": size,
                    "float32_milliseconds": f"{1000 * seconds['32-true']:.1f}",
                    "bfloat16_milliseconds": f"{1000 * seconds['bf16-mixed']:.1f}",
                    "float32_to_bfloat16": f"{ratio:.2f}",
                    "auto": faster(seconds),
                    "threads": torch.get_num_threads(),
                }
            )


if __name__ == "__main__":
    main()
