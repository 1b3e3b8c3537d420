"""The areas under the curves of each class or label, with their intervals."""

from typing import Any

import numpy as np

from medtail import metrics
from medtail.evaluation.summaries.frequency_groups import MANY_CLASSES
from medtail.evaluation.summaries.json_values import defined, defined_interval
from medtail.metrics import average_precision_per_class, roc_auc_per_class
from medtail.runs.predictions import SavedPredictions

_AREAS = {"auc": roc_auc_per_class, "average_precision": average_precision_per_class}


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
    return [
        _areas_of(predictions, index, seed=seed, resamples=resamples)
        for index in range(len(predictions.class_names))
    ]


def _areas_of(predictions: SavedPredictions, index: int, *, seed: int, resamples: int) -> dict[str, Any]:
    known = predictions.known[:, index]
    targets = predictions.carried[known, index].astype(np.int64)
    scores = predictions.scores[known, index]
    if not 0 < targets.sum() < len(targets):
        return dict.fromkeys(f"{name}{suffix}" for name in _AREAS for suffix in ("", "_interval"))

    def areas(weights: np.ndarray) -> np.ndarray:
        return np.stack([area(targets, scores, weights=weights)[:, 0] for area in _AREAS.values()], axis=-1)

    values = areas(np.ones((len(targets), 1)))[0]
    if len(predictions.class_names) >= MANY_CLASSES:
        intervals: list[list[float] | None] = [None] * len(_AREAS)
    else:
        drawn = metrics.bootstrap(areas, predictions.units[known], resamples=resamples, seed=seed)
        intervals = [defined_interval(metrics.percentile_interval(column)) for column in drawn.T]
    return {
        key: content
        for name, value, interval in zip(_AREAS, values, intervals, strict=True)
        for key, content in ((name, defined(float(value))), (f"{name}_interval", interval))
    }
