"""All the numbers of one split, ready for JSON."""

from collections.abc import Callable
from typing import Any

import numpy as np

from medtail import metrics
from medtail.errors import InputError
from medtail.evaluation.summaries.binary import binary_summary, has_two_classes
from medtail.evaluation.summaries.frequency_groups import group_figures
from medtail.evaluation.summaries.json_values import defined, defined_interval
from medtail.metrics import LabelOutcomes, Outcomes
from medtail.metrics.undefined import mean_over_defined
from medtail.runs.facts import positive_class
from medtail.runs.label_predictions import AnyPredictions, MultiLabelPredictions
from medtail.runs.predictions import Predictions

#: The metrics over all classes, in the order they are shown, with the names people read.
METRIC_TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "geometric_mean": "Geometric mean of recalls",
    "mcc": "Matthews correlation",
    "iba_0.1": "Index of balanced accuracy, α = 0.1",
    "iba_0.5": "Index of balanced accuracy, α = 0.5",
    "iba_1.0": "Index of balanced accuracy, α = 1",
    "cov": "Variation of recall (σ/μ)",
    "auc": "Area under ROC, macro",
    "average_precision": "Average precision, macro",
    "brier": "Brier score",
    "ece": "Expected calibration error",
}

#: Those of which less is better.
LOWER_IS_BETTER = frozenset({"cov", "brier", "ece"})

#: Those that noise can only raise, so that their resamples lie too high.
_RAISED_BY_NOISE = frozenset({"cov", "ece"})


def weighted_outcomes(predictions: AnyPredictions, weights: np.ndarray) -> Outcomes:
    """Count decisions for each class under weights ``(N, R)``."""
    if isinstance(predictions, MultiLabelPredictions):
        return LabelOutcomes.weighted(predictions.targets, predictions.decisions, weights).present
    return Outcomes.weighted(
        predictions.targets, predictions.decisions, len(predictions.class_names), weights
    )


