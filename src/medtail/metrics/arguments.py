"""Arguments that metrics share, scores, probabilities, 0/1 labels and weights of samples, and sums of weights."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks
from medtail.errors import InputError

#: One value, or an array of them for a stack of confusion matrices or for several weightings.
Value: TypeAlias = float | np.ndarray

#: How far float32 probabilities may leave [0, 1].
_ROUNDING = 1e-6


def targets_and_predictions(
    targets: ArrayLike, predictions: ArrayLike, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return true and predicted class ids, ``(N,)`` int64 each."""
    truth = checks.class_ids("targets", targets, num_classes)
    predicted = checks.class_ids("predictions", predictions, num_classes)
    _check_lengths("predictions", truth, predicted)
    return truth, predicted


def scores_and_positives(targets: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return scores ``(N, K)`` and whether each sample is a positive of each class ``(N, K)``.

    Scores ``(N,)`` belong to class 1 of a binary problem (K = 1). Scores ``(N, C)`` are read as one class against
    the rest (K = C).
    """
    table = finite_scores(scores)
    if table.ndim not in (1, 2) or (table.ndim == 2 and table.shape[1] < 2):
        raise InputError(
            f"scores must be (N, C) with one column per class, or (N,) for class 1 of two, got shape {table.shape}"
        )
    ids = checks.class_ids("targets", targets, table.shape[1] if table.ndim == 2 else 2)
    _check_lengths("scores", ids, table)
    if table.ndim == 1:
        return table[:, None], (ids == 1)[:, None]
    return table, ids[:, None] == np.arange(table.shape[1])


def finite_scores(scores: ArrayLike) -> np.ndarray:
    """Return scores of any shape as finite float64."""
    table = checks.array(scores, np.float64)
    if not np.isfinite(table).all():
        raise InputError(f"scores must be finite, got {table[~np.isfinite(table)][0]}")
    return table


def probabilities_and_ids(targets: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities ``(N, C)`` in [0, 1] and class ids; ``(N,)`` is the probability of class 1 of two."""
    table = checks.array(probabilities, np.float64)
    scores_and_positives(targets, table)
    if table.size and not (table.min() >= -_ROUNDING and table.max() <= 1 + _ROUNDING):
        wrong = table.min() if table.min() < 0 else table.max()
        raise InputError(f"probabilities must lie in [0, 1], got {wrong:g}; pass loss.probabilities(outputs)")
    if table.ndim == 1:
        table = np.stack([1 - table, table], axis=1)
    return table, checks.class_ids("targets", targets, table.shape[1])


def indicators(argument: str, values: ArrayLike) -> np.ndarray:
    """Return ``values`` as 0/1 ``(N, C)`` int64, one column per label."""
    array = checks.array(values)
    if array.ndim != 2:
        raise InputError(
            f"{argument} must be 0/1 of shape (N, C), one column per label, got shape {array.shape}"
        )
    wrong = array[(array != 0) & (array != 1)]
    if wrong.size:
        raise InputError(f"{argument} must be 0 or 1, got {wrong[0]}")
    return array.astype(np.int64)


def known_labels(argument: str, values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return labels as 0/1 ``(N, C)`` int64, 0 where they are NaN, and whether each is known, not NaN, ``(N, C)``."""
    array = checks.array(values)
    known = ~np.isnan(array) if np.issubdtype(array.dtype, np.floating) else np.ones(array.shape, dtype=bool)
    return indicators(argument, np.where(known, array, 0)), known


def check_shapes(argument: str, targets: np.ndarray, others: np.ndarray) -> None:
    """Raise unless ``others``, which ``argument`` names, has the shape of the targets."""
    if targets.shape != others.shape:
        raise InputError(
            f"targets and {argument} must be of one shape, got {targets.shape} and {others.shape}"
        )


def sample_weights(weights: ArrayLike | None, size: int) -> np.ndarray:
    """Return weights ``(N, R)``, one column per weighting; None gives a single column of ones."""
    if weights is None:
        return np.ones((size, 1))
    array = checks.array(weights, np.float64)
    if array.ndim not in (1, 2) or len(array) != size or not (np.isfinite(array) & (array >= 0)).all():
        raise InputError(
            f"weights must be {size} finite numbers of at least 0, or {size} rows of them, got shape {array.shape}"
        )
    return array if array.ndim == 2 else array[:, None]


def sums_by_id(ids: np.ndarray, columns: np.ndarray, count: int) -> np.ndarray:
    """Return the sums ``(count, R)`` of the rows of ``columns`` ``(N, R)`` that share an id in 0 … count − 1."""
    from scipy.sparse import csr_array

    ones = np.ones(len(ids), dtype=np.int8)
    sums: np.ndarray = csr_array((ones, (ids, np.arange(len(ids)))), shape=(count, len(ids))) @ columns
    return sums


def are_several(weights: ArrayLike | None) -> bool:
    """Return whether there are several weightings ``(N, R)``, as in a bootstrap."""
    return weights is not None and np.ndim(weights) == 2


def one_or_many(values: np.ndarray, weights: ArrayLike | None) -> Value:
    """Return the single value of ``values`` ``(1,)``, or all of them for several weightings ``(N, R)``."""
    return values if are_several(weights) else float(values[0])


def _check_lengths(argument: str, targets: np.ndarray, others: np.ndarray) -> None:
    if len(targets) != len(others):
        raise InputError(
            f"targets and {argument} must have one entry per sample each, got {len(targets)} and {len(others)}"
        )
