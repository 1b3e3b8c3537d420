"""Metrics of the best decision threshold on the scores of one class.

A threshold t decides for the class where the score is at least t, so equal scores are decided alike. Only the scores of
positive samples can be the best threshold: any other threshold finds no more positives than the next higher of these
scores, and at least as many negatives. The quantities are those of appendix A of LCT (Lieberman et al. 2025).
"""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self, final

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks
from medtail.errors import InputError
from medtail.metrics.arguments import Value, are_several, one_or_many, sample_weights, scores_and_positives
from medtail.metrics.undefined import UndefinedMetricWarning, ratio

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@final
@dataclass(frozen=True)
class ThresholdCounts:
    """What each of the K different scores of positive samples finds as a threshold, from the highest down.

    Attributes:
        at: The weight of the positives at each score ``(K, R)``, one column per weighting.
        tied: The weight of the negatives at that score ``(K, R)``.
        between: The weight of the negatives between it and the next higher one ``(K, R)``.
        positives: The weight of all positives ``(R,)``.
        negatives: The weight of all negatives ``(R,)``.
    """

    at: np.ndarray
    tied: np.ndarray
    between: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    @cached_property
    def true_positives(self) -> np.ndarray:
        """The weight of the positives at or above each threshold ``(K, R)``."""
        return np.cumsum(self.at, axis=0)

    @cached_property
    def false_positives(self) -> np.ndarray:
        """The weight of the negatives there ``(K, R)``."""
        return np.cumsum(self.between + self.tied, axis=0)

    def roc_auc(self) -> np.ndarray:
        """Return P(score of a positive > score of a negative) + ½ P(equal) ``(R,)``; NaN without one of the two."""
        lost = (self.at * (self.false_positives - self.tied / 2)).sum(axis=0)
        return 1 - ratio(lost, self.positives * self.negatives)

    def average_precision(self) -> np.ndarray:
        """Return Σ_k (R_k − R_{k−1}) P_k over the thresholds ``(R,)``; NaN without positives."""
        gained = np.where(self.at > 0, self.at * self._precisions, 0.0).sum(axis=0)
        return ratio(gained, self.positives)

    def max_f_beta(self, beta: float) -> np.ndarray:
        """Return the highest F_β ``(R,)``; NaN without positives."""
        weight = beta**2
        decided = self.true_positives + self.false_positives
        values = ratio((1 + weight) * self.true_positives, decided + weight * self.positives)
        return np.where(self.positives > 0, values.max(axis=0, initial=0.0), np.nan)

    def max_balanced_accuracy(self) -> np.ndarray:
        """Return the highest mean of recall and specificity ``(R,)``; NaN without one of the two classes."""
        recalls = ratio(self.true_positives, self.positives)
        specificities = 1 - ratio(self.false_positives, self.negatives)
        best = ((recalls + specificities) / 2).max(axis=0, initial=0.5)
        return np.where(np.minimum(self.positives, self.negatives) > 0, best, np.nan)

    def precisions_at_recalls(self, recalls: np.ndarray) -> np.ndarray:
        """Return the highest precision of a threshold that reaches each of Q recalls ``(R, Q)``."""
        # Recall rises as the threshold falls, so the thresholds that reach a recall are the last ones.
        best = np.fmax.accumulate(self._precisions[::-1], axis=0)[::-1]
        best = np.concatenate([best, np.full((1, best.shape[1]), np.nan)])
        # Counts are compared, not recalls, so that rounding cannot lose 3 of 3 × 0.6.
        missed = [(self.true_positives < recall * self.positives - 1e-9).sum(axis=0) for recall in recalls]
        best = np.take_along_axis(best, np.reshape(missed, (len(recalls), best.shape[1])), axis=0)
        return np.where(self.positives > 0, best, np.nan).T

    @cached_property
    def _precisions(self) -> np.ndarray:
        return ratio(self.true_positives, self.true_positives + self.false_positives)


