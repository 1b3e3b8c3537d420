"""Argument checks: each returns the value in one type, or raises one sentence with argument, rule, value and remedy.

Nothing here imports torch. :mod:`medtail.tensor_checks` adds the checks of tensors.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from medtail.errors import InputError
from medtail.naming import nearest

#: A larger margin would turn every angle beyond π.
LARGEST_ANGLE = math.pi


def number(
    argument: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
    remedy: str = "",
) -> float:
    """Return ``value`` as a float, which must be finite and lie in the interval.

    Args:
        argument: Its name, for the message.
        value: What the user gave.
        low: The lower end of the interval.
        high: The upper end.
        open_low: Whether ``low`` itself is refused.
        open_high: Whether ``high`` itself is refused.
        remedy: What to do instead, for the message.

    Raises:
        InputError: It is no such number.

    Example:
        >>> number("confidence", 1.5, low=0, high=1, open_low=True, open_high=True, remedy="0.95 is usual")
        Traceback (most recent call last):
        medtail.errors.InputError: confidence must be a number in (0, 1), got 1.5; 0.95 is usual
    """
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
        raise InputError(f"{argument} must be a number in {interval}, got {value!r}{_then(remedy)}")
    return float(value)


def angle(argument: str, value: Any) -> float:
    """Return ``value`` as a margin in radians, which must lie in [0, π]."""
    return number(argument, value, low=0.0, high=LARGEST_ANGLE)


def positive(argument: str, value: Any, *, remedy: str = "") -> float:
    """Return ``value`` as a float, which must be positive."""
    return number(argument, value, low=0.0, open_low=True, remedy=remedy)


def whole_number(argument: str, value: Any, *, low: int, remedy: str = "") -> int:
    """Return ``value`` as an integer, which must be at least ``low``; arguments are those of :func:`number`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise InputError(f"{argument} must be a whole number of at least {low}, got {value!r}{_then(remedy)}")
    return int(value)


def two_numbers(argument: str, values: Any) -> tuple[float, float]:
    """Return ``values`` as two floats, which must be at least 0."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 2:
        raise InputError(f"{argument} must be two numbers of at least 0, got {values!r}")
    return number(argument, values[0], low=0), number(argument, values[1], low=0)


def boolean(argument: str, value: Any) -> bool:
    """Return ``value``, which must be true or false."""
    if not isinstance(value, bool):
        raise InputError(f"{argument} must be true or false, got {value!r}")
    return value


def choice(argument: str, value: Any, allowed: Collection[str]) -> str:
    """Return ``value``, which must be one of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        raise InputError(
            f"{argument} must be one of {', '.join(allowed)}, got {value!r}{nearest(str(value), allowed)}"
        )
    return value


def class_vector(argument: str, values: Any, *, num_classes: int | None = None) -> np.ndarray:
    """Return one number per class as float64 ``(C,)``; they must be finite and at least 0, and not all 0."""
    vector = float64(argument, values)
    if vector.ndim != 1 or (num_classes is not None and len(vector) != num_classes):
        expected = "C" if num_classes is None else num_classes
        raise InputError(f"{argument} must have shape ({expected},), got {vector.shape}")
    if not (np.isfinite(vector) & (vector >= 0)).all() or not vector.any():
        raise InputError(
            f"{argument} must hold finite numbers of at least 0, not all 0, got {vector.tolist()}"
        )
    return vector


def array(values: Any, dtype: type[np.number[Any]] | None = None) -> np.ndarray:
    """Return ``values`` as an array; tensors may be on any device, of any precision, and need a gradient."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    return np.asarray(values, dtype=dtype)


def class_ids(argument: str, values: ArrayLike, num_classes: int) -> np.ndarray:
    """Return ``values`` as int64 ``(N,)``; they must be class ids below ``num_classes``."""
    ids = array(values)
    if ids.ndim != 1:
        raise InputError(f"{argument} must be one class id per sample, shape (N,), got shape {ids.shape}")
    if ids.size and not np.issubdtype(ids.dtype, np.integer) and ids.dtype != bool:
        raise InputError(f"{argument} must be integer class ids, got {ids.dtype}; map names to ids first")
    ids = ids.astype(np.int64)
    wrong = ids[(ids < 0) | (ids >= num_classes)]
    if wrong.size:
        raise InputError(f"{argument} must be class ids from 0 to {num_classes - 1}, got {wrong[0]}")
    return ids


def float64(argument: str, values: Any) -> np.ndarray:
    """Return a copy of ``values`` as a float64 array; they must be numbers, one per class."""
    try:
        numbers = array(values)
    except ValueError:  # rows of different lengths
        numbers = None
    if numbers is None or numbers.dtype.kind not in "biuf":
        raise InputError(f"{argument} must be numbers, one per class, got {values!r}")
    return numbers.astype(np.float64)


def _then(remedy: str) -> str:
    return f"; {remedy}" if remedy else ""
