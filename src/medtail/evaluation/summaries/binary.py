"""The metrics of the positive class of two (LCT, appendix A)."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from medtail import metrics
from medtail.evaluation.summaries.json_values import defined, defined_interval
from medtail.metrics.metric import POSITIVE_CLASS_METRICS, PRECISION_METRICS, RECALLS
from medtail.runs.predictions import SavedPredictions

_T = TypeVar("_T")

#: Before the names of these metrics where they stand beside metrics over all classes.
BINARY_PREFIX = "binary_"


def measure_binary(
    predictions: SavedPredictions, positive: int, weights: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return the metrics of :data:`POSITIVE_CLASS_METRICS`, then those of :data:`PRECISION_METRICS`, ``(R,)`` each.

    Args:
        predictions: Of two classes.
        positive: Id of the positive class.
        weights: ``(N, R)``, one column for each weighting; every image counts once when left out, and R is 1.
    """
    weights = predictions.once() if weights is None else weights
    targets, counts = predictions.targets == positive, predictions.ranked[positive].counts(weights)
    precisions = counts.precisions_at_recalls(np.array(RECALLS))
    values = {
        "auc": counts.roc_auc(),
        "average_precision": counts.average_precision(),
        "brier": metrics.brier_score(targets, predictions.probabilities[:, positive], weights=weights),
        "max_f1": counts.max_f_beta(1.0),
        "max_balanced_accuracy": counts.max_balanced_accuracy(),
        **dict(zip(PRECISION_METRICS, precisions.T, strict=True)),
    }
    return {name: np.asarray(values[name]) for name in (*POSITIVE_CLASS_METRICS, *PRECISION_METRICS)}


def binary_summary(
    predictions: SavedPredictions, positive: int, *, seed: int, resamples: int
) -> dict[str, Any]:
    """Return what ``summary.json`` says under ``binary``; undefined is None.

    Args:
        predictions: Of two classes.
        positive: Id of the positive class.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.

    Returns:
        ``positive`` (the name), the metrics of :data:`POSITIVE_CLASS_METRICS`, ``precisions_at_recalls`` by recall, and
        95 % bootstrap percentiles of all of them under ``intervals``.
    """
    drawn = metrics.bootstrap(
        lambda weights: np.stack(list(measure_binary(predictions, positive, weights).values()), axis=-1),
        predictions.units,
        resamples=resamples,
        seed=seed,
    )
    values = {name: defined(float(value[0])) for name, value in measure_binary(predictions, positive).items()}
    intervals = {
        name: None if values[name] is None else defined_interval(metrics.percentile_interval(column))
        for name, column in zip(values, drawn.T, strict=True)
    }
    return {
        "positive": predictions.class_names[positive],
        **_arranged(values),
        "intervals": _arranged(intervals),
    }


def _arranged(values: Mapping[str, _T]) -> dict[str, Any]:
    return {
        **{name: values[name] for name in POSITIVE_CLASS_METRICS},
        "precisions_at_recalls": {
            f"{recall:g}": values[name] for recall, name in zip(RECALLS, PRECISION_METRICS, strict=True)
        },
    }
