"""From a finished run to predictions."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from medtail.data import ImageCollection, Pixels
from medtail.errors import InputError
from medtail.methods import LossConditional, Method
from medtail.progress import Progress
from medtail.recipes.compose import load_recipe
from medtail.recipes.schema import Recipe
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import Run
from medtail.training.build import build_method
from medtail.training.callbacks import read_checkpoint
from medtail.training.devices import autocast, choose_precision, device
from medtail.training.module import ImagePreparation, memory_format

_METHOD_PREFIX = "method."


@final
@dataclass(frozen=True)
class TrainedModel:
    """A method with the weights of a run's best epoch, and what its images must be made into."""

    method: Method
    preparation: ImagePreparation
    recipe: Recipe
    facts: DatasetFacts

    @classmethod
    def load(cls, run: Run) -> "TrainedModel":
        """Rebuild the model of a run from its recipe, its facts and its best checkpoint.

        The checkpoint is read as tensors and plain values: nothing in it is executed.

        Raises:
            InputError: The run is not finished.
        """
        recipe = load_recipe(run.require(run.recipe))
        facts = DatasetFacts.load(run)
        method = build_method(recipe, facts.training_counts, dimensions=facts.dimensions, pretrained=False)
        weights = read_checkpoint(run.require(run.best_checkpoint))["state_dict"]
        method.load_state_dict(
            {
                name.removeprefix(_METHOD_PREFIX): value
                for name, value in weights.items()
                if name.startswith(_METHOD_PREFIX)
            }
        )
        method.to(device(), memory_format=memory_format(facts.dimensions))  # type: ignore[call-overload]
        preparation = ImagePreparation.of(recipe, facts).to(device())
        return cls(method.eval(), preparation.eval(), recipe, facts)

    def at(self, condition: Mapping[str, float] | None) -> "TrainedModel":
        """Return the model reading at λ from here on; unchanged for None.

        Raises:
            InputError: The method has no λ, or not this one.
        """
        if condition is None:
            return self
        if not isinstance(self.method, LossConditional):
            raise InputError(
                f"a condition is for a model trained with --method …_lct, this one has no λ, got "
                f"{', '.join(condition)}; choose the operating point of this run with medtail adapt"
            )
        self.method.set_condition(condition)
        return self

    def autocast(self) -> AbstractContextManager[Any]:
        """The precision of training, as a context."""
        precision = self.recipe.training.precision
        return autocast(choose_precision() if precision == "auto" else precision)

    @torch.inference_mode()
    def features(self, pixels: Pixels, rows: np.ndarray, progress: Progress | None = None) -> Tensor:
        """The backbone's features ``(len(rows), D)``, float32 on the CPU; at least one row."""
        batch_size = self.recipe.training.batch_size
        parts = []
        for start in range(0, len(rows), batch_size):
            images = pixels.read(rows[start : start + batch_size]).to(device())
            with self.autocast():
                parts.append(self.method.features(self.preparation(images)).float().cpu())
            if progress is not None:
                progress("predicting", min(start + batch_size, len(rows)), len(rows))
        return torch.cat(parts)

    @torch.inference_mode()
    def _after_features(self, compute: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
        """Apply ``compute`` to features, batch by batch as they were made; float32 on the CPU."""
        with self.autocast():
            parts = [
                compute(part.to(device())).float().cpu()
                for part in torch.split(features, self.recipe.training.batch_size)
            ]
        return torch.cat(parts)

    def probabilities(self, pixels: Pixels, rows: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Class or label probabilities ``(len(rows), C)`` in float64; at least one row."""
        return self.feature_probabilities(self.features(pixels, rows, progress))

    def feature_probabilities(self, features: Tensor) -> np.ndarray:
        """Class or label probabilities ``(N, C)`` in float64 from the backbone's features ``(N, D)``."""
        outputs = self._after_features(self.method.predict_features, features).to(device())
        read = self.facts.task.probabilities(self.method, outputs)
        probabilities: np.ndarray = read.double().cpu().numpy()
        return probabilities

    def embeddings(self, features: Tensor) -> Tensor:
        """What the last layer is given ``(N, E)`` for the backbone's features ``(N, D)``."""
        return self._after_features(self.method.embed_features, features)

    def predictions(
        self, collection: ImageCollection, rows: np.ndarray, features: Tensor
    ) -> SavedPredictions:
        """Predictions for rows of a collection from their backbone features, labels mapped to the run's class ids."""
        return self.facts.task.predictions(
            collection.table.iloc[rows], self.feature_probabilities(features), self.facts.class_names
        )

    def predict(
        self, collection: ImageCollection, pixels: Pixels, rows: np.ndarray, progress: Progress | None = None
    ) -> SavedPredictions:
        """Predictions for the given rows of a collection, its labels mapped to the run's class ids."""
        return self.predictions(collection, rows, self.features(pixels, rows, progress))
