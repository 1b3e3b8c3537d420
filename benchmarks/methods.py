"""What a training step of a method with several branches costs, as a ratio to a plain step in the same run.

    python benchmarks/methods.py --out benchmarks/results/methods_cpu.csv
    python benchmarks/methods.py --device cuda --out benchmarks/results/methods_gpu.csv

A step is forward, backward, the optimizer's update and what the method does after it, on images that are prepared
already. Each alternates with a plain step of cross-entropy on a network of its own, and the ratio is the median over
pairs, so that a busy machine slows both. Memory is the peak of allocations on a GPU; on a CPU it is what the graph
saves for the backward pass. On a GPU, a step also runs with PyTorch refusing every synchronisation with the host.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measuring import paired_seconds, results_file
from torch import Tensor

from medtail.backbones import create_backbone
from medtail.heads import CosineClassifier, Head, LinearHead
from medtail.losses import BalancedSoftmaxLoss, CrossEntropyLoss, DifficultyAwareMarginLoss, PriorAdjustment
from medtail.methods import (
    BalancedContrastive,
    Expert,
    GaussianMixtureLikelihood,
    Method,
    NestedCollaborative,
    Supervised,
    Teacher,
)

COLUMNS = [
    "method",
    "network",
    "image_size",
    "batch_size",
    "classes",
    "ratio",
    "milliseconds",
    "base_milliseconds",
    "memory_ratio",
    "megabytes",
    "pairs",
    "device",
    "hardware",
    "torch",
    "commit",
    "date",
]


class Cases:
    """Every method on one network, with counts as on long-tailed CIFAR."""

    def __init__(self, network: str, teacher: str, classes: int) -> None:
        self.network, self.teacher = network, teacher
        self.counts = [int(500 * 0.01 ** (label / (classes - 1))) for label in range(classes)]

    def _part(self, head: Callable[[int, int], Head], network: str | None = None) -> tuple[Any, Head]:
        backbone = create_backbone(network or self.network)
        return backbone, head(int(backbone.num_features), len(self.counts))

    def _balanced(self) -> BalancedSoftmaxLoss:
        return BalancedSoftmaxLoss(self.counts)

    def _dbm(self) -> DifficultyAwareMarginLoss:
        return DifficultyAwareMarginLoss(self.counts, adjustment=PriorAdjustment(self.counts))

    def plain(self) -> Method:
        return Supervised(*self._part(LinearHead), CrossEntropyLoss())

    def dbm_bs(self) -> Method:
        return Supervised(*self._part(CosineClassifier), self._dbm())

    def bcl(self) -> Method:
        return BalancedContrastive(*self._part(LinearHead), self._balanced())

    def gml(self) -> Method:
        trained = Supervised(*self._part(LinearHead, self.teacher), CrossEntropyLoss())
        return GaussianMixtureLikelihood(
            *self._part(CosineClassifier), self._dbm(), self.counts, Teacher(trained)
        )

    def ncl(self, **settings: Any) -> Method:
        experts = [Expert(*self._part(LinearHead)) for _ in range(3)]
        return NestedCollaborative(experts, self._balanced(), self.counts, **settings)

    def ncl_without_contrast(self) -> Method:
        return self.ncl(contrast_weight=0.0)


METHODS = ("dbm_bs", "bcl", "gml", "ncl", "ncl_without_contrast")


def main() -> None:
    """Measure what the arguments select, and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--network", default="resnet32")
    parser.add_argument("--teacher", default="resnet56")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=10, help="steps of the method and plain ones")
    arguments = parser.parse_args()

    cases = Cases(arguments.network, arguments.teacher, arguments.classes)
    batch = images(arguments.batch_size, arguments.image_size, arguments.classes, arguments.device)
    measured = ("src/medtail/methods", "src/medtail/losses", "src/medtail/backbones.py")
    with results_file(arguments.out, COLUMNS, arguments.device, *measured) as write:
        base = training_step(cases.plain(), batch, arguments.device)
        base_bytes = memory(base, arguments.device)
        for name in arguments.methods:
            step = training_step(getattr(cases, name)(), batch, arguments.device)
            own_bytes = memory(step, arguments.device)
            check_synchronisations(step, arguments.device)
            seconds = paired_seconds(step, base, arguments.pairs, arguments.device)
            row = {
                "method": name,
                "network": arguments.network,
                "image_size": arguments.image_size,
                "batch_size": arguments.batch_size,
                "classes": arguments.classes,
                "ratio": f"{statistics.median(own / other for own, other in seconds):.3f}",
                "milliseconds": f"{1e3 * statistics.median(own for own, _ in seconds):.1f}",
                "base_milliseconds": f"{1e3 * statistics.median(other for _, other in seconds):.1f}",
                "memory_ratio": f"{own_bytes / base_bytes:.3f}",
                "megabytes": f"{own_bytes / 2**20:.1f}",
                "pairs": arguments.pairs,
            }
            print(f"{name:22} time {row['ratio']}  memory {row['memory_ratio']}")
            write(row)


def images(batch_size: int, side: int, classes: int, device: str) -> dict[str, Tensor]:
    """Return a batch of three views."""
    generator = torch.Generator().manual_seed(0)
    views = {
        name: torch.randn(batch_size, 3, side, side, generator=generator).to(
            device, memory_format=torch.channels_last
        )
        for name in ("image", "image_1", "image_2")
    }
    targets = torch.randint(0, classes, (batch_size,), generator=generator).to(device)
    return views | {"target": targets, "row": torch.arange(batch_size, device=device)}


def training_step(method: Method, batch: dict[str, Tensor], device: str) -> Callable[[], None]:
    """Return a step of a method on the same batch."""
    method = method.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(method.parameter_groups(), lr=1e-3, momentum=0.9)

    def step() -> None:
        method.set_step(0)
        optimizer.zero_grad()
        method(batch).loss.backward()
        optimizer.step()
        method.after_step()

    return step


def memory(step: Callable[[], None], device: str) -> int:
    """Return the peak of allocations on a GPU, or the size of what is saved for the backward pass."""
    step()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        step()
        return int(torch.cuda.max_memory_allocated())
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        step()
    return sum(saved.values())


def check_synchronisations(step: Callable[[], None], device: str) -> None:
    """Let PyTorch raise an error where a step waits for the GPU."""
    if device.startswith("cuda"):
        torch.cuda.set_sync_debug_mode("error")
        step()
        torch.cuda.set_sync_debug_mode("default")


if __name__ == "__main__":
    main()
