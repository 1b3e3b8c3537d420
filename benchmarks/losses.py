"""How long each loss takes, as a ratio to ``F.cross_entropy`` on the same tensors in the same run.

    python benchmarks/losses.py --out benchmarks/results/losses_cpu.csv
    python benchmarks/losses.py --device cuda --modes eager compiled step --out benchmarks/results/losses_gpu.csv

The modes ``eager`` and ``compiled`` (both sides with ``torch.compile(fullgraph=True)``) time the forward and backward
pass of the loss alone; ``step`` times a whole training step of a ResNet-18. Each measurement alternates with its
reference, and the ratio is the median over pairs, so that a busy machine slows both. Machines differ: compare ratios,
never milliseconds of different rows.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from measuring import paired_seconds, results_file
from torch import Tensor
from torch.nn import functional

from medtail.losses import LOSSES, create_loss

COLUMNS = [
    "loss",
    "mode",
    "num_classes",
    "batch_size",
    "ratio",
    "milliseconds",
    "cross_entropy_milliseconds",
    "pairs",
    "device",
    "hardware",
    "torch",
    "commit",
    "date",
]
LossFunction = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    """Measure what the arguments select, and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=["eager"])
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--num-classes", nargs="+", type=int, default=[7, 100, 8142])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[128, 1024])
    parser.add_argument(
        "--pairs", type=int, default=20, help="measurements of each loss and of its reference"
    )
    arguments = parser.parse_args()

    with results_file(
        arguments.out, COLUMNS, arguments.device, "src/medtail/losses", "src/medtail/distributed.py"
    ) as write:
        for row in rows(arguments):
            print(
                f"{row['loss']:18} {row['mode']:9} C={row['num_classes']:<5} N={row['batch_size']:<5} {row['ratio']}"
            )
            write(row)


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield one row per mode, size and loss."""
    for mode in arguments.modes:
        for num_classes in arguments.num_classes:
            for batch_size in arguments.batch_sizes:
                for key in arguments.losses:
                    counts = [1 + 10_000 // (1 + class_id) for class_id in range(num_classes)]
                    loss = create_loss(key, class_counts=counts).to(arguments.device)
                    run, reference = MODES[mode](loss, num_classes, batch_size, arguments.device)
                    seconds = paired_seconds(run, reference, arguments.pairs, arguments.device)
                    yield {
                        "loss": key,
                        "mode": mode,
                        "num_classes": num_classes,
                        "batch_size": batch_size,
                        "ratio": f"{statistics.median(own / other for own, other in seconds):.3f}",
                        "milliseconds": f"{1e3 * statistics.median(own for own, _ in seconds):.4f}",
                        "cross_entropy_milliseconds": f"{1e3 * statistics.median(other for _, other in seconds):.4f}",
                        "pairs": arguments.pairs,
                    }


def loss_alone(
    loss: LossFunction, num_classes: int, batch_size: int, device: str
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return the forward and backward pass of the loss and of cross-entropy on the same tensors."""
    generator = torch.Generator().manual_seed(0)
    outputs = (
        (1.8 * torch.rand(batch_size, num_classes, generator=generator) - 0.9).to(device).requires_grad_()
    )
    targets = torch.randint(0, num_classes, (batch_size,), generator=generator).to(device)

    def run(function: LossFunction) -> None:
        outputs.grad = None
        function(outputs, targets).backward()

    return lambda: run(loss), lambda: run(functional.cross_entropy)


def compiled_loss_alone(
    loss: LossFunction, num_classes: int, batch_size: int, device: str
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return :func:`loss_alone` with both sides compiled."""
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True)
    reference = torch.compile(functional.cross_entropy, fullgraph=True)
    run, _ = loss_alone(compiled, num_classes, batch_size, device)
    run_reference, _ = loss_alone(reference, num_classes, batch_size, device)
    return run, run_reference


def training_step(
    loss: LossFunction, num_classes: int, batch_size: int, device: str
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return a ResNet-18 step, 224 px on a GPU and 64 px elsewhere, with the loss and with cross-entropy."""
    from torchvision.models import resnet18

    image_size = 224 if device.startswith("cuda") else 64
    model = resnet18(num_classes=num_classes).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    images = torch.rand(batch_size, 3, image_size, image_size, device=device)
    targets = torch.randint(0, num_classes, (batch_size,), generator=torch.Generator().manual_seed(0)).to(
        device
    )

    def run(function: LossFunction) -> None:
        optimizer.zero_grad()
        function(model(images).tanh(), targets).backward()
        optimizer.step()

    return lambda: run(loss), lambda: run(functional.cross_entropy)


MODES = {"eager": loss_alone, "compiled": compiled_loss_alone, "step": training_step}


if __name__ == "__main__":
    main()
