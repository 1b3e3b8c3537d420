"""Several runs, or several views, on images with labels that none of the runs was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from medtail.adaptation.run_predictions import require_validation
from medtail.errors import InputError
from medtail.inference.combination import Combination
from medtail.inference.members import check_alike, combination_facts, combined_words
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import EvaluatedSplit, Run

# What loads torch is imported where it is used: saved predictions need none of it.
if TYPE_CHECKING:
    from medtail.data import ImageCollection, TableColumns
    from medtail.inference.classifier import Classifier
    from medtail.progress import Progress


@final
@dataclass(frozen=True)
class JudgedTogether:
    """The combined predictions of labelled images.

    Attributes:
        predictions: Combined.
        words: What was combined, in a sentence.
        combined: The same in plain values, from :func:`medtail.inference.members.combination_facts`.
        collection: The images, where they are of other data.
        split: The split of theirs that was taken; None for data without splits.
        atypicality: How far each image is from those of validation ``(N,)``; None where that is not known.
    """

    predictions: SavedPredictions
    words: str
    combined: dict[str, Any]
    collection: "ImageCollection | None" = None
    split: EvaluatedSplit | None = None
    atypicality: np.ndarray | None = None


def judge_saved(runs: Sequence[Run], split: EvaluatedSplit, combination: Combination) -> JudgedTogether:
    """Combine the saved predictions of several runs for one split.

    Args:
        runs: Finished runs, at least one.
        split: The split, which must hold the same images for all of them.
        combination: How they become one.

    Raises:
        InputError: The runs are not alike, their splits hold different images, or one was trained on some of them.
    """
    task = check_alike(runs).task
    tables = _same_images(runs, split)
    check_unseen(runs, tables[0].ids, split)
    logs = combination.combine(np.stack([_logs(table) for table in tables]), task)
    predictions = replace(tables[0], probabilities=np.exp(logs), log_probabilities=logs)
    return JudgedTogether(
        predictions, combined_words(runs, combination), combination_facts(runs, combination), split=split
    )


def judge_own(
    classifier: "Classifier", runs: Sequence[Run], split: EvaluatedSplit, progress: "Progress | None" = None
) -> JudgedTogether:
    """Predict the images of one split of the runs again, in several views.

    Args:
        classifier: Of the runs.
        runs: Finished runs, at least one.
        split: As for :func:`judge_saved`.
        progress: Told about decoding.

    Raises:
        InputError: As :func:`judge_saved`, or the data are not at hand.
    """
    saved = _same_images(runs, split)[0]
    check_unseen(runs, saved.ids, split)
    images = _saved_images(runs[0], saved, split)
    opinions = classifier.opinions(
        saved.ids, classifier.decoded(images, progress=progress), np.arange(len(images))
    )
    logs = classifier.combination.combine(opinions.log_probabilities, classifier.facts.task)
    predictions = replace(saved, probabilities=np.exp(logs), log_probabilities=logs)
    return JudgedTogether(predictions, str(classifier.words), dict(classifier.combined or {}), split=split)


def judge_last_epoch(run: Run, split: EvaluatedSplit, progress: "Progress | None" = None) -> SavedPredictions:
    """Predict the images of one split of a run again, by the weights of its last epoch instead of the chosen one.

    Args:
        run: A finished run.
        split: ``"validation"`` or ``"test"``.
        progress: Told about decoding and predicting.

    Returns:
        The predictions, in the order of the saved ones.

    Raises:
        InputError: The run is not finished, has no such split, or its data are not at hand.
    """
    from medtail.training.inference.trained_model import TrainedModel

    saved = _same_images([run], split)[0]
    images = _saved_images(run, saved, split)
    model = TrainedModel.load(run, "last")
    pixels = model.read_pixels(images, progress=progress)
    features = model.features(pixels, np.arange(len(images)), progress)
    logs = model.feature_log_probabilities(features, saved.ids)
    return replace(saved, probabilities=np.exp(logs), log_probabilities=logs)


def _saved_images(run: Run, saved: SavedPredictions, split: EvaluatedSplit) -> "ImageCollection":
    """The images of a run's own data that predictions were saved for, in their order."""
    from medtail.data.collection_images import own_collection

    collection = own_collection(run)
    row_of = {str(name): row for row, name in enumerate(collection.table["id"])}
    missing = [str(name) for name in saved.ids if str(name) not in row_of]
    if missing:
        raise InputError(
            f"the data of {run.folder} must be at hand to see its {split} images again, but {collection.data} has no "
            f"image {missing[0]}; restore it"
        )
    return collection.select(np.asarray([row_of[str(name)] for name in saved.ids]))


