"""A finished run as a model that predicts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
import torch
from torch import Tensor, nn

from medtail.data import ImageCollection, Pixels, load_pixels
from medtail.data.decoded.image_shape import WorkingForm
from medtail.errors import InputError
from medtail.methods import Condition, Method
from medtail.naming import listing
from medtail.progress import Progress
from medtail.recipes.compose import load_recipe
from medtail.recipes.schema import Recipe
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import Run
from medtail.runs.stored_files import damaged
from medtail.training.batches.preparation import ImagePreparation, memory_format
from medtail.training.build import BuildContext, build_method
from medtail.training.checkpoint_reading import read_checkpoint
from medtail.training.devices import device, full_precision
from medtail.training.inference.typicality import Typicality, described
from medtail.training.optimization.low_rank import merge_low_rank

_METHOD_PREFIX = "method."


@final
@dataclass(frozen=True)
class TrainedModel:
    """A method with the weights of a run's best epoch, and the preparation that its images need.

    It computes in float32, whatever the precision of training.
    """

    method: Method
    preparation: ImagePreparation
    recipe: Recipe
    facts: DatasetFacts
    run: Run | None = None

    @classmethod
    def load(cls, run: Run, checkpoint: Literal["best", "last"] = "best") -> "TrainedModel":
        """Rebuild the model of a run from its recipe, its facts and a checkpoint.

        The checkpoint is read as tensors and plain values: nothing in it is executed.

        Args:
            run: A finished run.
            checkpoint: Of the epoch that was chosen, or of the last one.

        Raises:
            InputError: The run is not finished, or a file of it is damaged or of another run.
        """
        recipe = load_recipe(run.require(run.recipe))
        facts = DatasetFacts.load(run)
        method = build_method(BuildContext.of(recipe, facts, for_training=False))
        path = run.require({"best": run.best_checkpoint, "last": run.last_checkpoint}[checkpoint])
        weights = read_checkpoint(path, facts.identity)["state_dict"]
        if recipe.backbone.lora is not None:
            weights = merge_low_rank(weights, recipe.backbone.lora)
        try:
            method.load_state_dict(
                {
                    name.removeprefix(_METHOD_PREFIX): value
                    for name, value in weights.items()
                    if name.startswith(_METHOD_PREFIX)
                    and not name.removeprefix(_METHOD_PREFIX).startswith(method.training_only)
                }
            )
        except RuntimeError as error:
            first = str(error).splitlines()[1:2] or [str(error)]
            raise damaged(
                path, f"does not fit {run.recipe.name} and {run.dataset.name} ({first[0].strip()[:200]})"
            ) from error
        method.to(device(), memory_format=memory_format(facts.dimensions))  # type: ignore[call-overload]
        preparation = ImagePreparation.of(recipe, facts).to(device())
        return cls(method.eval(), preparation.eval(), recipe, facts, run)

    def check_needs_no_masks(self) -> None:
        """Refuse a model of images that were centred on masks, which new images come without.

        Raises:
            InputError: The recipe names a column of masks.
        """
        mask = self.recipe.data.columns.mask_column
        if mask is not None:
            whose = "the run" if self.run is None else self.run.folder
            raise InputError(
                f"{whose} was trained on images centred on the masks of column {mask}, and new images come without "
                f"masks; put both into a table and judge it with `evaluate(data=…)`"
            )

    def at(self, condition: Condition | None) -> "TrainedModel":
        """Return the model, which reads at λ from here on; None changes nothing.

        Raises:
            InputError: The method has no λ, or not this one.
        """
        if condition is None:
            return self
        conditional = self.method.conditional
        if conditional is None:
            raise InputError(
                f"a condition is for a model trained with `method=…_lct`, this one has no λ, got "
                f"{', '.join(condition)}; choose the operating point of this run with `adapt()`"
            )
        conditional.set_condition(condition)
        return self

    def seeing(self, view: nn.Module) -> "TrainedModel":
        """Return the model that is shown another view of each image; it shares the weights with this one."""
        return replace(self, preparation=self.preparation.then(view).eval())

    @property
    def form(self) -> WorkingForm:
        """Size and channels of the images that the network takes."""
        facts = self.facts
        return WorkingForm(facts.image_size, facts.channels, facts.dimensions, self.recipe.data.fit)

    def read_pixels(
        self,
        collection: ImageCollection,
        *,
        skip_unreadable: bool = False,
        max_pixels: int | None = None,
        progress: Progress | None = None,
    ) -> Pixels:
        """Decode other images in the way the training images were decoded, with the same limit or another.

        Raises:
            InputError: An image cannot be read, and ``skip_unreadable`` is false.
        """
        return load_pixels(
            collection.limited(max_pixels or self.recipe.data.max_pixels).windowed(self.recipe.data.window),
            image_size=self.form.image_size,
            channels=self.form.channels,
            dimensions=self.form.dimensions,
            fit=self.form.fit,
            skip_unreadable=skip_unreadable,
            progress=progress,
        )

    @torch.inference_mode()
    @full_precision()
    def features(self, pixels: Pixels, rows: np.ndarray, progress: Progress | None = None) -> Tensor:
        """Return the backbone's features ``(len(rows), D)``, float32 on the CPU; needs at least one row."""
        batch_size = self.recipe.training.batch_size
        parts = []
        for start in range(0, len(rows), batch_size):
            images = pixels.read(rows[start : start + batch_size]).to(device())
            parts.append(self.method.features(self.preparation(images)).float().cpu())
            if progress is not None:
                progress("predicting", min(start + batch_size, len(rows)), len(rows))
        return torch.cat(parts)

    def described(self, pixels: Pixels, rows: np.ndarray, features: Tensor) -> np.ndarray:
        """Return what the typicality of images is judged by ``(len(rows), E)``, from their features."""
        size = self.recipe.training.batch_size
        parts = [
            described(features[start : start + size], pixels.read(rows[start : start + size]).cpu())
            for start in range(0, len(rows), size)
        ]
        return np.concatenate(parts)

    def atypicality(self, pixels: Pixels, rows: np.ndarray, features: Tensor) -> np.ndarray | None:
        """Return how far images are from those of validation, as :class:`Typicality` says; None if nothing was kept."""
        typicality = None if self.run is None else Typicality.read(self.run)
        return None if typicality is None else typicality.atypicality(self.described(pixels, rows, features))

    @torch.inference_mode()
    @full_precision()
    def _after_features(self, compute: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
        """Apply ``compute`` to features in batches of the size they were made in; float32 on the CPU."""
        parts = [
            compute(part.to(device())).float().cpu()
            for part in torch.split(features, self.recipe.training.batch_size)
        ]
        return torch.cat(parts)

    def probabilities(self, pixels: Pixels, rows: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Return class or label probabilities ``(len(rows), C)`` in float64; needs at least one row."""
        names = [f"in row {row}" for row in rows]
        return self.feature_probabilities(self.features(pixels, rows, progress), names)

    def feature_probabilities(self, features: Tensor, ids: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return class or label probabilities ``(N, C)`` in float64, as :meth:`feature_log_probabilities`."""
        probabilities: np.ndarray = np.exp(self.feature_log_probabilities(features, ids))
        return probabilities

    @torch.inference_mode()
    @full_precision()
    def member_log_probabilities(self, features: Tensor) -> np.ndarray | None:
        """Return the logarithms of each member's probabilities ``(E, N, C)``; None if the method is no ensemble."""
        outputs = [
            self.method.member_outputs(part.to(device()))
            for part in torch.split(features, self.recipe.training.batch_size)
        ]
        members = [part for part in outputs if part is not None]
        if not members:
            return None
        joined = torch.cat(members, dim=1).float().cpu()
        tables = [self.facts.task.log_probabilities(self.method, member) for member in joined]
        logs: np.ndarray = torch.stack(tables).numpy()
        return logs

    def feature_log_probabilities(self, features: Tensor, ids: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return the logarithms of class or label probabilities ``(N, C)`` in float64.

        Args:
            features: The backbone's, of N images.
            ids: Names of the images, for the message.

        Raises:
            InputError: A probability is not finite: nothing can be decided from it.
        """
        outputs = self._after_features(self.method.predict_features, features)
        logs: np.ndarray = self.facts.task.log_probabilities(self.method, outputs).numpy()
        broken = np.flatnonzero(~np.isfinite(np.exp(logs)).all(axis=1))
        if len(broken):
            whose = "" if self.run is None else f" of {self.run.folder}"
            raise InputError(
                f"the model{whose} must give finite probabilities, but gives none for {len(broken)} of {len(logs)} "
                f"images ({listing((ids[int(row)] for row in broken), most=3)}); its weights are damaged or diverged: "
                f"restore its checkpoint from a copy or train the run again"
            )
        return logs

    def embeddings(self, features: Tensor) -> Tensor:
        """Return the input of the last layer ``(N, E)`` for the backbone's features ``(N, D)``."""
        return self._after_features(self.method.embed_features, features)

    def predictions(
        self, collection: ImageCollection, rows: np.ndarray, features: Tensor
    ) -> SavedPredictions:
        """Return predictions for rows of a collection from their features, labels mapped to the run's class ids."""
        logs = self.feature_log_probabilities(features, collection.table["id"].to_numpy()[rows])
        return self.facts.task.predictions(
            collection.table.iloc[rows], np.exp(logs), self.facts.class_names, logs
        )

    def predict(
        self, collection: ImageCollection, pixels: Pixels, rows: np.ndarray, progress: Progress | None = None
    ) -> SavedPredictions:
        """Return predictions for rows of a collection, labels mapped to the run's class ids."""
        return self.predictions(collection, rows, self.features(pixels, rows, progress))
