"""The run that a second stage of training starts from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import pandas as pd
from torch import nn

from medtail.data import ImageCollection
from medtail.errors import InputError
from medtail.heads import HEADS, Head
from medtail.naming import listing
from medtail.recipes.schema import Recipe
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run

if TYPE_CHECKING:
    from medtail.training.inference import TrainedModel


@final
@dataclass(frozen=True)
class FirstStage:
    """A finished run whose network, and for some heads whose classifier, another training starts from."""

    run: Run
    model: "TrainedModel"

    @classmethod
    def of(cls, recipe: Recipe, collection: ImageCollection) -> "FirstStage | None":
        """Read the run that ``backbone.from_run`` names; None if it names none.

        Args:
            recipe: Of the second stage.
            collection: Its images, with their splits.

        Raises:
            InputError: The run is not finished, or is of other classes, or of another network; it was trained on images
                that the second stage would be judged on; or the recipe needs such a run and names none.
        """
        if recipe.backbone.from_run is None:
            _check_needs_none(recipe)
            return None
        # The trained model is built as methods are, which is where this class is used.
        from medtail.training.inference import TrainedModel

        run = Run.of(recipe.backbone.from_run)
        model = TrainedModel.load(run)
        _check_same_classes(run, model.facts, collection)
        _check_same_network(run, model.recipe, recipe)
        _check_not_trained_on(run, collection)
        return cls(run, model)

    def hand_over(self, backbone: nn.Module, head: Head) -> None:
        """Give the weights of the network to a new one, and those of the classifier to a head that keeps them.

        Raises:
            InputError: The run has another network, or the head keeps a classifier that the run has not.
        """
        first = self.model.method
        if head.keeps_classifier:
            classifier = first.class_centres
            if classifier is None or first.cosine_scale() is not None or first.conditional is not None:
                raise InputError(
                    f"this head keeps the classifier of its first stage, which must be linear, that of "
                    f"{self.run.folder} is not; train the first stage with head.name=linear and without λ"
                )
            head.start_from(classifier.detach().float().cpu())
        backbone.load_state_dict(first.take_out_backbone().state_dict())


def _check_needs_none(recipe: Recipe) -> None:
    if recipe.head.name != "auto" and HEADS[recipe.head.name].keeps_classifier:
        raise InputError(
            f"method {recipe.recipe.method} keeps the classifier of a finished run, got none; name it with "
            f"`backbone.from_run=RUN`"
        )
    if recipe.backbone.lora is not None and recipe.backbone.weights == "none":
        raise InputError(
            "backbone.lora adapts a trained network, got a new one; name a finished run with `backbone.from_run=RUN`, "
            "or take published weights with `backbone.weights=published`"
        )
    if recipe.backbone.cached_features and recipe.backbone.weights == "none":
        raise InputError(
            f"method {recipe.recipe.method} trains a head on the features of a trained network, got a new one; name a "
            f"finished run with `backbone.from_run=RUN`, or take published weights with `backbone.weights=published`"
        )


def _check_same_classes(run: Run, first: DatasetFacts, collection: ImageCollection) -> None:
    if list(collection.class_names) != first.class_names:
        raise InputError(
            f"both stages must be of the same classes, {run.folder} has {listing(first.class_names, most=20)}, "
            f"{collection.data} {listing(collection.class_names, most=20)}; take a run of these classes"
        )


def _check_same_network(run: Run, first: Recipe, second: Recipe) -> None:
    for name, one, other in (
        ("backbone.name", first.backbone.name, second.backbone.name),
        ("data.channels", first.data.channels, second.data.channels),
    ):
        if one != other:
            raise InputError(
                f"{name} must be that of {run.folder} ({one}), whose network is taken over, got {other}"
            )


def _check_not_trained_on(run: Run, collection: ImageCollection) -> None:
    """Refuse to judge images that the network has learned from."""
    table = pd.read_csv(run.require(run.splits), dtype=str, keep_default_na=False)
    learned = table["id"][table["split"] == "train"]
    judged = collection.table["id"][collection.table["split"] != "train"].astype(str)
    both = judged[np.isin(judged, learned)]
    if len(both):
        raise InputError(
            f"{len(both)} images of validation or test are training images of {run.folder}: {listing(both)}; split the "
            f"data as that run did, with the same data.split_seed and training.seed"
        )