def judge_other(
    classifier: "Classifier",
    runs: Sequence[Run],
    data: str,
    split: EvaluatedSplit,
    *,
    columns: "TableColumns",
    skip_unreadable: bool = False,
    progress: "Progress | None" = None,
) -> JudgedTogether:
    """Predict one split of other data, or all of it if it comes without splits.

    Args:
        classifier: Of the runs.
        runs: Finished runs, at least one.
        data: As :func:`medtail.data.open_collection` takes it.
        split: The split to take.
        columns: Columns of the data that their names do not tell.
        skip_unreadable: Leave unreadable images out instead of refusing them.
        progress: Told about decoding.

    Raises:
        InputError: As :func:`medtail.training.inference.other_data.open_other_data`; an image cannot be read; or the
            data are those that a run was trained on, and images are among those that it has seen.
    """
    from medtail.inference.classifier import readable_by_all
    from medtail.training.inference.other_data import open_other_data

    collection, given = open_other_data(runs[0], data, split, columns=columns)
    trained_here = [
        run for run in runs if Path(DatasetFacts.load(run).data).resolve() == Path(data).resolve()
    ]
    check_unseen(trained_here, collection.table["id"].to_numpy(dtype=str), split)
    pixels = classifier.decoded(collection, skip_unreadable=skip_unreadable, progress=progress)
    rows, task = readable_by_all(pixels), classifier.facts.task
    opinions = classifier.opinions(collection.table["id"].to_numpy()[rows], pixels, rows)
    logs = classifier.combination.combine(opinions.log_probabilities, task)
    predictions = task.predictions(collection.table.iloc[rows], np.exp(logs), classifier.class_names, logs)
    return JudgedTogether(
        predictions,
        str(classifier.words),
        dict(classifier.combined or {}),
        collection,
        given,
        opinions.atypicality,
    )


def check_unseen(runs: Sequence[Run], ids: np.ndarray, split: EvaluatedSplit) -> None:
    """Refuse images that a run was trained on or, if they are to test it, that its epoch was chosen on.

    Args:
        runs: Finished runs of the data that the images are from.
        ids: Names of the images.
        split: What they are taken for.

    Raises:
        InputError: A run has seen one of them.
    """
    seen_splits = ("train",) if split == "validation" else ("train", "validation")
    for run in runs:
        table = run.read_splits()
        seen = set(table["id"][table["split"].isin(seen_splits)])
        known = [name for name in ids if str(name) in seen]
        if known:
            raise InputError(
                f"images must be new to every run that judges them, but {len(known)} of {len(ids)}, such as "
                f"{known[0]}, are in the {' or '.join(seen_splits)} split of {run.folder}; leave that run out, or give "
                f"other images with `data`"
            )


def _same_images(runs: Sequence[Run], split: EvaluatedSplit) -> list[SavedPredictions]:
    """The saved predictions of each run, in the order of the first."""
    if split == "validation":
        for run in runs:
            require_validation(run)
    task = DatasetFacts.load(runs[0]).task
    tables = [task.read_predictions(run.require(run.predictions(split))) for run in runs]
    first = tables[0]
    place_of = {str(name): place for place, name in enumerate(first.ids)}
    ordered = [first]
    for run, table in zip(runs[1:], tables[1:], strict=True):
        others = len(set(place_of) ^ set(map(str, table.ids)))
        if others:
            raise InputError(
                f"runs that are judged together must have the same {split} images, but {others} images are in only one "
                f"of {runs[0].folder} and {run.folder}; give images that none of them was trained on with `data` "
                f"(what a cross-validation says of all its images is in its own report)"
            )
        table = table.rows(np.argsort([place_of[str(name)] for name in table.ids]))
        if not np.array_equal(table.targets, first.targets, equal_nan=table.targets.dtype.kind == "f"):
            raise InputError(
                f"runs that are judged together must have the same labels, but those of {runs[0].folder} and "
                f"{run.folder} differ; train them on one data set"
            )
        ordered.append(table)
    return ordered


def _logs(predictions: SavedPredictions) -> np.ndarray:
    """Logarithms of probabilities, also of runs that saved none."""
    if predictions.log_probabilities is not None:
        return predictions.log_probabilities
    with np.errstate(divide="ignore"):
        logs: np.ndarray = np.log(predictions.probabilities)
    return logs
