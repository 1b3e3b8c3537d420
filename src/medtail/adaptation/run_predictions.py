"""The predictions of a finished run for its own images, at any λ it can be read at."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

from medtail.errors import InputError
from medtail.recipes.compose import load_recipe
from medtail.recipes.recorded_prior import saved_score_prior
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import Predictions
from medtail.runs.run import EvaluatedSplit, Run
from medtail.runs.settings import RunSettings

# What loads torch and Lightning is imported where it is used: nothing else in this package needs them.
if TYPE_CHECKING:
    from medtail.training.inference import TrainedModel


def require_validation(run: Run) -> None:
    """Refuse a run that kept no images for validation.

    Raises:
        InputError: It kept none.
    """
    if not DatasetFacts.load(run).has_validation:
        raise InputError(
            f"{run.folder} has no validation split to choose an operating point on, because it was trained with "
            f"data.validation={RunSettings.load(run).validation}; train it with `data.validation=drawn`"
        )


class Adaptable(ABC):
    """Predictions that an operating point is chosen for; abstract.

    Attributes:
        name: What the operating point says it is of.
        class_names: C names in class-id order.
        positive: Id of the positive class of two; without meaning for more classes.
        has_validation: Whether there are images to choose on.
        condition: λ of the saved predictions; None where there is none.
    """

    class_names: tuple[str, ...]

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    @abstractmethod
    def positive(self) -> int: ...

    @property
    @abstractmethod
    def has_validation(self) -> bool: ...

    @property
    @abstractmethod
    def condition(self) -> dict[str, float] | None: ...

    @abstractmethod
    def predictions(self, split: EvaluatedSplit, condition: Mapping[str, float] | None = None) -> Predictions:
        """Return the predictions of a split at λ, or as they were saved where it is None."""

    @abstractmethod
    def score_prior(self, condition: Mapping[str, float] | None = None) -> np.ndarray:
        """Return the prior ``(C,)`` that the probabilities at λ stand for."""


@final
class RunPredictions(Adaptable):
    """Predictions of a run and the prior they stand for; the network is loaded only for a λ that was not saved.

    Args:
        run: A finished run.

    Raises:
        InputError: It is not finished, or it is multi-label.
    """

    def __init__(self, run: Run) -> None:
        run.require(run.summary)
        self.run = run
        self.recipe = load_recipe(run.require(run.recipe))
        self.facts = DatasetFacts.load(run)
        self.class_names = tuple(self.facts.class_names)
        if self.facts.multi_label:
            raise InputError(
                f"an operating point is for single-label runs, {run.folder} is multi-label; decide each label by its "
                f"probability"
            )

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.run.folder.resolve().name

    @property
    def has_validation(self) -> bool:
        """Whether the run kept images for validation."""
        return self.facts.has_validation

    @property
    def condition(self) -> dict[str, float] | None:
        """λ of the saved predictions; None where the method has none."""
        return self.recipe.method.condition

    @property
    def positive(self) -> int:
        """Id of the positive class of two; without meaning for more classes."""
        return self.facts.positive_id

    def predictions(self, split: EvaluatedSplit, condition: Mapping[str, float] | None = None) -> Predictions:
        """Return the predictions of a split at λ, or as they were saved where it is None.

        Raises:
            InputError: A file is missing, the run has no such λ, or it was trained without validation.
        """
        if split == "validation":
            require_validation(self.run)
        if condition is None or condition == self.condition:
            return Predictions.read(self.run.require(self.run.predictions(split)))
        import torch

        from medtail.training.inference.condition_sweep import BackboneFeatures

        features = BackboneFeatures.read(self.run, split)
        model = self._model.at(condition)
        logs = model.feature_log_probabilities(torch.from_numpy(features.features), features.ids)
        return Predictions(
            features.ids, features.targets, np.exp(logs), self.class_names, features.groups, logs
        )

    @cached_property
    def _model(self) -> "TrainedModel":
        from medtail.training.inference import TrainedModel

        return TrainedModel.load(self.run)

    def score_prior(self, condition: Mapping[str, float] | None = None) -> np.ndarray:
        """Return the prior ``(C,)`` that the probabilities at λ stand for.

        It follows from the loss and from the class shares that the last epoch drew.
        """
        if condition is None or condition == self.condition:
            return saved_score_prior(self.run, self.facts)
        from medtail.recipes.score_prior import score_prior

        return score_prior(self.recipe, self.facts, condition)
