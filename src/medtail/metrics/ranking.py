"""Metrics of scores: how well a class is ranked above the others.

scikit-learn computes these areas for one weighting of the samples. A bootstrap needs a thousand, so they are computed
here for many weightings at once; the tests compare them with scikit-learn's.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from medtail.metrics.arguments import (
    Value,
    are_several,
    check_shapes,
    finite_scores,
    known_labels,
    sample_weights,
    scores_and_positives,
)
from medtail.metrics.thresholds import RankedScores, ThresholdCounts
from medtail.metrics.undefined import mean_over_defined, warn_of_undefined


def roc_auc_per_class(
    targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None
) -> np.ndarray:
    """Return the area under each class's one-versus-rest ROC curve.

    AUC_c = P(score of a sample of c > score of another) + ½ P(equal).

    Args:
        targets: Class ids ``(N,)``.
        scores: ``(N, C)``, one column per class; or ``(N,)`` for class 1 of two.
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Returns:
        ``(C,)``, or ``(R, C)``; C is 1 for scores ``(N,)``. NaN for a class without samples or without others.

    Example:
        >>> roc_auc_per_class([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        array([0.75])
    """
    areas = _each_class(ThresholdCounts.roc_auc, targets, scores, weights)
    warn_of_undefined("roc_auc_per_class", areas, "having no target or no counterpart")
    return areas


def roc_auc(targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Value:
    """Return the mean of :func:`roc_auc_per_class` over the classes where it is defined (macro one-versus-rest).

    The arguments are the same. NaN if no class has both samples and others. With two classes and probabilities, it is
    the usual binary area.

    Example:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    areas = _each_class(ThresholdCounts.roc_auc, targets, scores, weights)
    warn_of_undefined("roc_auc", areas, "having no target or no counterpart")
    return _macro(areas)


def label_roc_auc(targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Value:
    """Return the mean over labels of the area under the ROC curve of each, for multi-label targets.

    A label that all samples have, or none, is left out, and an :class:`UndefinedMetricWarning` names it. So is each
    target that is unknown.

    Args:
        targets: 0/1 ``(N, C)``, one column per label; NaN is unknown.
        scores: ``(N, C)``.
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Raises:
        InputError: Targets and scores differ in shape, or a score is not finite.

    Example:
        >>> label_roc_auc([[1, 0], [0, 1], [0, 0]], [[0.9, 0.2], [0.3, 0.1], [0.4, 0.0]])
        0.75
    """
    truth, known = known_labels("targets", targets)
    table = finite_scores(scores)
    check_shapes("scores", truth, table)
    areas = _each_column(
        ThresholdCounts.roc_auc, ranked_columns(truth == 1, table, known), weights, len(table)
    )
    warn_of_undefined("label_roc_auc", areas, "having no positive or no negative")
    return _macro(areas)


def average_precision_per_class(
    targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None
) -> np.ndarray:
    """Return AP_c = Σ_k (R_k − R_{k−1}) P_k over the thresholds of each class against the rest.

    Arguments and shapes are those of :func:`roc_auc_per_class`. NaN for a class without samples.

    Example:
        >>> average_precision_per_class([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).round(3)
        array([0.833])
    """
    areas = _each_class(ThresholdCounts.average_precision, targets, scores, weights)
    warn_of_undefined("average_precision_per_class", areas, "having no target")
    return areas


def average_precision(targets: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Value:
    """Return the mean of :func:`average_precision_per_class` over the classes that have targets.

    Example:
        >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
        0.833
    """
    areas = _each_class(ThresholdCounts.average_precision, targets, scores, weights)
    warn_of_undefined("average_precision", areas, "having no target")
    return _macro(areas)


def ranked_columns(
    positives: np.ndarray, scores: np.ndarray, known: np.ndarray | None = None
) -> tuple[RankedScores, ...]:
    """Rank the samples by each of C columns of scores.

    Args:
        positives: Whether each sample belongs to each class ``(N, C)``.
        scores: ``(N, C)``.
        known: Whether each sample counts for each class ``(N, C)``; all do when left out.
    """
    counted = [None] * scores.shape[1] if known is None else known.T
    return tuple(
        RankedScores.of(positive, column, own)
        for positive, column, own in zip(positives.T, scores.T, counted, strict=True)
    )


def macro_areas(ranked: Sequence[RankedScores], weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return :func:`roc_auc` and :func:`average_precision` of ranked columns, ``(R,)`` each, for weights ``(N, R)``."""
    areas = [
        (counts.roc_auc(), counts.average_precision()) for counts in (each.counts(weights) for each in ranked)
    ]
    roc, precision = np.stack(areas, axis=-1)
    return mean_over_defined(roc), mean_over_defined(precision)


def _each_class(
    area: Callable[[ThresholdCounts], np.ndarray],
    targets: ArrayLike,
    scores: ArrayLike,
    weights: ArrayLike | None,
) -> np.ndarray:
    table, positives = scores_and_positives(targets, scores)
    return _each_column(area, ranked_columns(positives, table), weights, len(table))


def _each_column(
    area: Callable[[ThresholdCounts], np.ndarray],
    ranked: Sequence[RankedScores],
    weights: ArrayLike | None,
    size: int,
) -> np.ndarray:
    columns = sample_weights(weights, size)
    areas = np.stack([area(each.counts(columns)) for each in ranked], axis=-1)
    return areas if are_several(weights) else areas[0]


def _macro(areas: np.ndarray) -> Value:
    mean = mean_over_defined(areas)
    return mean if areas.ndim == 2 else float(mean)
