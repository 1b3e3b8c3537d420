"""The numerics contract as a table: every loss and variant × precision × edge case, measured.

    python tests/references/numerics.py --write docs/numerics.md

writes the table. The tests run the same cases, so they cover every new entry of ``LOSSES``.
"""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from medtail.errors import InputError
from medtail.files import write_text
from medtail.losses.catalogue import COMPOSITIONS, create_loss, takes_setting
from medtail.losses.pipeline import ClassificationLoss

COUNTS = [6705, 1113, 1099, 514, 327, 142, 115]

#: The largest size of an output, by what the loss expects.
EXTREMES = {"logits": 1e4, "cosines": 1.0}


@dataclass(frozen=True)
class EdgeCase:
    """A batch that breaks careless code.

    Attributes:
        description: What it is, for a column of the table.
        targets: Class ids.
        outputs: Maps the targets and the number of classes to a pattern ``(N, C)`` in [-1, 1].
        stretch: Factor on the outputs beyond the extremes.
        num_classes: C.
        scale: The scale of losses that take one; their default if None.
    """

    description: str
    targets: tuple[int, ...]
    outputs: Callable[[Tensor, int], Tensor]
    stretch: float = 1.0
    num_classes: int = 7
    scale: float | None = None


def _spread(targets: Tensor, num_classes: int) -> Tensor:
    """Return values spread over [-0.9, 0.9], always the same."""
    positions = torch.arange(len(targets) * num_classes, dtype=torch.float64)
    return (0.9 * torch.sin(1 + positions * positions)).view(len(targets), num_classes)


def _right(targets: Tensor, num_classes: int) -> Tensor:
    return 2.0 * torch.nn.functional.one_hot(targets, num_classes).double() - 1.0


def _wrong(targets: Tensor, num_classes: int) -> Tensor:
    return -_right(targets, num_classes)


def _equal(targets: Tensor, num_classes: int) -> Tensor:
    return torch.ones(len(targets), num_classes, dtype=torch.float64)


_MIXED = (0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 1)

EDGE_CASES: dict[str, EdgeCase] = {
    "ordinary": EdgeCase("an ordinary batch", _MIXED, _spread, stretch=1e-3),
    "right": EdgeCase("extreme outputs, all right", _MIXED, _right),
    "wrong": EdgeCase("extreme outputs, all wrong", _MIXED, _wrong),
    "equal": EdgeCase("extreme outputs, all equal", _MIXED, _equal),
    "beyond": EdgeCase("extreme outputs, too large by rounding", _MIXED, _wrong, stretch=1 + 1e-6),
    "near": EdgeCase("extreme outputs, too small by rounding", _MIXED, _right, stretch=1 - 6e-8),
    "absent": EdgeCase("classes absent", (0, 0, 1, 1), _spread),
    "one class": EdgeCase("a batch of one class", (3, 3, 3), _spread),
    "collapsed": EdgeCase("predictions of one class", (3, 3, 3), _right),
    "N = 1": EdgeCase("one sample", (5,), _spread),
    "N = 1 wrong": EdgeCase("one sample, extremely wrong", (5,), _wrong),
    "C = 2": EdgeCase("two classes", (0, 0, 0, 1), _wrong, num_classes=2),
    "s = 64": EdgeCase("scale 64, extremely wrong", _MIXED, _wrong, scale=64.0),
}


@dataclass(frozen=True)
class Precision:
    """Type of the outputs, and the autocast they come from."""

    dtype: torch.dtype
    autocast: Callable[[], AbstractContextManager[object]]


PRECISIONS: dict[str, Precision] = {
    "float32": Precision(torch.float32, nullcontext),
    "bfloat16": Precision(torch.bfloat16, lambda: torch.autocast("cpu", dtype=torch.bfloat16)),
    "float16": Precision(torch.float16, lambda: torch.autocast("cpu", dtype=torch.float16)),
}


def measure(composition: str, precision: Precision, case: EdgeCase) -> str:
    """Return what a loss does with an edge case: ``finite``, ``refused: why``, or what is not finite."""
    key, settings = COMPOSITIONS[composition]
    if case.scale is not None and takes_setting(key, "scale"):
        settings = settings | {"scale": case.scale}
    try:
        loss = create_loss(key, class_counts=COUNTS[: case.num_classes], settings=settings)
        return _measure(loss, precision, case)
    except InputError as error:
        return f"refused: {error}"


def _measure(loss: ClassificationLoss, precision: Precision, case: EdgeCase) -> str:
    targets = torch.tensor(case.targets)
    pattern = case.outputs(targets, case.num_classes)
    outputs = (EXTREMES[loss.expects] * case.stretch * pattern).to(precision.dtype).requires_grad_()
    loss.set_epoch(0)
    with precision.autocast():
        value = loss(outputs, targets)
    value.backward()
    if value.dtype != torch.float32:
        return f"value in {value.dtype}"
    if not bool(value.isfinite()):
        return f"value {value.item()}"
    if outputs.grad is None or not bool(outputs.grad.isfinite().all()):
        return "gradient not finite"
    return "finite"


def table() -> str:
    """Return the whole contract as Markdown, refusals as footnotes."""
    lines = [
        "# Numerics",
        "",
        "The value and the gradient of every loss, at its default settings and in variants. Outputs in bfloat16 and",
        "float16 come from autocast; the losses compute in float32. `✓`: value and gradient are finite. The table is",
        "written by `python tests/references/numerics.py --write docs/numerics.md`; the tests run the same cases.",
        "",
        "Extreme outputs are ±10⁴ for logits and ±1 for cosines.",
        "",
        "| case | batch |",
        "| --- | --- |",
        *(f"| {name} | {case.description} |" for name, case in EDGE_CASES.items()),
        "",
        f"| loss | precision | {' | '.join(EDGE_CASES)} |",
        f"| --- | --- |{' --- |' * len(EDGE_CASES)}",
    ]
    notes: list[str] = []
    for composition in COMPOSITIONS:
        for name, precision in PRECISIONS.items():
            cells = []
            for case in EDGE_CASES.values():
                outcome = measure(composition, precision, case)
                if outcome.startswith("refused: ") and outcome not in notes:
                    notes.append(outcome)
                cells.append("✓" if outcome == "finite" else _mark(outcome, notes))
            lines.append(f"| `{composition}` | {name} | {' | '.join(cells)} |")
    lines += ["", *(f"{index}. {note}" for index, note in enumerate(notes, start=1))]
    return "\n".join(lines) + "\n"


def _mark(outcome: str, notes: list[str]) -> str:
    return f"refused ({notes.index(outcome) + 1})" if outcome in notes else f"**{outcome}**"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description="Measure the numerics contract of every loss.")
    parser.add_argument("--write", type=Path, required=True, metavar="FILE")
    write_text(parser.parse_args().write, table())


if __name__ == "__main__":
    main()
