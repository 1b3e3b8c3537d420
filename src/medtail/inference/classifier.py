"""One or more trained models that predict images together."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pandas as pd

from medtail.data import ImageCollection, Pixels
from medtail.data.decoded.pixels import NoReadableImageError
from medtail.data.decoded.reading import UnreadableImage
from medtail.errors import InputError
from medtail.inference.combination import MEAN_PROBABILITY, Combination, disagreement
from medtail.inference.members import check_chosen_for, combination_facts, combined_words
from medtail.inference.new_images import image_files, images_in_memory
from medtail.inference.views import ONE_VIEW, Views, view_names
from medtail.operating_point import OperatingPoint
from medtail.progress import Progress
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.training.inference.trained_model import TrainedModel

if TYPE_CHECKING:
    from PIL import Image

    from medtail.training.explanation.explained_images import ExplainedImages

#: Images that are decoded, predicted and written together: memory does not grow with their number.
_PART = 512


@final
@dataclass(frozen=True)
class Opinions:
    """What members say of views of N images.

    Attributes:
        log_probabilities: Of E members and views, the views of a member one after the other ``(E, N, C)``.
        atypicality: How far each image is from those of validation, mean over members ``(N,)``; None where the runs
            kept nothing to tell.
    """

    log_probabilities: np.ndarray
    atypicality: np.ndarray | None


@final
@dataclass(frozen=True)
class Classifier:
    """Trained models that predict together; one model alone is the usual case.

    Each member decodes images to its own size and normalises them in its own way, and is shown every view.

    Attributes:
        members: The models of finished runs, at least one, of the same classes and channels.
        operating_point: What decides; None for the most probable class, and for several labels per image.
        combination: How the predictions of several members and views become one.
        views: What each member is shown of an image; the first is the image as it is.
    """

    members: tuple[TrainedModel, ...]
    operating_point: OperatingPoint | None = None
    combination: Combination = MEAN_PROBABILITY
    views: Views = ONE_VIEW

    @property
    def facts(self) -> DatasetFacts:
        """The facts of the first member; classes, channels and dimensions are those of all."""
        return self.members[0].facts

    @property
    def class_names(self) -> tuple[str, ...]:
        """C names in class-id order."""
        return tuple(self.facts.class_names)

    @property
    def runs(self) -> list[Run]:
        """The runs of the members."""
        return [model.run for model in self.members if model.run is not None]

    @property
    def combined(self) -> dict[str, Any] | None:
        """What tells the combined probabilities from others, in plain values; None for one model and one view."""
        if len(self.members) * len(self.views) == 1:
            return None
        return combination_facts(self.runs, self.combination, view_names(self.views))

    @property
    def identity(self) -> dict[str, Any]:
        """What tells this classifier from others, in plain values."""
        return {
            "runs": [str(run.folder.resolve()) for run in self.runs],
            "members": [model.facts.identity for model in self.members],
            "combined": self.combined,
            "point": repr(self.operating_point),
        }

    @property
    def words(self) -> str | None:
        """What was combined, in a sentence; None for one model and one view."""
        if self.combined is None:
            return None
        return combined_words(self.runs, self.combination, len(self.views))

    def deciding_by(self, operating_point: OperatingPoint | None) -> "Classifier":
        """Return the same models under another operating point, or under none.

        Raises:
            InputError: It was chosen for other probabilities: for those of one run, or of other runs together.
        """
        if operating_point is not None:
            check_chosen_for(operating_point, self.combined)
        return replace(self, operating_point=operating_point)

    def predict(self, images: "Sequence[np.ndarray | Image.Image] | np.ndarray") -> pd.DataFrame:
        """Predict images in memory.

        Args:
            images: uint8 arrays ``(H, W)`` or ``(H, W, channels)``, for volumes ``(D, H, W)`` or
                ``(D, H, W, channels)``, of any sizes; or pictures that Pillow opened. Sizes and channels are brought to
                those of training.

        Returns:
            As :meth:`predict_files`; ``image`` holds positions, ``"0"``, ``"1"``, ….

        Raises:
            InputError: There is no image, one has another type or shape, or the probabilities are not finite.
        """
        return pd.concat(list(self.in_parts(images_in_memory(self.facts, images))), ignore_index=True)

    def predict_files(
        self,
        paths: Sequence[str | Path],
        *,
        skip_unreadable: bool = False,
        max_pixels: int | None = None,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """Predict image files, and every image in folders.

        Args:
            paths: Files and folders. For a model of volumes, a folder of DICOM slices is one image. For a model of
                several sequences per case, folders and tables of cases.
            skip_unreadable: Leave unreadable images out instead of refusing them.
            max_pixels: Refuse larger images; the limit of the training if None.
            progress: Told about predicting.

        Returns:
            One row per image, in the order given: ``image``, ``decision`` (a class) or, for several labels per image,
            ``decision_<class>`` (0 or 1), and ``probability_<class>`` columns. At an operating point the decision and
            the probabilities are those of the operating point, and ``set`` holds its sets of classes, joined by ``|``,
            if it has any. ``mutual_information`` and ``standard_deviation_<class>``, where there are several members or
            views, say how far these differ (:func:`medtail.inference.combination.disagreement`). ``atypicality``,
            where the runs kept what it needs, is the share of validation images that are more typical than this one,
            mean over members: from 0.95 on, the image may be of another kind than the model was made for, whatever the
            probabilities.

        Raises:
            InputError: A path is missing, a folder holds no image, an image cannot be read, or the probabilities are
                not finite.
        """
        images = image_files(self.facts, [Path(path) for path in paths])
        parts = self.in_parts(
            images, skip_unreadable=skip_unreadable, max_pixels=max_pixels, progress=progress
        )
        return pd.concat(list(parts), ignore_index=True)

    def in_parts(
        self,
        images: ImageCollection,
        *,
        done: Container[str] = (),
        skip_unreadable: bool = False,
        max_pixels: int | None = None,
        unreadable: list[str] | None = None,
        explained: "ExplainedImages | None" = None,
        progress: Progress | None = None,
    ) -> Iterator[pd.DataFrame]:
        """Yield what :meth:`predict_files` returns, in parts.

        Args:
            images: As :mod:`medtail.inference.new_images` finds them.
            done: Names of images to leave out because they are predicted already.
            skip_unreadable: As there.
            max_pixels: As there.
            unreadable: Gets the name of each image that is left out, with the reason.
            explained: Gets each part before it is yielded, and writes pictures of what the decisions rest on.
            progress: As there.

        Raises:
            InputError: As there, of the images of a part: those of the parts before were predicted. Or pictures are
                asked for of several members or views.
        """
        for model in self.members:
            model.check_needs_no_masks()
        if explained is not None:
            if len(self.members) * len(self.views) > 1:
                raise InputError(
                    "`explain` shows what one network saw, got several runs or views; explain one run without "
                    "`test_time_augmentation`"
                )
            explained.name_pictures(images.table["id"].tolist())
        images = images.select(np.flatnonzero([name not in done for name in images.table["id"]]))
        refused: list[UnreadableImage] = []
        for start in range(0, len(images), _PART):
            part = images.select(np.arange(start, min(start + _PART, len(images))))
            try:
                pixels = self.decoded(part, skip_unreadable=skip_unreadable, max_pixels=max_pixels)
            except NoReadableImageError as error:
                if len(refused) + len(error.unreadable) == len(images):
                    raise
                refused += error.unreadable
            else:
                rows = readable_by_all(pixels)
                refused += {image.row: image for own in pixels for image in own.unreadable}.values()
                if len(rows):
                    table = self._predicted(part, pixels, rows)
                    if explained is not None:
                        explained.write(self.members[0], pixels[0], table)
                    yield table
            if progress is not None:
                progress("predicting", min(start + _PART, len(images)), len(images))
        if unreadable is not None:
            unreadable += [f"{image.id} {image.reason}" for image in refused]

    def decoded(
        self,
        images: ImageCollection,
        *,
        skip_unreadable: bool = False,
        max_pixels: int | None = None,
        progress: Progress | None = None,
    ) -> list[Pixels]:
        """Return the images as each member takes them; members that take them alike share them.

        Raises:
            InputError: An image cannot be read, and ``skip_unreadable`` is false; or none can be read.
        """
        pixels: dict[tuple[Any, ...], Pixels] = {}
        keys = [
            (model.form, repr(model.recipe.data.window), model.recipe.data.max_pixels)
            for model in self.members
        ]
        for key, model in zip(keys, self.members, strict=True):
            if key not in pixels:
                pixels[key] = model.read_pixels(
                    images, max_pixels=max_pixels, skip_unreadable=skip_unreadable, progress=progress
                )
        return [pixels[key] for key in keys]

    def opinions(self, ids: np.ndarray, pixels: Sequence[Pixels], rows: np.ndarray) -> "Opinions":
        """Return what each member says of each view of some images.

        Args:
            ids: Names of these images ``(N,)``, for messages.
            pixels: Of the images for each member, as :meth:`decoded` returns them.
            rows: Which of them ``(N,)``, at least one.

        Raises:
            InputError: A probability is not finite.
        """
        logs, atypicality = [], []
        for model, own in zip(self.members, pixels, strict=True):
            model = self._at_condition(model)
            features = [model.seeing(view).features(own, rows) for view in self.views]
            logs += [model.feature_log_probabilities(seen, ids) for seen in features]
            atypicality.append(model.atypicality(own, rows, features[0]))
        known = [values for values in atypicality if values is not None]
        return Opinions(np.stack(logs), np.mean(known, axis=0) if known else None)

    def _predicted(self, images: ImageCollection, pixels: Sequence[Pixels], rows: np.ndarray) -> pd.DataFrame:
        names, task = self.class_names, self.facts.task
        ids = images.table["id"].to_numpy()[rows]
        opinions = self.opinions(ids, pixels, rows)
        logs, atypicality = opinions.log_probabilities, opinions.atypicality
        probabilities = np.exp(self.combination.combine(logs, task))
        point = self.operating_point
        if point is None:
            decisions = task.decisions(probabilities, names)
        else:
            decisions = _decisions(point, probabilities)
            probabilities = point.apply(probabilities)
        return pd.concat(
            [
                pd.DataFrame({"image": ids}),
                decisions,
                pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in names]),
                *([disagreement(logs, task, names)] if len(logs) > 1 else []),
                *([] if atypicality is None else [pd.DataFrame({"atypicality": atypicality})]),
            ],
            axis=1,
        )

    def _at_condition(self, model: TrainedModel) -> TrainedModel:
        """The model at λ of the operating point, or at its own."""
        point = self.operating_point
        chosen = None if point is None else point.condition
        return model.at(model.recipe.method.condition if chosen is None else chosen)


def readable_by_all(pixels: Sequence[Pixels]) -> np.ndarray:
    """Return the rows of the images that every member can read: where one crops, it refuses smaller ones."""
    rows = pixels[0].readable_rows
    for own in pixels[1:]:
        rows = np.intersect1d(rows, own.readable_rows)
    return rows


def _decisions(point: OperatingPoint, probabilities: np.ndarray) -> pd.DataFrame:
    """The class, and the set if there is one, as columns."""
    table = pd.DataFrame({"decision": np.asarray(point.class_names)[point.decide(probabilities)]})
    return table if point.set_rule is None else table.assign(set=point.set_names(probabilities))
