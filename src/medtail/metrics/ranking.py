"""Metrics of scores: how well a class is ranked above the others.

scikit-learn computes these areas for one weighting of the samples. A bootstrap needs a thousand, so they are computed
here for many weightings at once; the tests compare them with scikit-learn's.
"""

from collections.abc import Callable

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
from medtail.metrics.thresholds import weights_at_thresholds
from medtail.metrics.undefined import mean_over_defined, ratio, warn_of_undefined


def _roc_auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    at, tied, between = weights_at_thresholds(positive, scores, weights)
    above = np.cumsum(between + tied, axis=0) - tied
    lost = (at * (above + tied / 2)).sum(axis=0)
    return 1 - ratio(lost, weights[positive].sum(axis=0) * weights[~positive].sum(axis=0))


def _average_precision(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    at, tied, between = weights_at_thresholds(positive, scores, weights)
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
        scores: ``(N, C)``, one column per class; or ``(N,)`` for class 1 of two.
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

    The arguments are the same. NaN if no class has both samples and others. With two classes and probabilities, it is
    the usual binary area.

    Example:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    areas = _each_class(_roc_auc, targets, scores, weights)
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
    areas = _each_column(_roc_auc, truth == 1, table, weights, known)
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


def _each_class(
    area: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    targets: ArrayLike,
    scores: ArrayLike,
    weights: ArrayLike | None,
) -> np.ndarray:
    table, positives = scores_and_positives(targets, scores)
    return _each_column(area, positives, table, weights)


def _each_column(
    area: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    positives: np.ndarray,
    table: np.ndarray,
    weights: ArrayLike | None,
    known: np.ndarray | None = None,
) -> np.ndarray:
    columns = sample_weights(weights, len(table))
    rows = [slice(None)] * table.shape[1] if known is None else known.T
    areas = np.stack(
        [area(positives[own, index], table[own, index], columns[own]) for index, own in enumerate(rows)],
        axis=-1,
    )
    return areas if are_several(weights) else areas[0]


def _macro(areas: np.ndarray) -> Value:
    mean = mean_over_defined(areas)
    return mean if areas.ndim == 2 else float(mean)
