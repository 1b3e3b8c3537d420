"""What judging 20 λ of a loss-conditional model costs, as a ratio to one inference pass in the same run.

    python benchmarks/conditions.py --out benchmarks/results/conditions_cpu.csv

One inference pass is backbone, FiLM and head on every image and the read-out of probabilities at one λ. The sweep is
one pass of the backbone and, from its features, the same for every λ of the grid: all that choosing λ after training
needs. Both are timed alternately and ``ratio`` is the median over pairs, so that a busy machine slows both; on a very
busy one it may fall below 1. ``sweep_share`` times what follows the backbone alone, as a part of one pass: 1 +
``sweep_share`` is the steadier figure. Machines differ: compare ratios, never milliseconds of different rows.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from measuring import one_run, results_file
from torch import Tensor

from medtail.backbones import create_backbone
from medtail.heads import LinearHead
from medtail.losses import VectorScalingLoss
from medtail.methods import LinearDensity, LossConditional
from medtail.training.inference.condition_sweep import sweep

COLUMNS = [
    "backbone",
    "image_size",
    "num_classes",
    "images",
    "conditions",
    "ratio",
    "sweep_share",
    "pass_milliseconds",
    "sweep_milliseconds",
    "pairs",
    "device",
    "hardware",
    "torch",
    "commit",
    "date",
]

#: The evaluation grid of the paper's Table 2 for vector scaling.
GRID = {"gamma": [0.0, 0.1, 0.2, 0.3], "tau": [0.0, 1.0, 2.0, 3.0, 4.0]}

#: Backbones by name, with the size of images they are measured on.
BACKBONES = {"resnet8": 28, "resnet18": 64}

BATCH_SIZE = 128


def main() -> None:
    """Measure what the arguments ask for and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=list(BACKBONES))
    parser.add_argument("--num-classes", nargs="+", type=int, default=[2, 7])
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--pairs", type=int, default=9, help="measurements of the sweep and of one pass")
    arguments = parser.parse_args()

    with results_file(
        arguments.out,
        COLUMNS,
        arguments.device,
        "src/medtail/methods",
        "src/medtail/training/inference/condition_sweep.py",
        "src/medtail/heads.py",
    ) as write:
        for row in rows(arguments):
            print(
                f"{row['backbone']:9} C={row['num_classes']} {row['ratio']} (λ alone: {row['sweep_share']})"
            )
            write(row)


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield a row for each backbone and number of classes."""
    for backbone in arguments.backbones:
        for num_classes in arguments.num_classes:
            one_pass, whole_sweep, after_pass = what_is_timed(backbone, num_classes, arguments)
            for run in (one_pass, whole_sweep, after_pass):
                run()
            timed = [
                tuple(one_run(run, 1, arguments.device) for run in (one_pass, whole_sweep, after_pass))
                for _ in range(arguments.pairs)
            ]
            passes, _, afters = zip(*timed, strict=True)
            yield {
                "backbone": backbone,
                "image_size": BACKBONES[backbone],
                "num_classes": num_classes,
                "images": arguments.images,
                "conditions": len(GRID["gamma"]) * len(GRID["tau"]),
                "ratio": f"{statistics.median(whole / one for one, whole, _ in timed):.3f}",
                "sweep_share": f"{statistics.median(after / one for one, _, after in timed):.4f}",
                "pass_milliseconds": f"{1e3 * statistics.median(passes):.2f}",
                "sweep_milliseconds": f"{1e3 * statistics.median(afters):.3f}",
                "pairs": arguments.pairs,
            }


def what_is_timed(
    backbone: str, num_classes: int, arguments: argparse.Namespace
) -> tuple[Callable[[], None], Callable[[], None], Callable[[], None]]:
    """Return one pass at one λ, one pass with every λ, and every λ alone."""
    torch.manual_seed(0)
    network = create_backbone(backbone)
    method = LossConditional(
        network,
        LinearHead(int(network.num_features), num_classes),  # type: ignore[arg-type]
        partial(VectorScalingLoss, [10_000 // (1 + class_id) for class_id in range(num_classes)]),
        {"gamma": LinearDensity(0, 0.3, 3.3), "tau": LinearDensity(0, 3, 0.33)},
        film="plain",
    )
    method = method.eval().to(arguments.device)
    size = BACKBONES[backbone]
    images = torch.rand(arguments.images, 3, size, size).to(arguments.device).split(BATCH_SIZE)

    @torch.inference_mode()
    def features() -> Tensor:
        return torch.cat([method.features(part) for part in images])

    @torch.inference_mode()
    def one_pass() -> None:
        torch.cat([method.probabilities(method.predict(part)) for part in images]).cpu()

    def whole_sweep() -> None:
        sweep(method, features(), GRID)

    kept = features()

    def after_pass() -> None:
        sweep(method, kept, GRID)

    return one_pass, whole_sweep, after_pass


if __name__ == "__main__":
    main()
