"""What a model of two classes is worth to those who look for one of them: the figures of LCT's appendix A."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from medtail import metrics
from medtail.evaluation.summaries.json_values import defined, defined_interval
from medtail.runs.label_predictions import AnyPredictions
from medtail.runs.predictions import Predictions

_T = TypeVar("_T")

#: The recalls at which precision is asked for (LCT Fig. 1).
RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)

#: The figures in the order they are shown, with the names people read.
BINARY_TITLES = {
    "auc": "Area under ROC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "max_f1": "Highest F1 of any threshold",
    "max_balanced_accuracy": "Highest balanced accuracy of any threshold",
    "precision_at_recall_0.99": "Precision at recall ≥ 0.99",
}


#: Before their names where they stand beside metrics over all classes.
BINARY_PREFIX = "binary_"


def has_two_classes(predictions: AnyPredictions) -> bool:
    """Whether every image is of one of two classes."""
    return isinstance(predictions, Predictions) and len(predictions.class_names) == 2


def measure_binary(
    predictions: AnyPredictions, positive: int, weights: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return the figures of :data:`BINARY_TITLES`, then precision at each of :data:`RECALLS`, as arrays ``(R,)``.

    Args:
        predictions: Of two classes.
        positive: Id of the class that is looked for.
        weights: ``(N, R)``, a column a weighting; every image counts once when left out, and R is 1.
    """
    if weights is None:
        weights = np.ones((len(predictions.ids), 1))
    targets, scores = predictions.targets == positive, predictions.probabilities[:, positive]
    precisions = metrics.precisions_at_recalls(targets, scores, RECALLS, weights=weights)
    values = {
        "auc": metrics.roc_auc(targets, scores, weights=weights),
        "average_precision": metrics.average_precision(targets, scores, weights=weights),
        "brier": metrics.brier_score(targets, scores, weights=weights),
        "max_f1": metrics.max_f1(targets, scores, weights=weights),
        "max_balanced_accuracy": metrics.max_balanced_accuracy(targets, scores, weights=weights),
        "precision_at_recall_0.99": precisions[:, RECALLS.index(0.99)],
    }
    at_recalls = {
        f"precision_at_recall_{recall:g}": precisions[:, index] for index, recall in enumerate(RECALLS)
    }
    return {**{name: np.asarray(value) for name, value in values.items()}, **at_recalls}


def binary_summary(
    predictions: AnyPredictions, positive: int, *, seed: int, resamples: int
) -> dict[str, Any]:
    """Return what ``summary.json`` says under ``binary``; undefined is None.

    Returns:
        ``positive`` (the name), the figures of :data:`BINARY_TITLES`, ``precisions_at_recalls`` by recall, and 95 %
        bootstrap percentiles of all of them under ``intervals``.
    """
    drawn = metrics.bootstrap(
        lambda weights: np.stack(list(measure_binary(predictions, positive, weights).values()), axis=-1),
        predictions.units,
        resamples=resamples,
        seed=seed,
    )
    figures = measure_binary(predictions, positive)
    values = {name: defined(float(value[0])) for name, value in figures.items()}
    intervals = {
        name: None if values[name] is None else defined_interval(metrics.percentile_interval(column))
        for name, column in zip(figures, drawn.T, strict=True)
    }
    return {
        "positive": predictions.class_names[positive],
        **_arranged(values),
        "intervals": _arranged(intervals),
    }


def _arranged(figures: Mapping[str, _T]) -> dict[str, Any]:
    return {
        **{name: figures[name] for name in BINARY_TITLES},
        "precisions_at_recalls": {
            f"{recall:g}": figures[f"precision_at_recall_{recall:g}"] for recall in RECALLS
        },
    }
