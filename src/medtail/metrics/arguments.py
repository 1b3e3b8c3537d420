"""What metrics accept, and one sentence for what they do not."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from medtail.errors import InputError

#: One value, or an array of them when a stack of confusion matrices or several weightings were given.
Value: TypeAlias = float | np.ndarray


#: How far float32 probabilities may leave [0, 1].
_ROUNDING = 1e-6


def class_ids(name: str, values: ArrayLike, num_classes: int) -> np.ndarray:
    """Return ``values`` as ``(N,)`` int64 ids below ``num_classes``."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"{name} must be one class id a sample, shape (N,), got shape {array.shape}")
    if array.size and not np.issubdtype(array.dtype, np.integer) and array.dtype != bool:
        raise InputError(f"{name} must be integer class ids, got {array.dtype}; map names to ids first")
    array = array.astype(np.int64)
    if array.size and not (array.min() >= 0 and array.max() < num_classes):
        wrong = array[(array < 0) | (array >= num_classes)][0]
        raise InputError(f"{name} must be class ids from 0 to {num_classes - 1}, got {wrong}")
    return array


def scores_and_positives(targets: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return scores ``(N, K)`` and whether each sample is a positive of each class ``(N, K)``.

    Scores ``(N,)`` belong to class 1 of a binary problem (K = 1); scores ``(N, C)`` are taken one class against
    the rest (K = C).
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim not in (1, 2) or (table.ndim == 2 and table.shape[1] < 2):
        raise InputError(
            f"scores must be (N, C) with a column a class, or (N,) for class 1 of two, got shape {table.shape}"
        )
    if not np.isfinite(table).all():
        raise InputError(f"scores must be finite, got {table[~np.isfinite(table)][0]}")
    ids = class_ids("targets", targets, table.shape[1] if table.ndim == 2 else 2)
    if len(ids) != len(table):
        raise InputError(
            f"targets and scores must have one entry a sample each, got {len(ids)} and {len(table)}"
        )
    if table.ndim == 1:
        return table[:, None], (ids == 1)[:, None]
    return table, ids[:, None] == np.arange(table.shape[1])


def probabilities_and_ids(targets: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities ``(N, C)`` in [0, 1] and class ids; ``(N,)`` is the probability of class 1 of two."""
    table = np.asarray(probabilities, dtype=np.float64)
    scores_and_positives(targets, table)
    if table.size and not (table.min() >= -_ROUNDING and table.max() <= 1 + _ROUNDING):
        wrong = table.min() if table.min() < 0 else table.max()
        raise InputError(f"probabilities must lie in [0, 1], got {wrong:g}; pass loss.probabilities(outputs)")
    if table.ndim == 1:
        table = np.stack([1 - table, table], axis=1)
    return table, class_ids("targets", targets, table.shape[1])


def sample_weights(weights: ArrayLike | None, size: int) -> np.ndarray:
    """Return weights ``(N, R)``: one column a weighting; a single column of ones for None."""
    if weights is None:
        return np.ones((size, 1))
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim not in (1, 2) or len(array) != size or not (np.isfinite(array) & (array >= 0)).all():
        raise InputError(
            f"weights must be {size} finite numbers of at least 0, or {size} rows of them, got shape {array.shape}"
        )
    return array if array.ndim == 2 else array[:, None]


def are_several(weights: ArrayLike | None) -> bool:
    """Whether weights are several weightings ``(N, R)``, as a bootstrap's are."""
    return weights is not None and np.ndim(weights) == 2


def one_or_many(values: np.ndarray, weights: ArrayLike | None) -> Value:
    """Return the single value of ``values`` ``(1,)`` unless several weightings ``(N, R)`` were asked for."""
    return values if are_several(weights) else float(values[0])
