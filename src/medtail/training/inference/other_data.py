"""A trained model on labelled data that it was not trained on."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from torch import Tensor

from medtail.data import BY_NAME, ImageCollection, TableColumns, open_collection, positive_versus_rest
from medtail.data.splitting.classes import choose_classes_present
from medtail.errors import InputError
from medtail.methods import Condition
from medtail.progress import Progress
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import EvaluatedSplit, Run
from medtail.runs.settings import RunSettings
from medtail.training.inference.trained_model import TrainedModel


@final
@dataclass(frozen=True)
class BackbonePass:
    """A trained model and the features its backbone gave for some rows of a collection.

    Attributes:
        model: The model.
        collection: The images.
        rows: Those that could be read.
        features: Of these rows ``(N, D)``.
        split: The split that was taken; None for data without splits, which is taken whole.
        atypicality: How far each image is from those of validation ``(N,)``; None where the run kept nothing to tell.
    """

    model: TrainedModel
    collection: ImageCollection
    rows: np.ndarray
    features: Tensor
    split: EvaluatedSplit | None
    atypicality: np.ndarray | None

    def predictions(self, condition: Condition | None = None) -> SavedPredictions:
        """Return predictions at λ; None means the λ used last, at first the default.

        Raises:
            InputError: The method has no such λ.
        """
        return self.model.at(condition).predictions(self.collection, self.rows, self.features)


def pass_other_data(
    run: Run,
    data: str,
    split: EvaluatedSplit,
    *,
    columns: TableColumns = BY_NAME,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> BackbonePass:
    """Pass one split of other data through the backbone, or all of it if it comes without splits.

    Args:
        run: A finished run.
        data: As :func:`medtail.data.open_collection` takes it.
        split: The split to take.
        columns: Columns of the data that their names do not tell.
        skip_unreadable: Leave unreadable images out instead of refusing them.
        progress: Told about decoding and predicting.

    Raises:
        InputError: The labels or the sequences are not those of the run, an image cannot be read, or the split is
            empty.
    """
    collection, given = open_other_data(run, data, split, columns=columns)
    model = TrainedModel.load(run)
    pixels = model.read_pixels(collection, skip_unreadable=skip_unreadable, progress=progress)
    rows = pixels.readable_rows
    features = model.features(pixels, rows, progress)
    return BackbonePass(
        model,
        collection,
        rows,
        features,
        given,
        model.atypicality(pixels, rows, features),
    )


def open_other_data(
    run: Run, data: str, split: EvaluatedSplit, *, columns: TableColumns = BY_NAME
) -> tuple[ImageCollection, EvaluatedSplit | None]:
    """Open one split of other data, with the classes of a run, or all of it if it comes without splits.

    Args:
        run: A finished run.
        data: As :func:`medtail.data.open_collection` takes it.
        split: The split to take.
        columns: Columns of the data that their names do not tell.

    Returns:
        The images, and the split that was taken; None for data without splits.

    Raises:
        InputError: The labels or the sequences are not those of the run, or the split is empty.
    """
    facts = DatasetFacts.load(run)
    settings = RunSettings.load(run)
    if columns.mask_column is None:
        # The network has only seen images that are centred on their masks, if any.
        columns = replace(columns, mask_column=settings.get("data.columns.mask_column"))
    collection = choose_classes_present(
        open_collection(data, columns=columns), settings.get("data.classes"), settings.get("data.merge")
    )
    if facts.positive is not None:
        collection = positive_versus_rest(collection, facts.positive, facts.negative)
    facts.task.check_classes(collection, facts.class_names)
    found = collection.source.channel_names
    if facts.sequences is not None and found and list(found) != facts.sequences:
        raise InputError(
            f"sequences of {data} must be {', '.join(facts.sequences)}, in this order as in training, got "
            f"{', '.join(found)}; order the columns of its table"
        )
    given = "split" in collection.table
    if given:
        collection = collection.select(collection.rows(split))
    if not len(collection.table):
        raise InputError(
            f"split {split} of {data} must hold at least one image, but is empty; choose another with `split`"
        )
    return collection, split if given else None
