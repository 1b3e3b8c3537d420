"""What a loss takes as targets: decided and checked here, once for all losses.

The host reads values on the CPU only, where it need not wait. On a CUDA device, and in compiled graphs, an assertion of
the device refuses wrong values: that of the indexing by class ids, and ``torch._assert_async`` for other targets.
"""

from typing import Literal

import torch
from torch import Tensor

from medtail import tensor_checks
from medtail.errors import InputError

#: What a multi-label loss does with an unknown label, which is NaN.
UnknownLabels = Literal["refuse", "leave_out"]

UNKNOWN_LABELS: tuple[UnknownLabels, ...] = ("refuse", "leave_out")

#: How far class probabilities may be from a sum of 1; half precision rounds by as much.
SUM_TOLERANCE = 0.01


def checked(
    outputs: Tensor,
    targets: Tensor,
    *,
    multi_label: bool,
    needs_one_class: str,
    unknown_labels: UnknownLabels = "refuse",
) -> Tensor:
    """Return class ids as int64 ``(N,)``, and labels or class probabilities ``(N, C)`` in the type of ``outputs``.

    Args:
        outputs: ``(N, C)``.
        targets: Integer class ids ``(N,)`` or ``(N, 1)``; labels ``(N, C)`` for a multi-label loss, otherwise
            floating-point class probabilities ``(N, C)``.
        multi_label: Whether the loss takes labels.
        needs_one_class: Why the loss takes no class probabilities; empty if it takes them.
        unknown_labels: Whether labels may be NaN.

    Raises:
        InputError: Shape, type or a value are wrong.
    """
    whole = not targets.is_floating_point() and targets.dtype != torch.bool
    if whole and targets.ndim == 2 and targets.shape == (outputs.shape[0], 1) and outputs.shape[1] > 1:
        targets = targets[:, 0]
    if whole and targets.shape == outputs.shape[:1]:
        return _class_ids(targets.long(), outputs.shape[1])
    if multi_label and targets.shape == outputs.shape:
        return _labels(targets.to(outputs), unknown_labels)
    takes_probabilities = not multi_label and not needs_one_class
    if takes_probabilities and targets.shape == outputs.shape and targets.is_floating_point():
        return _class_probabilities(targets.to(outputs))
    also = f" or labels of shape {tuple(outputs.shape)}," if multi_label else ""
    also += f" or class probabilities of shape {tuple(outputs.shape)}," if takes_probabilities else ""
    because = f" because {needs_one_class}," if needs_one_class else ""
    raise InputError(
        f"targets must be integer class ids of shape ({outputs.shape[0]},),{also}{because} "
        f"got {targets.dtype} {tuple(targets.shape)}; {_remedy(outputs, targets, takes_probabilities)}"
    )


def _remedy(outputs: Tensor, targets: Tensor, takes_probabilities: bool) -> str:
    if targets.shape == (outputs.shape[0], 1):
        return "call targets.squeeze(1).long()"
    if targets.shape == outputs.shape[:1]:
        return "convert with targets.long()"
    if targets.shape == outputs.shape and takes_probabilities:
        return (
            "convert one-hot rows with targets.argmax(1), or read them as probabilities with targets.float()"
        )
    if targets.shape == outputs.shape:
        return "convert one-hot rows with targets.argmax(1), and mix losses of class ids instead of mixing targets"
    return "pass one class id per row of the outputs"


def _class_ids(ids: Tensor, num_classes: int) -> Tensor:
    if tensor_checks.readable(ids) and ids.numel():
        lowest, highest = ids.aminmax()
        low, high = lowest.item(), highest.item()
        if low < 0:
            raise InputError(
                f"targets must be class ids from 0 to {num_classes - 1}, got {low}; leave samples without a class "
                "out: keep = targets >= 0, then loss(outputs[keep], targets[keep])"
            )
        if high >= num_classes:
            raise InputError(
                f"targets must be class ids from 0 to {num_classes - 1}, got {high}; "
                "give the head one output per class"
            )
    return ids


def _labels(labels: Tensor, unknown_labels: UnknownLabels) -> Tensor:
    may_be_unknown = unknown_labels == "leave_out"
    values = labels.nan_to_num(nan=0.0) if may_be_unknown else labels
    _require(
        (values >= 0) & (values <= 1),
        labels,
        "targets must be 0, 1 or a probability in between for each label"
        + (", or NaN where a label is unknown" if may_be_unknown else ""),
        "mark unknown labels with targets.float().masked_fill(targets < 0, torch.nan)"
        if may_be_unknown
        else 'if NaN marks unknown labels, build the loss with unknown_labels="leave_out"',
    )
    return labels


def _class_probabilities(rows: Tensor) -> Tensor:
    _require(
        (rows >= 0) & (rows <= 1),
        rows,
        "targets must be class ids, or class probabilities in [0, 1]",
        "leave samples without a class out, and divide each row by its sum",
    )
    sums = rows.sum(1)
    _require(
        (sums - 1).abs() <= SUM_TOLERANCE,
        sums,
        "class probabilities in targets must sum to 1 per row",
        "divide each row by its sum",
    )
    return rows


def _require(allowed: Tensor, values: Tensor, rule: str, remedy: str) -> None:
    """Refuse values unless all are allowed."""
    if tensor_checks.readable(values):
        if not bool(allowed.all()):
            raise InputError(f"{rule}, got {float(values[~allowed][0]):g}; {remedy}")
    elif values.device.type in ("cpu", "cuda"):
        torch._assert_async(allowed.all(), f"{rule}; {remedy}")
