"""What every loss takes as targets, as a table: every loss and variant × form of the targets, measured.

    python tests/references/targets.py --write docs/targets.md

writes the table. The tests compare the values with those of class ids and of the known labels.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from medtail.errors import InputError
from medtail.files import write_text
from medtail.losses.catalogue import COMPOSITIONS, create_loss
from medtail.losses.pipeline import ClassificationLoss

COUNTS = [400, 37, 90, 12, 5]
IDS = torch.tensor([0, 0, 1, 2, 3, 4, 0, 2])


@dataclass(frozen=True)
class TargetForm:
    """One way to write targets.

    Attributes:
        description: What it is, for a column of the table.
        make: Makes the targets from class ids ``(N,)``.
    """

    description: str
    make: Callable[[Tensor], Tensor]


def one_hot(ids: Tensor) -> Tensor:
    """Return 0/1 ``(N, C)``, int64."""
    return torch.nn.functional.one_hot(ids, len(COUNTS))


def mixed(ids: Tensor) -> Tensor:
    """Return 0.7 of each sample's class and 0.3 of the next sample's, as Mixup does."""
    return 0.7 * one_hot(ids).double() + 0.3 * one_hot(ids.roll(1)).double()


def _with_first(rows: Tensor, value: float) -> Tensor:
    return rows.index_put((torch.tensor([0]), torch.tensor([1])), rows.new_tensor(value))


def _several(ids: Tensor) -> Tensor:
    return one_hot(ids) | one_hot(ids.roll(1))


def _first_id(value: int) -> Callable[[Tensor], Tensor]:
    return lambda ids: torch.cat([ids.new_tensor([value]), ids[1:]])


TARGET_FORMS: dict[str, TargetForm] = {
    "ids": TargetForm("class ids `(N,)`, int64", lambda ids: ids),
    "(N, 1)": TargetForm("class ids `(N, 1)`, int64", lambda ids: ids[:, None]),
    "probabilities": TargetForm("class probabilities `(N, C)`, float, rows summing to 1", mixed),
    "labels": TargetForm("0/1 `(N, C)`, int64, several labels per row", _several),
    "soft labels": TargetForm(
        "`(N, C)`, float, in [0, 1], rows of any sum", lambda ids: 0.8 * _several(ids).double()
    ),
    "NaN": TargetForm("0/1 `(N, C)`, float, one label NaN", lambda ids: _with_first(mixed(ids), torch.nan)),
    "id -1": TargetForm("class ids with one -1", _first_id(-1)),
    "id -100": TargetForm("class ids with one -100", _first_id(-100)),
    "id 255": TargetForm("class ids with one 255", _first_id(255)),
    "label -1": TargetForm("0/1 `(N, C)`, float, one label -1", lambda ids: _with_first(mixed(ids), -1.0)),
    "label 255": TargetForm("0/1 `(N, C)`, float, one label 255", lambda ids: _with_first(mixed(ids), 255.0)),
}


def build(composition: str) -> ClassificationLoss:
    """Return a loss of five classes, in its first epoch."""
    key, settings = COMPOSITIONS[composition]
    loss = create_loss(key, class_counts=COUNTS, settings=settings, num_epochs=10)
    loss.set_epoch(0)
    return loss


def outputs() -> Tensor:
    """Return outputs ``(8, 5)`` in [-0.9, 0.9], always the same, that take a gradient."""
    positions = torch.arange(len(IDS) * len(COUNTS), dtype=torch.float64)
    return (0.9 * torch.sin(1 + positions * positions)).view(len(IDS), len(COUNTS)).requires_grad_()


def measure(composition: str, form: TargetForm) -> str:
    """Return what a loss does with a form of targets: ``taken``, ``refused: why``, or what is not finite."""
    scores = outputs()
    try:
        value = build(composition)(scores, form.make(IDS))
    except InputError as error:
        return f"refused: {error}"
    (gradient,) = torch.autograd.grad(value, scores)
    finite = bool(value.isfinite()) and bool(gradient.isfinite().all())
    return "taken" if finite else f"value {value.item()}, gradient {gradient.tolist()}"


def table() -> str:
    """Return the table as Markdown, refusals as footnotes."""
    lines = [
        "# Targets",
        "",
        "What every loss takes as targets, at its default settings and in variants. `✓`: taken, with a finite value",
        "and gradient; otherwise refused, for the reason below the table. The table is written by",
        "`python tests/references/targets.py --write docs/targets.md`; the tests also compare the values.",
        "",
        "- **Class probabilities** come from Mixup, CutMix (also of timm and `torchvision.transforms.v2`) and label",
        "  smoothing. The loss is the expectation over classes, Σ y_c w_c ℓ_c; for two mixed classes that is the",
        "  mixture of their losses.",
        "- **Labels** are those of multi-label losses. A value between 0 and 1 mixes the losses of 0 and of 1.",
        '- **Unknown labels** are NaN. They are refused unless the loss is built with `unknown_labels="leave_out"`, as',
        "  training builds it. Then they have no part in value and gradient, and `mean` divides by the known labels",
        "  over C, which is N when all are known.",
        "- **No class id is skipped**: -100, -1 and 255 are refused alike. Leave such samples out of the batch.",
        "",
        "Values on the CPU are read at once. On a GPU no step waits for them: the indexing by class ids, or",
        "`torch._assert_async`, refuses wrong values with an assertion of the device. So do compiled graphs.",
        "",
        "| column | targets |",
        "| --- | --- |",
        *(f"| {name} | {form.description} |" for name, form in TARGET_FORMS.items()),
        "",
        f"| loss | {' | '.join(TARGET_FORMS)} |",
        f"| --- |{' --- |' * len(TARGET_FORMS)}",
    ]
    notes: list[str] = []
    for composition in COMPOSITIONS:
        cells = []
        for form in TARGET_FORMS.values():
            outcome = measure(composition, form)
            if outcome.startswith("refused: ") and outcome not in notes:
                notes.append(outcome)
            cells.append("✓" if outcome == "taken" else _mark(outcome, notes))
        lines.append(f"| `{composition}` | {' | '.join(cells)} |")
    lines += ["", *(f"{index}. {note}" for index, note in enumerate(notes, start=1))]
    return "\n".join(lines) + "\n"


def _mark(outcome: str, notes: list[str]) -> str:
    return f"refused ({notes.index(outcome) + 1})" if outcome in notes else f"**{outcome}**"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description="Measure what every loss takes as targets.")
    parser.add_argument("--write", type=Path, required=True, metavar="FILE")
    write_text(parser.parse_args().write, table())


if __name__ == "__main__":
    main()
