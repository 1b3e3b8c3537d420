"""The areas under the curves of each class or label, with their intervals."""

from typing import Any

import numpy as np

from medtail import metrics
from medtail.evaluation.summaries.frequency_groups import MANY_CLASSES
from medtail.evaluation.summaries.json_values import defined, defined_interval
from medtail.metrics.thresholds import RankedScores, ThresholdCounts
from medtail.runs.predictions import SavedPredictions

_AREAS = {"auc": ThresholdCounts.roc_auc, "average_precision": ThresholdCounts.average_precision}


def class_areas(
    predictions: SavedPredictions, *, seed: int = 0, resamples: int = 1000
) -> list[dict[str, Any]]:
    """Return AUC and AP of each class against the rest, or of each label, with 95 % bootstrap percentiles.

    Args:
        predictions: Of one split.
        seed: Of the bootstrap.
        resamples: Of the bootstrap, by group where groups are known, else by image; with 20 classes or more the
            intervals are left out, because they would take minutes.

    Returns:
        For each class ``auc``, ``auc_interval``, ``average_precision`` and ``average_precision_interval``; None where
        a class has no images or no others, and for the intervals that were left out.
    """
    # Of many classes and images these fill memory, and are computed whenever they are asked for.
    columns = predictions.known.T, predictions.carried.T, predictions.scores.T
    drawn = 0 if len(predictions.class_names) >= MANY_CLASSES else resamples
    return [
        _areas_of(positive[known], scores[known], predictions.units[known], seed=seed, resamples=drawn)
        for known, positive, scores in zip(*columns, strict=True)
    ]


def _areas_of(
    positive: np.ndarray, scores: np.ndarray, units: np.ndarray, *, seed: int, resamples: int
) -> dict[str, Any]:
    if not 0 < positive.sum() < len(positive):
        return dict.fromkeys(f"{name}{suffix}" for name in _AREAS for suffix in ("", "_interval"))
    ranked = RankedScores.of(positive, scores)

    def areas(weights: np.ndarray) -> np.ndarray:
        counts = ranked.counts(weights)
        return np.stack([area(counts) for area in _AREAS.values()], axis=-1)

    values = areas(np.ones((len(positive), 1)))[0]
    if not resamples:
        intervals: list[list[float] | None] = [None] * len(_AREAS)
    else:
        drawn = metrics.bootstrap(areas, units, resamples=resamples, seed=seed)
        intervals = [defined_interval(metrics.percentile_interval(column)) for column in drawn.T]
    return {
        key: content
        for name, value, interval in zip(_AREAS, values, intervals, strict=True)
        for key, content in ((name, defined(float(value))), (f"{name}_interval", interval))
    }
