"""A trained model with its operating point, from decoded images to answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import torch

from medtail.data import ImageFiles, Pixels
from medtail.data.decoded.stores import Resident
from medtail.data.formats.grey_windows import grey_window
from medtail.errors import InputError
from medtail.operating_point import MostProbable, OperatingPoint
from medtail.runs.label_predictions import THRESHOLD
from medtail.runs.run import Run
from medtail.training.inference import TrainedModel


@final
@dataclass(frozen=True)
class Predictor:
    """What a server answers from.

    Attributes:
        model: At λ of the operating point, if it has one.
        point: What decides; None for several labels per image.
        max_pixels: Of one image; None takes the usual limit.
    """

    model: TrainedModel
    point: OperatingPoint | None
    max_pixels: int | None

    @classmethod
    def load(cls, run: Run, max_pixels: int | None = None) -> Self:
        """Read a run.

        Raises:
            InputError: It is not finished, its images were centred on masks, or its cases consist of several sequences.
        """
        model = TrainedModel.load(run)
        model.check_needs_no_masks()
        names = tuple(model.facts.class_names)
        if model.facts.sequences is not None:
            raise InputError(
                f"run must take one file per image, {run.folder} takes cases of the sequences "
                f"{', '.join(model.facts.sequences)}; predict them with `predict()`"
            )
        point = None
        if not model.facts.multi_label:
            chosen = run.operating_point.is_file()
            point = OperatingPoint.of(run) if chosen else OperatingPoint(names, MostProbable())
            model = model.at(point.condition)
        return cls(model, point, max_pixels or model.recipe.data.max_pixels)

    @property
    def volumes(self) -> bool:
        """Whether it takes volumes."""
        return self.model.facts.dimensions == 3

    def decode(self, path: Path, name: str) -> np.ndarray:
        """Return an image as the network takes it, uint8 ``(channels, *spatial)``.

        Args:
            path: A file, or a folder of DICOM slices.
            name: What messages call it.

        Raises:
            UnreadableImageError: It cannot be read, or is too large.
        """
        form = self.model.form
        source = ImageFiles([path], self.max_pixels, grey_window(self.model.recipe.data.window))
        return np.ascontiguousarray(form.convert(source.read(0, at_least=form.at_least), name))

    def answers(self, images: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        """Return the answer for each of at least one decoded image: probabilities, the decision and sets if any."""
        rows = np.arange(len(images))
        pixels = Pixels(self.model.form, Resident(torch.from_numpy(np.stack(images))), rows)
        probabilities = self.model.probabilities(pixels, rows)
        names = self.model.facts.class_names
        if self.point is None:
            decisions: list[Any] = [_members(names, row >= THRESHOLD) for row in probabilities]
            sets: list[dict[str, Any]] = [{} for _ in rows]
        else:
            decisions = [names[index] for index in self.point.decide(probabilities)]
            sets = self._sets(probabilities)
            probabilities = self.point.apply(probabilities)
        return [
            {
                "decision": decision,
                "probabilities": {name: float(value) for name, value in zip(names, row, strict=True)},
                **members,
            }
            for decision, row, members in zip(decisions, probabilities, sets, strict=True)
        ]

    def _sets(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        """The set of each image under ``set``; nothing where no coverage was asked for."""
        if self.point is None or self.point.set_rule is None:
            return [{} for _ in probabilities]
        names = self.model.facts.class_names
        return [{"set": _members(names, row)} for row in self.point.sets(probabilities)]


def _members(names: Sequence[str], is_member: np.ndarray) -> list[str]:
    return [name for name, member in zip(names, is_member, strict=True) if member]
