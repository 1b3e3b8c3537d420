"""A trained model on data it was not trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor

from medtail.data import ImageCollection, load_pixels, open_collection, positive_versus_rest
from medtail.errors import InputError
from medtail.progress import Progress
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import EvaluatedSplit, Run
from medtail.training.inference import TrainedModel


@final
@dataclass(frozen=True)
class BackbonePass:
    """A trained model and what its backbone gave for some rows of a collection."""

    model: TrainedModel
    collection: ImageCollection
    rows: np.ndarray
    features: Tensor

    def predictions(self, condition: Mapping[str, float] | None = None) -> SavedPredictions:
        """Return predictions, at λ where the method has one; at the λ read last, at first the default, for None.

        Raises:
            InputError: The method has no such λ.
        """
        return self.model.at(condition).predictions(self.collection, self.rows, self.features)


def pass_other_data(
    run: Run,
    data: str,
    split: EvaluatedSplit,
    *,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> BackbonePass:
    """Pass one split of other data through the backbone, or all of it when it brings no splits.

    Raises:
        InputError: The labels are not those of the run, an image cannot be read, or the split is empty.
    """
    facts = DatasetFacts.load(run)
    collection = open_collection(data)
    if facts.positive is not None:
        collection = positive_versus_rest(collection, facts.positive)
    facts.task.check_classes(collection, facts.class_names)
    model = TrainedModel.load(run)
    if "split" in collection.table:
        collection = collection.select(collection.rows(split))
    if not len(collection.table):
        raise InputError(f"split {split} of {data} must hold an image, is empty; choose another with --split")
    pixels = load_pixels(
        collection.limited(model.recipe.data.max_pixels),
        image_size=model.facts.image_size,
        channels=model.facts.channels,
        dimensions=model.facts.dimensions,
        fit=model.recipe.data.fit,
        skip_unreadable=skip_unreadable,
        progress=progress,
    )
    rows = pixels.readable_rows
    return BackbonePass(model, collection, rows, model.features(pixels, rows, progress))
