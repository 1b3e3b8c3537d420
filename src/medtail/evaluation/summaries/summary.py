"""All metrics of one split, ready for JSON."""

from typing import Any

import numpy as np

from medtail import metrics
from medtail.errors import InputError
from medtail.evaluation.summaries.binary import binary_summary
from medtail.evaluation.summaries.frequency_groups import group_metrics
from medtail.evaluation.summaries.json_values import defined, defined_interval
from medtail.metrics import METRICS, Metric
from medtail.runs.facts import positive_class
from medtail.runs.predictions import SavedPredictions
from medtail.runs.settings import RunSettings


def summarize(
    predictions: SavedPredictions,
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
        positive: Id of the positive class, of two; the one with fewer training images when left out, or class 1 where
            these are unknown. Without effect for more classes.
        seed: Of the bootstrap.
        resamples: Of the bootstrap, by group where groups are known, else by image.

    Returns:
        ``split``, ``n``, ``classes`` (each with ``name``, ``n``, ``recall``, ``precision``, ``f1`` and
        ``recall_interval``, Wilson's), the metrics over all classes, and ``intervals`` (95 %,
        bootstrap percentiles, centred for ``cov`` and ``ece``) of each of them. ``groups_resampled`` is the number of
        groups that the bootstrap draws from, where these are known. Undefined values are None. For multi-label images,
        ``n`` of a class counts the images that carry it, ``known`` those of which the label is known where some are
        not, ``accuracy`` is the share of images with every known label right, and the other means run over labels. With
        20 classes or more and one per image, also ``groups``: metrics of those with many, a medium number of, and few
        training images. With two classes also ``binary``:
        :func:`medtail.evaluation.summaries.binary.binary_summary`.

    Raises:
        InputError: There are no images.
    """
    if not len(predictions.ids):
        raise InputError(
            f"predictions of the {split} split must hold at least one image, got none; choose another split"
        )
    outcomes, known = predictions.outcomes(), predictions.known
    drawn = metrics.bootstrap(
        lambda weights: np.stack(list(predictions.measure(weights).values()), axis=-1),
        predictions.units,
        resamples=resamples,
        seed=seed,
    )
    values = {name: defined(float(value[0])) for name, value in predictions.measure().items()}
    grouped = training_counts is not None and not predictions.multi_label
    groups = group_metrics(outcomes, np.asarray(training_counts)) if grouped else None
    if positive is None:
        positive = 1 if training_counts is None else positive_class(training_counts)
    return {
        "split": split,
        "n": len(predictions.ids),
        "classes": [
            {
                "name": name,
                "n": int(outcomes.targets[0, index]),
                **({} if known.all() else {"known": int(known[:, index].sum())}),
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
            name: bootstrap_interval(METRICS[name], value, column)
            for (name, value), column in zip(values.items(), drawn.T, strict=True)
        },
        **({} if predictions.num_groups is None else {"groups_resampled": predictions.num_groups}),
        **(
            {"binary": binary_summary(predictions, positive, seed=seed, resamples=resamples)}
            if predictions.binary
            else {}
        ),
        **({} if groups is None else {"groups": groups}),
    }


def protocol_summary(settings: RunSettings) -> dict[str, Any]:
    """Return what ``summary.json`` says under ``protocol`` of how the epoch was chosen; nothing where that is usual.

    Returns:
        ``protocol`` with the settings ``validation`` and ``monitor``, and ``note``, a sentence on what they mean.
    """
    if settings.protocol is None:
        return {}
    return {
        "protocol": {
            "validation": settings.validation,
            "monitor": settings.monitor,
            "note": settings.protocol,
        }
    }


def bootstrap_interval(metric: Metric, value: float | None, resampled: np.ndarray) -> list[float] | None:
    """Return the 95 % interval of a metric from its resamples ``(R,)``, centred where chance can only raise it."""
    if value is None:
        return None
    if metric.raised_by_noise:
        return defined_interval(metrics.centred_interval(resampled, value))
    return defined_interval(metrics.percentile_interval(resampled))
