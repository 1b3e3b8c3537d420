"""Metrics of the best decision threshold on the scores of one class.

A threshold t decides for the class where the score is at least t, so equal scores are decided alike. Only the scores of
positive samples can be the best threshold: any other threshold finds no more positives than the next higher of these
scores, and at least as many negatives. The quantities are those of appendix A of LCT (Lieberman et al. 2025).
"""

import warnings
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks
from medtail.errors import InputError
from medtail.metrics.arguments import Value, are_several, one_or_many, sample_weights, scores_and_positives
from medtail.metrics.undefined import UndefinedMetricWarning, ratio


def weights_at_thresholds(
    positive: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum the weights at each of the K different scores of positive samples, from the highest down.

    Args:
        positive: Whether each sample belongs to the class ``(N,)``.
        scores: ``(N,)``.
        weights: ``(N, R)``, one column per weighting.

    Returns:
        The weight of the positives at each score, of the negatives at that score, and of the negatives between it and
        the next higher one, ``(K, R)`` each.
    """
    from scipy.sparse import csr_array

    held = np.unique(scores[positive])[::-1]
    # The number of higher scores of positives: k for a sample at the k-th, or between it and the next higher one.
    rank = len(held) - np.searchsorted(held[::-1], scores, side="right")
    is_held = np.append(held, np.nan)[rank] == scores
    kind = np.where(positive, 0, np.where(is_held, 1, 2))
    cell = kind * (len(held) + 1) + rank
    summing = csr_array(
        (np.ones(len(scores)), (cell, np.arange(len(scores)))), shape=(3 * (len(held) + 1), len(scores))
    )
    at, tied, between = np.split(summing @ weights, 3)
    return at[:-1], tied[:-1], between[:-1]


@final
@dataclass(frozen=True)
class _Found:
    """What each threshold finds, with the thresholds from the highest down.

    Attributes:
        true_positives: The weight of the positives at or above each threshold ``(K, R)``.
        false_positives: The weight of the negatives there ``(K, R)``.
        positives: The weight of all positives ``(R,)``.
        negatives: The weight of all negatives ``(R,)``.
    """

    true_positives: np.ndarray
    false_positives: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    @classmethod
    def of(cls, targets: ArrayLike, scores: ArrayLike, weights: ArrayLike | None) -> "_Found":
        table, positives = scores_and_positives(targets, scores)
        if table.shape[1] != 1:
            raise InputError(
                f"scores must be (N,) for a metric of thresholds, got {table.shape}; "
                f"for class c pass targets == c and the scores' column c"
            )
        positive, columns = positives[:, 0], sample_weights(weights, len(table))
        at, tied, between = weights_at_thresholds(positive, table[:, 0], columns)
        return cls(
            true_positives=np.cumsum(at, axis=0),
            false_positives=np.cumsum(between + tied, axis=0),
            positives=columns[positive].sum(axis=0),
            negatives=columns[~positive].sum(axis=0),
        )

    def max_f_beta(self, beta: float) -> np.ndarray:
        """Return the highest F_β ``(R,)``."""
        weight = beta**2
        decided = self.true_positives + self.false_positives
        values = ratio((1 + weight) * self.true_positives, decided + weight * self.positives)
        return np.asarray(values.max(axis=0, initial=0.0))


def max_f1(targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Value:
    """Return the highest F1 of any threshold, F1 = 2·tp / (tp + fp + n₊) (LCT eq. 14). NaN without positives.

    Args:
        targets: 0 or 1 ``(N,)``.
        scores: Score of class 1 ``(N,)``; for class c of several pass ``targets == c`` and column c.
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Raises:
        InputError: The scores have several columns, or are not finite.

    Example:
        >>> round(max_f1([0, 1, 0, 1, 1], [0.1, 0.3, 0.4, 0.8, 0.9]), 3)
        0.857
    """
    found = _Found.of(targets, scores, weights)
    return _judged("max_f1", found.max_f_beta(1.0), found.positives, "no positive", weights)


def max_f_beta(
    targets: ArrayLike, scores: ArrayLike, beta: float, *, weights: ArrayLike | None = None
) -> Value:
    """Return the highest F_β of any threshold (LCT eq. 15). NaN without positives.

    F_β = (1 + β²)·precision·recall / (β²·precision + recall) = (1 + β²)·tp / (tp + fp + β²·n₊).

    Args:
        targets: 0 or 1 ``(N,)``.
        scores: Score of class 1 ``(N,)``; for class c of several pass ``targets == c`` and column c.
        beta: How many times as important as precision recall is; positive. 1 is F1, 2 is usual where misses are worse.
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Raises:
        InputError: ``beta`` is not positive, the scores have several columns, or are not finite.

    Example:
        >>> round(max_f_beta([0, 1, 0, 1, 1], [0.1, 0.3, 0.4, 0.8, 0.9], beta=2), 3)
        0.938
    """
    beta = checks.positive("beta", beta, remedy="1 is F1")
    found = _Found.of(targets, scores, weights)
    return _judged("max_f_beta", found.max_f_beta(beta), found.positives, "no positive", weights)


def max_balanced_accuracy(
    targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None
) -> Value:
    """Return the highest balanced accuracy of any threshold, ½ (tp/n₊ + tn/n₋) (LCT eq. 13); never below ½.

    NaN without positives or without negatives.

    Args:
        targets: 0 or 1 ``(N,)``.
        scores: Score of class 1 ``(N,)``; for class c of several pass ``targets == c`` and column c.
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Raises:
        InputError: The scores have several columns, or are not finite.

    Example:
        >>> round(max_balanced_accuracy([0, 1, 0, 1, 1], [0.1, 0.3, 0.4, 0.8, 0.9]), 3)
        0.833
    """
    found = _Found.of(targets, scores, weights)
    recalls = ratio(found.true_positives, found.positives)
    specificities = 1 - ratio(found.false_positives, found.negatives)
    best = ((recalls + specificities) / 2).max(axis=0, initial=0.5)
    judged = np.minimum(found.positives, found.negatives)
    return _judged("max_balanced_accuracy", best, judged, "no positive or no negative", weights)


def precisions_at_recalls(
    targets: ArrayLike, scores: ArrayLike, recalls: ArrayLike, *, weights: ArrayLike | None = None
) -> np.ndarray:
    """Return, for each recall, the highest precision of any threshold that reaches it (LCT Fig. 1).

    Precision is tp / (tp + fp), LCT eq. 11. NaN without positives.

    Args:
        targets: 0 or 1 ``(N,)``.
        scores: Score of class 1 ``(N,)``; for class c of several pass ``targets == c`` and column c.
        recalls: Q recalls in (0, 1].
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Returns:
        ``(Q,)``, or ``(R, Q)``.

    Raises:
        InputError: A recall is outside (0, 1], the scores have several columns, or are not finite.

    Example:
        >>> precisions_at_recalls([0, 1, 0, 1, 1], [0.1, 0.3, 0.4, 0.8, 0.9], [0.5, 0.99])
        array([1.  , 0.75])
    """
    wanted = np.asarray(recalls, dtype=np.float64)
    if wanted.ndim != 1 or not ((wanted > 0) & (wanted <= 1)).all():
        raise InputError(f"recalls must be numbers in (0, 1], got {recalls!r}; 0.99 is LCT's")
    best = _best_precisions(targets, scores, wanted, weights)
    if np.isnan(best).any() and not are_several(weights):
        _warn("precisions_at_recalls", "no positive")
    return best if are_several(weights) else best[0]


def precision_at_recall(
    targets: ArrayLike, scores: ArrayLike, recall: float, *, weights: ArrayLike | None = None
) -> Value:
    """Return the highest precision of any threshold whose recall is at least ``recall``.

    LCT reports it as "precision when recall is ≥ 0.99". NaN without positives.

    Args:
        targets: 0 or 1 ``(N,)``.
        scores: Score of class 1 ``(N,)``; for class c of several pass ``targets == c`` and column c.
        recall: The recall that must be reached, in (0, 1].
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Raises:
        InputError: ``recall`` is outside (0, 1], or the scores have several columns.

    Example:
        >>> precision_at_recall([0, 1, 0, 1, 1], [0.1, 0.3, 0.4, 0.8, 0.9], recall=0.6)
        1.0
        >>> precision_at_recall([0, 1, 0, 1, 1], [0.1, 0.3, 0.4, 0.8, 0.9], recall=0.99)
        0.75
    """
    recall = checks.number("recall", recall, low=0, high=1, open_low=True)
    best = _best_precisions(targets, scores, np.array([recall]), weights)[:, 0]
    if np.isnan(best).any() and not are_several(weights):
        _warn("precision_at_recall", "no positive")
    return one_or_many(best, weights)


def _best_precisions(
    targets: ArrayLike, scores: ArrayLike, recalls: np.ndarray, weights: ArrayLike | None
) -> np.ndarray:
    """Return the highest precision at each recall ``(R, Q)``."""
    found = _Found.of(targets, scores, weights)
    precisions = ratio(found.true_positives, found.true_positives + found.false_positives)
    # Recall rises as the threshold falls, so the thresholds that reach a recall are the last ones.
    best = np.fmax.accumulate(precisions[::-1], axis=0)[::-1]
    best = np.concatenate([best, np.full((1, best.shape[1]), np.nan)])
    # Counts are compared, not recalls, so that rounding cannot lose 3 of 3 × 0.6.
    missed = [(found.true_positives < recall * found.positives - 1e-9).sum(axis=0) for recall in recalls]
    best = np.take_along_axis(best, np.reshape(missed, (len(recalls), best.shape[1])), axis=0)
    return np.where(found.positives > 0, best, np.nan).T


def _judged(
    metric: str, values: np.ndarray, needed: np.ndarray, lacking: str, weights: ArrayLike | None
) -> Value:
    """Set weightings that lack what the metric needs to NaN; several weightings, being resamples, cause no warning."""
    values = np.where(needed > 0, values, np.nan)
    if np.isnan(values).any() and not are_several(weights):
        _warn(metric, lacking, stacklevel=4)
    return one_or_many(values, weights)


def _warn(metric: str, lacking: str, stacklevel: int = 3) -> None:
    warnings.warn(
        f"{metric} is undefined: targets have {lacking}", UndefinedMetricWarning, stacklevel=stacklevel
    )
