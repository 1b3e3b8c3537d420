"""What arguments must be, said in one sentence when they are not. Nothing here reads a tensor on a device."""

import math
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from medtail.errors import InputError
from medtail.naming import nearest

#: Training counts in class-id order.
ClassCounts: TypeAlias = Sequence[int] | np.ndarray | Tensor


def number(
    argument: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return ``value`` as a float inside the interval, or raise naming the argument and the interval."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.integer | np.floating)
        or not math.isfinite(value)
        or not low <= value <= high
        or (open_low and value == low)
        or (open_high and value == high)
    ):
        interval = f"{'(' if open_low or math.isinf(low) else '['}{low:g}, {high:g}"
        interval += ")" if open_high or math.isinf(high) else "]"
        raise InputError(f"{argument} must be a number in {interval}, got {value!r}")
    return float(value)


#: A larger margin would turn every angle beyond π.
LARGEST_ANGLE = math.pi


def angle(argument: str, value: Any) -> float:
    """Return ``value`` as a margin in radians, in [0, π]."""
    return number(argument, value, low=0.0, high=LARGEST_ANGLE)


def positive(argument: str, value: Any) -> float:
    """Return ``value`` as a positive float."""
    return number(argument, value, low=0.0, open_low=True)


def whole_number(argument: str, value: Any, *, low: int, remedy: str = "") -> int:
    """Return ``value`` as an integer not below ``low``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise InputError(f"{argument} must be a whole number of at least {low}, got {value!r}{remedy}")
    return int(value)


def two_numbers(argument: str, values: Any) -> tuple[float, float]:
    """Return two numbers of at least 0."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 2:
        raise InputError(f"{argument} must be two numbers of at least 0, got {values!r}")
    return number(argument, values[0], low=0), number(argument, values[1], low=0)


def rational_coefficients(values: Any) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return coefficients of two [1/1] rational functions whose denominators are positive on [0, 1]."""
    try:
        (a0, a1, b1), (c0, c1, d1) = values
    except (TypeError, ValueError):
        raise InputError(f"coefficients must be ((a0, a1, b1), (c0, c1, d1)), got {values!r}") from None
    a0, a1, c0, c1 = (number("coefficients", value) for value in (a0, a1, c0, c1))
    b1, d1 = (number("coefficients b1 and d1", value, low=-1, open_low=True) for value in (b1, d1))
    return (a0, a1, b1), (c0, c1, d1)


def boolean(argument: str, value: Any) -> bool:
    """Return ``value`` if it is true or false."""
    if not isinstance(value, bool):
        raise InputError(f"{argument} must be true or false, got {value!r}")
    return value


def choice(argument: str, value: Any, allowed: Collection[str]) -> str:
    """Return ``value`` if it is one of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        raise InputError(
            f"{argument} must be one of {', '.join(allowed)}, got {value!r}{nearest(str(value), allowed)}"
        )
    return value


def _as_float64(argument: str, values: Any) -> Tensor:
    try:
        numbers = values if isinstance(values, Tensor) else torch.as_tensor(np.array(values))
        return numbers.detach().to("cpu", torch.float64).clone()
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{argument} must be numbers, one a class, got {values!r}") from None


def class_counts(values: ClassCounts) -> Tensor:
    """Return training counts as float64 ``(C,)``; they must be positive and at least two."""
    counts = _as_float64("class_counts", values)
    if counts.ndim != 1 or len(counts) < 2:
        raise InputError(
            f"class_counts must list at least 2 classes in one row, got shape {tuple(counts.shape)}; "
            "pass the counts of the training split in class-id order"
        )
    for class_id, count in enumerate(counts.tolist()):
        if not (count > 0 and math.isfinite(count)):
            raise InputError(
                f"class_counts must be positive, got {count:g} for class {class_id} of {len(counts)}; "
                "drop the class or pass the counts of the training split"
            )
    return counts


def class_vector(argument: str, values: Any, *, num_classes: int | None = None) -> Tensor:
    """Return one non-negative number a class as float64 ``(C,)``, not all of them zero."""
    vector = _as_float64(argument, values)
    if vector.ndim != 1 or (num_classes is not None and len(vector) != num_classes):
        expected = "C" if num_classes is None else num_classes
        raise InputError(f"{argument} must have shape ({expected},), got {tuple(vector.shape)}")
    if not bool((torch.isfinite(vector) & (vector >= 0)).all()) or not bool((vector > 0).any()):
        raise InputError(
            f"{argument} must hold finite numbers of at least 0, not all 0, got {vector.tolist()}"
        )
    return vector


def batch(outputs: Tensor, targets: Tensor, *, multi_label: bool, num_classes: int | None) -> Tensor:
    """Return the targets, as int64 when they are ids, after checking shapes and types.

    The values of the targets are not looked at: on a GPU that would wait for the device. An id outside
    0…C-1 is refused by PyTorch's own indexing.
    """
    if outputs.ndim != 2 or not outputs.is_floating_point():
        raise InputError(
            f"outputs must be floating-point of shape (N, C), got {outputs.dtype} {tuple(outputs.shape)}; "
            "pass what the head emits, one column a class"
        )
    if num_classes is not None and outputs.shape[1] != num_classes:
        raise InputError(
            f"outputs must have one column for each of the {num_classes} class_counts, got {outputs.shape[1]}; "
            "match the head's num_classes to the counts of the training split"
        )
    if multi_label and targets.shape == outputs.shape:
        return targets
    if targets.shape != outputs.shape[:1] or targets.is_floating_point() or targets.dtype == torch.bool:
        also = f" or 0/1 of shape {tuple(outputs.shape)}" if multi_label else ""
        raise InputError(
            f"targets must be integer class ids of shape ({outputs.shape[0]},){also}, "
            f"got {targets.dtype} {tuple(targets.shape)}; convert with targets.long() or argmax of one-hot rows"
        )
    return targets.long()
