"""The threshold on one class's probability that is best on validation, by an exact scan."""

from collections.abc import Callable

import numpy as np

from medtail.metrics.thresholds import RankedScores
from medtail.metrics.undefined import ratio


def _f1(true: np.ndarray, false: np.ndarray, positives: float, negatives: float) -> np.ndarray:
    return ratio(2 * true, true + false + positives)


def _balanced_accuracy(true: np.ndarray, false: np.ndarray, positives: float, negatives: float) -> np.ndarray:
    return np.asarray((true / positives + 1 - false / negatives) / 2)


def _precision_at_recall(
    true: np.ndarray, false: np.ndarray, positives: float, negatives: float
) -> np.ndarray:
    return np.where(true >= 0.99 * positives * (1 - 1e-12), ratio(true, true + false), -1.0)


#: The metrics that a threshold can be chosen by: from the weights of the true and false positives at each threshold,
#: and of all positives and negatives, to the value at each threshold.
THRESHOLD_METRICS: dict[str, Callable[[np.ndarray, np.ndarray, float, float], np.ndarray]] = {
    "max_f1": _f1,
    "max_balanced_accuracy": _balanced_accuracy,
    "precision_at_recall_0.99": _precision_at_recall,
}


def best_threshold(
    positive: np.ndarray, scores: np.ndarray, metric: str, weights: np.ndarray | None = None
) -> float:
    """Return the threshold at which the metric is best, where cases with scores of at least it are taken.

    Args:
        positive: Whether each case is of the class ``(N,)``; at least one is, and at least one is not.
        scores: ``(N,)``.
        metric: A key of :data:`THRESHOLD_METRICS`.
        weights: Weight of each case ``(N,)``; 1 by default.

    It lies half-way between the lowest score that is taken and the next lower one, because every threshold between
    them decides the validation cases alike. The highest threshold wins a tie.

    Example:
        >>> best_threshold(np.array([False, False, True, True]), np.array([0.1, 0.2, 0.6, 0.9]), "max_f1")
        0.4
    """
    columns = np.ones((len(scores), 1)) if weights is None else weights[:, None]
    counts = RankedScores.of(positive, scores).counts(columns)
    true, false = counts.true_positives[:, 0], counts.false_positives[:, 0]
    values = THRESHOLD_METRICS[metric](true, false, float(counts.positives[0]), float(counts.negatives[0]))
    held = np.unique(scores[positive])[::-1]
    lowest_taken = held[int(np.argmax(values))]
    lower = scores[scores < lowest_taken]
    return float((lowest_taken + lower.max()) / 2) if len(lower) else float(lowest_taken)
