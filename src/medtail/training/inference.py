"""From a finished run to predictions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from medtail.data import ImageCollection, Pixels
from medtail.evaluation.label_predictions import AnyPredictions
from medtail.methods import Method
from medtail.run import Run
from medtail.training.build import build_method
from medtail.training.callbacks import read_checkpoint
from medtail.training.devices import autocast, choose_precision, device
from medtail.training.module import ImagePreparation
from medtail.training.prepare import DatasetFacts, Progress
from medtail.training.recipe import Recipe, load_recipe

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
        method = build_method(recipe, facts.training_counts, pretrained=False)
        weights = read_checkpoint(run.require(run.best_checkpoint))["state_dict"]
        method.load_state_dict(
            {
                name.removeprefix(_METHOD_PREFIX): value
                for name, value in weights.items()
                if name.startswith(_METHOD_PREFIX)
            }
        )
        method.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
        preparation = ImagePreparation.of(recipe, facts).to(device())
        return cls(method.eval(), preparation.eval(), recipe, facts)

    @torch.inference_mode()
    def _batches(
        self,
        compute: Callable[[Tensor], Tensor],
        pixels: Pixels,
        rows: np.ndarray,
        progress: Progress | None = None,
    ) -> Tensor:
        """Apply ``compute`` to prepared images, batch by batch, at the precision of training; float32 on the CPU."""
        precision = self.recipe.training.precision
        precision = choose_precision() if precision == "auto" else precision
        batch_size = self.recipe.training.batch_size
        parts = []
        for start in range(0, len(rows), batch_size):
            images = pixels.read(rows[start : start + batch_size]).to(device())
            with autocast(precision):
                parts.append(compute(self.preparation(images)).float().cpu())
            if progress is not None:
                progress("predicting", min(start + batch_size, len(rows)), len(rows))
        return torch.cat(parts)

    def probabilities(self, pixels: Pixels, rows: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Class or label probabilities ``(len(rows), C)`` in float64; at least one row."""
        outputs = self._batches(self.method.predict, pixels, rows, progress).to(device())
        read = self.facts.labelling.probabilities(self.method, outputs)
        probabilities: np.ndarray = read.double().cpu().numpy()
        return probabilities

    def embeddings(self, pixels: Pixels, rows: np.ndarray) -> Tensor:
        """What the last layer is given ``(len(rows), E)``; at least one row."""
        return self._batches(self.method.embed, pixels, rows)

    def predict(
        self, collection: ImageCollection, pixels: Pixels, rows: np.ndarray, progress: Progress | None = None
    ) -> AnyPredictions:
        """Predictions for the given rows of a collection, its labels mapped to the run's class ids."""
        probabilities = self.probabilities(pixels, rows, progress)
        return self.facts.labelling.predictions(
            collection.table.iloc[rows], probabilities, self.facts.class_names
        )
