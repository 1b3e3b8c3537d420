"""Undefined metrics: they are NaN, and a warning names the class."""

import warnings

import numpy as np


class UndefinedMetricWarning(UserWarning):
    """A metric is undefined, for some classes or altogether; the message names the classes and the reason."""


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return ``numerator / denominator``; 0/0 is NaN, without NumPy's warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: np.ndarray = np.true_divide(numerator, denominator)
    return quotient


def mean_over_defined(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis of the values that are not NaN; NaN if there are none."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def warn_of_undefined(metric: str, values: np.ndarray, reason: str) -> None:
    """Warn, naming the classes whose value is NaN.

    Args:
        metric: The public function the user called.
        values: One value per class ``(C,)``. A stack ``(…, C)`` holds resamples, and causes no warning.
        reason: Why a value is undefined, as a participle: "having no target".
    """
    if values.ndim != 1 or not np.isnan(values).any():
        return
    classes = np.flatnonzero(np.isnan(values))
    named = ", ".join(map(str, classes[:10])) + (", …" if len(classes) > 10 else "")
    warnings.warn(
        f"{metric} is defined for {len(values) - len(classes)} of {len(values)} classes: "
        f"{'class' if len(classes) == 1 else 'classes'} {named} left out, {reason}",
        UndefinedMetricWarning,
        stacklevel=3,
    )
