"""Metrics of scores: how well a class is ranked above the others.

scikit-learn has these areas for one weighting of the samples. A bootstrap needs a thousand, so they are computed
here for many weightings at once; the tests compare them with scikit-learn's.
"""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from medtail.errors import InputError
from medtail.metrics.arguments import Value, sample_weights, scores_and_positives
from medtail.metrics.undefined import (
    UndefinedMetricWarning,
    mean_over_defined,
    ratio,
    warn_of_undefined,
)


def _tally(
    positive: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weigh what matters at each of the K scores that a positive sample holds, from the highest down.

    Returns:
        Weight of the positives at that score, of the negatives at that score, and of the negatives between it and
        the next higher one, ``(K, R)`` each.
    """
    from scipy.sparse import csr_array

    held = np.unique(scores[positive])[::-1]
    # How many held scores are higher: k for a sample at held score k, and for one between it and the next higher.
    rank = len(held) - np.searchsorted(held[::-1], scores, side="right")
    is_held = np.append(held, np.nan)[rank] == scores
    kind = np.where(positive, 0, np.where(is_held, 1, 2))
    cell = kind * (len(held) + 1) + rank
    summing = csr_array(
        (np.ones(len(scores)), (cell, np.arange(len(scores)))), shape=(3 * (len(held) + 1), len(scores))
    )
    at, tied, between = np.split(summing @ weights, 3)
    return at[:-1], tied[:-1], between[:-1]


def _roc_auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    at, tied, between = _tally(positive, scores, weights)
    above = np.cumsum(between + tied, axis=0) - tied
    lost = (at * (above + tied / 2)).sum(axis=0)
    return 1 - ratio(lost, weights[positive].sum(axis=0) * weights[~positive].sum(axis=0))


def _average_precision(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    at, tied, between = _tally(positive, scores, weights)
    found = np.cumsum(at, axis=0)
    precisions = ratio(found, found + np.cumsum(between + tied, axis=0))
    gained = np.where(at > 0, at * precisions, 0.0).sum(axis=0)
    return ratio(gained, weights[positive].sum(axis=0))


def roc_auc_per_class(
    targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None
) -> np.ndarray:
    """Return the area under each class's one-versus-rest ROC curve.

    AUC_c = P(score of a sample of c > score of another) + ½ P(equal).

    Args:
        targets: Class ids ``(N,)``.
        scores: ``(N, C)``, a column a class; or ``(N,)`` for class 1 of two.
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Returns:
        ``(C,)``, or ``(R, C)``; C is 1 for scores ``(N,)``. NaN for a class without samples or without others.

    Example:
        >>> roc_auc_per_class([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        array([0.75])
    """
    areas = _each_class(_roc_auc, targets, scores, weights)
    warn_of_undefined("roc_auc_per_class", areas, "having no target or no counterpart")
    return areas


def roc_auc(targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Value:
    """Return the mean of :func:`roc_auc_per_class` over the classes where it is defined (macro one-versus-rest).

    Takes the same arguments; NaN if no class has both samples and others. With two classes and probabilities it is
    the usual binary area.

    Example:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    areas = _each_class(_roc_auc, targets, scores, weights)
    warn_of_undefined("roc_auc", areas, "having no target or no counterpart")
    return _macro(areas)


def average_precision_per_class(
    targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None
) -> np.ndarray:
    """Return AP_c = Σ_k (R_k − R_{k−1}) P_k over the thresholds of each class, one against the rest.

    Arguments and shapes as in :func:`roc_auc_per_class`. NaN for a class without samples.

    Example:
        >>> average_precision_per_class([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).round(3)
        array([0.833])
    """
    areas = _each_class(_average_precision, targets, scores, weights)
    warn_of_undefined("average_precision_per_class", areas, "having no target")
    return areas


def average_precision(targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Value:
    """Return the mean of :func:`average_precision_per_class` over the classes that have targets.

    Example:
        >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
        0.833
    """
    areas = _each_class(_average_precision, targets, scores, weights)
    warn_of_undefined("average_precision", areas, "having no target")
    return _macro(areas)


def precision_at_recall(targets: ArrayLike, scores: ArrayLike, recall: float) -> float:
    """Return the highest precision of any threshold whose recall is at least ``recall``.

    As LCT reports it ("precision when recall is ≥ 0.99"). NaN without positives.

    Args:
        targets: 0 or 1 ``(N,)``.
        scores: Score of class 1 ``(N,)``; for class c of several pass ``targets == c`` and column c.
        recall: The recall that must be reached, in (0, 1].

    Raises:
        InputError: ``recall`` is outside (0, 1], or the scores have several columns.

    Example:
        >>> precision_at_recall([0, 1, 0, 1, 1], [0.1, 0.3, 0.4, 0.8, 0.9], recall=0.6)
        1.0
        >>> precision_at_recall([0, 1, 0, 1, 1], [0.1, 0.3, 0.4, 0.8, 0.9], recall=0.99)
        0.75
    """
    if not 0 < recall <= 1:
        raise InputError(f"recall must lie in (0, 1], got {recall!r}")
    table, positives = scores_and_positives(targets, scores)
    if table.shape[1] != 1:
        raise InputError(
            f"scores must be (N,) for precision at recall, got {table.shape}; "
            f"for class c pass targets == c and the scores' column c"
        )
    if not positives.any():
        warnings.warn(
            "precision_at_recall is undefined: targets have no positive", UndefinedMetricWarning, stacklevel=2
        )
        return float("nan")
    at, tied, between = _tally(positives[:, 0], table[:, 0], np.ones(table.shape))
    found = np.cumsum(at)
    precisions = found / (found + np.cumsum(between + tied))
    # Counts are whole numbers: compare them, so that 3 of 3 × 0.6 is not lost to rounding.
    return float(precisions[found >= recall * found[-1] - 1e-9].max())


def _each_class(
    area: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    targets: ArrayLike,
    scores: ArrayLike,
    weights: ArrayLike | None,
) -> np.ndarray:
    table, positives = scores_and_positives(targets, scores)
    columns = sample_weights(weights, len(table))
    areas = np.stack(
        [area(positives[:, index], table[:, index], columns) for index in range(table.shape[1])], axis=-1
    )
    return areas if np.ndim(weights) == 2 else areas[0]  # type: ignore[arg-type]


def _macro(areas: np.ndarray) -> Value:
    mean = mean_over_defined(areas)
    return mean if areas.ndim == 2 else float(mean)
