"""Out-of-fold predictions: every image is judged once, by the model trained without it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from medtail.errors import InputError
from medtail.evaluation.summaries.summary import summarize
from medtail.metrics import METRICS, POSITIVE_CLASS_METRICS
from medtail.runs.facts import DatasetFacts, positive_class
from medtail.runs.label_predictions import read_predictions
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import OUT_OF_FOLD, Run


def pooled_predictions(folds: Sequence[Run], ids: Sequence[str]) -> SavedPredictions:
    """Join the test predictions of the folds of one data set.

    Args:
        folds: Finished runs whose test splits share no image.
        ids: Images in the order of the result; those that no fold could read are left out.

    Raises:
        InputError: A run is not finished, classes differ, or an image was judged twice.
    """
    parts = [read_predictions(run.require(run.predictions("test"))) for run in folds]
    first = parts[0]
    for run, part in zip(folds, parts, strict=True):
        if part.multi_label != first.multi_label or part.class_names != first.class_names:
            raise InputError(
                f"folds must have the same classes, those of {folds[0].folder} and {run.folder} differ; "
                f"train them on one data set"
            )
    pooled = first.joined(parts[1:])
    place_of = {name: place for place, name in enumerate(ids)}
    return pooled.rows(np.argsort([place_of[str(name)] for name in pooled.ids], kind="stable"))


def summarize_folds(
    pooled: SavedPredictions, folds: Sequence[Run], training_counts: np.ndarray
) -> dict[str, Any]:
    """Return the content of ``summary.json`` of a cross-validation.

    The keys of :func:`medtail.evaluation.summarize` over the pooled predictions, and ``folds``: for each the
    ``images`` of its splits and, for each of ``metrics`` (with two classes also of ``binary``), ``mean``, ``sd``
    (n - 1) and ``values``, one per fold. Pooled AUC ranks probabilities of different models against each other, so it
    may differ from the mean of the folds'.

    Args:
        pooled: Out-of-fold predictions.
        folds: Finished runs.
        training_counts: Training images of each class ``(C,)``, mean over folds.
    """
    summaries = [run.read_summary() for run in folds]
    images = [run.read_splits()["split"].value_counts().to_dict() for run in folds]
    spread: dict[str, Any] = {
        "images": images,
        "metrics": {name: _spread([each[name] for each in summaries]) for name in METRICS},
    }
    if all("binary" in each for each in summaries):
        spread["binary"] = {
            name: _spread([each["binary"][name] for each in summaries]) for name in POSITIVE_CLASS_METRICS
        }
    # A class the user named is the positive class of every fold.
    named = DatasetFacts.load(folds[0]).positive
    summary = summarize(
        pooled, OUT_OF_FOLD, training_counts=training_counts, positive=positive_class(training_counts, named)
    )
    return {**summary, "folds": spread}


def _spread(values: list[float | None]) -> dict[str, Any]:
    known = np.array([value for value in values if value is not None])
    return {
        "mean": float(known.mean()) if len(known) else None,
        "sd": float(known.std(ddof=1)) if len(known) > 1 else None,
        "values": values,
    }


def pooled_facts(folds: Sequence[Run], fingerprint: str) -> DatasetFacts:
    """Return the facts of all folds as one: mean training and validation counts, and every image in test."""
    facts = [DatasetFacts.load(run) for run in folds]
    splits = ("train", "validation", "test")
    counts = {split: np.array([fold.class_counts[split] for fold in facts]) for split in splits}
    images = {split: np.array([fold.num_images[split] for fold in facts]) for split in splits}
    return replace(
        facts[0],
        class_counts={
            "train": np.rint(counts["train"].mean(axis=0)).astype(int).tolist(),
            "validation": np.rint(counts["validation"].mean(axis=0)).astype(int).tolist(),
            "test": counts["test"].sum(axis=0).tolist(),
        },
        num_images={
            "train": round(images["train"].mean()),
            "validation": round(images["validation"].mean()),
            "test": int(images["test"].sum()),
        },
        fingerprint=fingerprint,
    )
