"""What a step of sharpness-aware minimisation costs, as a ratio to a step of its base optimizer in the same run.

    python benchmarks/sam.py --out benchmarks/results/sam_cpu.csv
    python benchmarks/sam.py --device cuda --out benchmarks/results/sam_gpu.csv

A step takes two gradients, so the ratio is at least 2. Each SAM step alternates with a plain one on a network of its
own, and the ratio is the median over pairs, so that a busy machine slows both.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from measuring import paired_seconds, results_file
from torch import nn
from torch.nn import functional
from torch.optim import SGD, Optimizer

from medtail.backbones import create_backbone
from medtail.sam import SAM

COLUMNS = [
    "network",
    "image_size",
    "batch_size",
    "adaptive",
    "ratio",
    "milliseconds",
    "base_milliseconds",
    "pairs",
    "device",
    "hardware",
    "torch",
    "commit",
    "date",
]
SIZES = {"resnet8": 28, "resnet18": 64}


def main() -> None:
    """Measure what the arguments select, and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=20, help="steps of SAM and of its base optimizer")
    arguments = parser.parse_args()

    with results_file(
        arguments.out, COLUMNS, arguments.device, "src/medtail/sam.py", "src/medtail/backbones.py"
    ) as write:
        for network in arguments.networks:
            for adaptive in (False, True):
                size, batch, device = SIZES[network], arguments.batch_size, arguments.device
                seconds = paired_seconds(
                    training_step(
                        network,
                        size,
                        batch,
                        device,
                        lambda parameters, adaptive=adaptive: SAM(
                            parameters, SGD, rho=0.1, adaptive=adaptive, lr=1e-3, momentum=0.9
                        ),
                    ),
                    training_step(
                        network,
                        size,
                        batch,
                        device,
                        lambda parameters: SGD(parameters, lr=1e-3, momentum=0.9),
                    ),
                    arguments.pairs,
                    device,
                )
                row = {
                    "network": network,
                    "image_size": size,
                    "batch_size": batch,
                    "adaptive": adaptive,
                    "ratio": f"{statistics.median(own / other for own, other in seconds):.3f}",
                    "milliseconds": f"{1e3 * statistics.median(own for own, _ in seconds):.3f}",
                    "base_milliseconds": f"{1e3 * statistics.median(other for _, other in seconds):.3f}",
                    "pairs": arguments.pairs,
                }
                print(f"{network:10} {size} px  adaptive={adaptive!s:5} {row['ratio']}")
                write(row)


def training_step(
    network: str,
    image_size: int,
    batch_size: int,
    device: str,
    optimizer_of: Callable[..., Optimizer],
) -> Callable[[], None]:
    """Return a step of a network of its own on the same images."""
    torch.manual_seed(0)
    backbone = create_backbone(network, channels=3)
    model = nn.Sequential(backbone, nn.Linear(int(backbone.num_features), 7)).to(device)
    optimizer = optimizer_of(model.parameters())
    images = torch.rand(batch_size, 3, image_size, image_size, device=device)
    targets = torch.randint(0, 7, (batch_size,)).to(device)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), targets)
        loss.backward()
        return loss

    return lambda: optimizer.step(closure)


if __name__ == "__main__":
    main()