def measure(predictions: AnyPredictions, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return every metric of :data:`METRIC_TITLES` under weights ``(N, R)``, as arrays ``(R,)``.

    Without weights every image counts once and R is 1. NaN where a metric is undefined, as most of those of a
    confusion matrix are for several labels.
    """
    if weights is None:
        weights = np.ones((len(predictions.ids), 1))
    if isinstance(predictions, MultiLabelPredictions):
        return _measure_labels(predictions, weights)
    return _measure_classes(predictions, weights)


def _measure_classes(predictions: Predictions, weights: np.ndarray) -> dict[str, np.ndarray]:
    outcomes = weighted_outcomes(predictions, weights)
    scored = predictions.targets, predictions.probabilities
    values = {
        "accuracy": metrics.accuracy(outcomes),
        "balanced_accuracy": metrics.balanced_accuracy(outcomes),
        "macro_f1": metrics.macro_f1(outcomes),
        "geometric_mean": metrics.geometric_mean(outcomes),
        "mcc": metrics.matthews_correlation(outcomes),
        "iba_0.1": metrics.index_balanced_accuracy(outcomes, 0.1),
        "iba_0.5": metrics.index_balanced_accuracy(outcomes, 0.5),
        "iba_1.0": metrics.index_balanced_accuracy(outcomes, 1.0),
        "cov": metrics.recall_variation(outcomes),
        "auc": metrics.roc_auc(*scored, weights=weights),
        "average_precision": metrics.average_precision(*scored, weights=weights),
        "brier": metrics.brier_score(*scored, weights=weights),
        "ece": metrics.expected_calibration_error(*scored, weights=weights),
    }
    return {name: np.asarray(value) for name, value in values.items()}


def _measure_labels(predictions: MultiLabelPredictions, weights: np.ndarray) -> dict[str, np.ndarray]:
    targets, decisions = predictions.targets, predictions.decisions
    outcomes = LabelOutcomes.weighted(targets, decisions, weights)
    values = {
        "accuracy": metrics.exact_match(targets, decisions, weights=weights),
        "balanced_accuracy": metrics.label_balanced_accuracy(outcomes),
        "macro_f1": metrics.macro_f1(outcomes.present),
        "auc": metrics.label_roc_auc(targets, predictions.probabilities, weights=weights),
        "average_precision": _mean_over_labels(metrics.average_precision, predictions, weights),
        "brier": _mean_over_labels(metrics.brier_score, predictions, weights),
    }
    undefined = np.full(weights.shape[1], np.nan)
    return {name: np.asarray(values.get(name, undefined)) for name in METRIC_TITLES}


def _mean_over_labels(
    metric: Callable[..., float | np.ndarray], predictions: MultiLabelPredictions, weights: np.ndarray
) -> np.ndarray:
    each = [
        metric(targets, probabilities, weights=weights)
        for targets, probabilities in zip(predictions.targets.T, predictions.probabilities.T, strict=True)
    ]
    return mean_over_defined(np.stack(each, axis=-1))


def summarize(
    predictions: AnyPredictions,
    split: str,
    *,
    training_counts: np.ndarray | None = None,
    positive: int | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Return the content of ``summary.json``.

    Args:
        predictions: Of one split.
        split: Its name: train, validation or test.
        training_counts: Training images of each class ``(C,)``, for ``groups`` and ``binary``.
        positive: Id of the class that is looked for, of two; the one with fewer training images when left out, or
            class 1 where these are not known. Without effect for several classes.
        seed: Of the bootstrap.
        resamples: Of the bootstrap, by group where groups are known, else by image.

    Returns:
        ``split``, ``n``, ``classes`` (each with ``name``, ``n``, ``recall``, ``precision``, ``f1`` and
        ``recall_interval``, Wilson's), the metrics over all classes, and ``intervals`` (95 %,
        bootstrap percentiles, centred for ``cov`` and ``ece``) of each of them. What is undefined is None. Of
        several labels an image, ``n`` of a class are the images that carry it, ``accuracy`` is the share of images
        with every label right, and the other means run over labels. Of 20 classes or more, one an image, also
        ``groups``: figures of those with many, a medium number of and few training images. Of two classes also
        ``binary``: :func:`medtail.evaluation.summaries.binary.binary_summary`.

    Raises:
        InputError: There is no image.
    """
    if not len(predictions.ids):
        raise InputError(
            f"predictions of the {split} split must hold an image, have none; choose another split"
        )
    outcomes = weighted_outcomes(predictions, np.ones((len(predictions.ids), 1)))
    drawn = metrics.bootstrap(
        lambda weights: np.stack(list(measure(predictions, weights).values()), axis=-1),
        predictions.units,
        resamples=resamples,
        seed=seed,
    )
    values = {name: defined(float(value[0])) for name, value in measure(predictions).items()}
    one_class = isinstance(predictions, Predictions) and training_counts is not None
    groups = group_figures(outcomes, np.asarray(training_counts)) if one_class else None
    if positive is None:
        positive = 1 if training_counts is None else positive_class(training_counts)
    return {
        "split": split,
        "n": len(predictions.ids),
        "classes": [
            {
                "name": name,
                "n": int(outcomes.targets[0, index]),
                "recall": defined(float(outcomes.recalls[0, index])),
                "precision": defined(float(outcomes.precisions[0, index])),
                "f1": defined(float(outcomes.f1[0, index])),
                "recall_interval": defined_interval(
                    metrics.wilson_interval(int(outcomes.hits[0, index]), int(outcomes.targets[0, index]))
                ),
            }
            for index, name in enumerate(predictions.class_names)
        ],
        **values,
        "intervals": {
            name: bootstrap_interval(name, value, column)
            for (name, value), column in zip(values.items(), drawn.T, strict=True)
        },
        **(
            {"binary": binary_summary(predictions, positive, seed=seed, resamples=resamples)}
            if has_two_classes(predictions)
            else {}
        ),
        **({} if groups is None else {"groups": groups}),
    }


def bootstrap_interval(name: str, value: float | None, resampled: np.ndarray) -> list[float] | None:
    """Return the 95 % interval of a metric from its resamples ``(R,)``, centred where noise can only raise it."""
    if value is None:
        return None
    if name in _RAISED_BY_NOISE:
        return defined_interval(metrics.centred_interval(resampled, value))
    return defined_interval(metrics.percentile_interval(resampled))