@final
@dataclass(frozen=True)
class RankedScores:
    """The scores of one class, ranked once for any number of weightings, of which a bootstrap has a thousand.

    Attributes:
        summing: A sparse matrix ``(3 (K + 1), N)`` of ones: its product with weights ``(N, R)`` sums those of the
            positives at each of the K different scores of positives, those of the negatives there, and those of the
            negatives between it and the next higher one.
    """

    summing: "csr_array"

    @classmethod
    def of(cls, positive: np.ndarray, scores: np.ndarray, known: np.ndarray | None = None) -> Self:
        """Rank N samples.

        Args:
            positive: Whether each sample belongs to the class ``(N,)``.
            scores: ``(N,)``.
            known: Whether each sample counts ``(N,)``; all do when left out.
        """
        from scipy.sparse import csr_array

        rows = np.arange(len(scores)) if known is None else np.flatnonzero(known)
        positive, scores = positive[rows], scores[rows]
        held = np.unique(scores[positive])[::-1]
        # The number of higher scores of positives: k for a sample at the k-th, or between it and the next higher one.
        rank = len(held) - np.searchsorted(held[::-1], scores, side="right")
        is_held = np.append(held, np.nan)[rank] == scores
        kind = np.where(positive, 0, np.where(is_held, 1, 2))
        cell = kind * (len(held) + 1) + rank
        shape = (3 * (len(held) + 1), len(scores) if known is None else len(known))
        # One byte for each one: a thousand classes rank the same samples.
        return cls(csr_array((np.ones(len(rows), dtype=np.int8), (cell, rows)), shape=shape))

    def counts(self, weights: np.ndarray) -> ThresholdCounts:
        """Count what thresholds find with weights ``(N, R)``, one column per weighting."""
        at, tied, between = np.split(self.summing @ weights, 3)
        return ThresholdCounts(
            at=at[:-1],
            tied=tied[:-1],
            between=between[:-1],
            positives=at.sum(axis=0),
            negatives=tied.sum(axis=0) + between.sum(axis=0),
        )


def _counts(targets: ArrayLike, scores: ArrayLike, weights: ArrayLike | None) -> ThresholdCounts:
    table, positives = scores_and_positives(targets, scores)
    if table.shape[1] != 1:
        raise InputError(
            f"scores must be (N,) for a metric of thresholds, got {table.shape}; "
            f"for class c pass targets == c and the scores' column c"
        )
    return RankedScores.of(positives[:, 0], table[:, 0]).counts(sample_weights(weights, len(table)))


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
    return _judged("max_f1", _counts(targets, scores, weights).max_f_beta(1.0), "no positive", weights)


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
    return _judged("max_f_beta", _counts(targets, scores, weights).max_f_beta(beta), "no positive", weights)


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
    best = _counts(targets, scores, weights).max_balanced_accuracy()
    return _judged("max_balanced_accuracy", best, "no positive or no negative", weights)


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
    wanted = checks.array(recalls, np.float64)
    if wanted.ndim != 1 or not ((wanted > 0) & (wanted <= 1)).all():
        raise InputError(f"recalls must be numbers in (0, 1], got {recalls!r}; 0.99 is LCT's")
    best = _counts(targets, scores, weights).precisions_at_recalls(wanted)
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
    best = _counts(targets, scores, weights).precisions_at_recalls(np.array([recall]))[:, 0]
    return _judged("precision_at_recall", best, "no positive", weights)


def _judged(metric: str, values: np.ndarray, lacking: str, weights: ArrayLike | None) -> Value:
    """Warn of an undefined value; several weightings, being resamples, cause no warning."""
    if np.isnan(values).any() and not are_several(weights):
        _warn(metric, lacking, stacklevel=4)
    return one_or_many(values, weights)


def _warn(metric: str, lacking: str, stacklevel: int = 3) -> None:
    warnings.warn(
        f"{metric} is undefined: targets have {lacking}", UndefinedMetricWarning, stacklevel=stacklevel
    )
