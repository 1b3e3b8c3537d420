"""Heat maps of right and wrong examples of a run's rare classes, for its report."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import final

import numpy as np

from medtail.data import Pixels, TableColumns, open_collection
from medtail.data.collection_images import own_images
from medtail.errors import InputError
from medtail.evaluation.report.report import write_report
from medtail.evaluation.summaries.frequency_groups import rare_classes
from medtail.progress import Progress
from medtail.runs.facts import DatasetFacts
from medtail.runs.heat_maps import Example, HeatMaps
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import Run
from medtail.runs.settings import RunSettings
from medtail.training.explanation.explained_images import explain_rows
from medtail.training.explanation.heat_maps import GRAD_CAM, check_heat_map
from medtail.training.explanation.pictures import Explained, write_picture
from medtail.training.inference.trained_model import TrainedModel

#: Classes that are shown, and examples of each that were recognised, and that were not.
_CLASSES, _EXAMPLES = 8, 3


@final
@dataclass(frozen=True)
class _Chosen:
    """A test image of a rare class.

    Attributes:
        row: In the predictions.
        class_id: A class that the image is of.
        recognised: Whether that class was decided.
        explained: Ids of the classes to explain.
    """

    row: int
    class_id: int
    recognised: bool
    explained: list[int]


def explain_examples(run: Run, *, heat_map: str = GRAD_CAM, progress: Progress | None = None) -> Path:
    """Write heat maps of test images of rare classes, and the report with them.

    Of each class with less than an equal share of the training images (the eight rarest), the three images with the
    highest probability among those recognised are explained, and the three with the lowest probability among those
    missed: for these, what speaks for the decision and what speaks for the true class.

    Args:
        run: A finished run, whose data is at hand.
        heat_map: As in :func:`medtail.training.explanation.heat_maps.heat_maps`.
        progress: Told about decoding.

    Returns:
        The path of the report.

    Raises:
        InputError: grad-cam is missing, the run is not finished, no class is rare, or its data is not at hand.
            Nothing is written then.
    """
    check_heat_map(heat_map)
    facts = DatasetFacts.load(run)
    predictions = facts.task.read_predictions(run.require(run.predictions("test")))
    chosen = list(_chosen(predictions, rare_classes(facts.training_counts)))
    if not chosen:
        raise InputError(
            f"heat maps in a report are of classes with less than an equal share of the training images, but no test "
            f"image of {run.folder} is of one; explain images with `predict()`"
        )
    model = TrainedModel.load(run)
    pixels = _pixels(run, model, [str(predictions.ids[each.row]) for each in chosen], progress)
    names = facts.class_names
    examples = [
        Example(
            id=str(predictions.ids[each.row]),
            class_name=names[each.class_id],
            recognised=each.recognised,
            explained=[names[class_id] for class_id in each.explained],
            probability=float(predictions.probabilities[each.row, each.class_id]),
            picture=f"{number:03d}.png",
        )
        for number, each in enumerate(chosen, start=1)
    ]

    def write(place: int, image: np.ndarray, explained: list[Explained]) -> None:
        example = examples[place]
        title = f"{example.class_name}: {PurePath(example.id).name}"
        write_picture(run.heat_maps.parent / example.picture, image, title, explained)

    # Until it is written again, it would name pictures of two explanations.
    run.heat_maps.unlink(missing_ok=True)
    explain_rows(
        model,
        pixels,
        np.arange(len(chosen)),
        [each.explained for each in chosen],
        predictions.probabilities[[each.row for each in chosen]],
        write,
        heat_map=heat_map,
    )
    HeatMaps(heat_map, examples).save(run)
    return write_report(run, own_images(run))


def _chosen(predictions: SavedPredictions, rare: list[int]) -> Iterator[_Chosen]:
    """The examples, class by class, the recognised first."""
    decisions = predictions.decisions
    decided = (
        decisions == 1
        if predictions.multi_label
        else decisions[:, None] == np.arange(len(predictions.class_names))
    )
    tested = [class_id for class_id in rare if predictions.carried[:, class_id].any()]
    for class_id in tested[:_CLASSES]:
        probabilities = predictions.probabilities[:, class_id]
        carried = predictions.carried[:, class_id]
        right = np.flatnonzero(carried & decided[:, class_id])
        for row in right[np.argsort(-probabilities[right], kind="stable")][:_EXAMPLES]:
            yield _Chosen(int(row), class_id, True, [class_id])
        missed = np.flatnonzero(carried & ~decided[:, class_id])
        for row in missed[np.argsort(probabilities[missed], kind="stable")][:_EXAMPLES]:
            others = np.flatnonzero(decided[row])
            most = [int(others[predictions.probabilities[row, others].argmax()])] if len(others) else []
            yield _Chosen(int(row), class_id, False, [*most, class_id])


def _pixels(run: Run, model: TrainedModel, ids: list[str], progress: Progress | None) -> Pixels:
    """The images of a run by id, prepared as for training."""
    columns = TableColumns(**(RunSettings.load(run).get("data.columns") or {}))
    collection = open_collection(model.facts.data, columns=columns)
    row_of = {str(name): row for row, name in enumerate(collection.table["id"])}
    missing = [name for name in ids if name not in row_of]
    if missing:
        raise InputError(
            f"the data of {run.folder} must be at hand to explain its test images, but {model.facts.data} has no image "
            f"{missing[0]}; restore it"
        )
    return model.read_pixels(collection.select(np.asarray([row_of[name] for name in ids])), progress=progress)
