"""A trained model on new images, which have no labels."""

from collections.abc import Container, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import pandas as pd

from medtail.data import ImageCollection, ImageFiles, ImageSource, Pixels, image_paths
from medtail.data.decoded.pixels import NoReadableImageError
from medtail.data.decoded.reading import UnreadableImage
from medtail.errors import InputError
from medtail.files import from_cell, with_cells
from medtail.naming import listing
from medtail.operating_point import OperatingPoint
from medtail.progress import Progress
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.runs.settings import RunSettings
from medtail.runs.stored_files import damaged, digest_of
from medtail.training.inference.cases import find_cases
from medtail.training.inference.trained_model import TrainedModel

if TYPE_CHECKING:
    from medtail.training.explanation.explained_images import ExplainedImages


def predictions_csv(table: pd.DataFrame, *, header: bool = True) -> str:
    """Return predictions as CSV: six digits, and no name that a spreadsheet would run."""
    return with_cells(table).to_csv(index=False, header=header, float_format="%.6f", lineterminator="\n")


#: Images that are decoded, predicted and written together: memory does not grow with their number.
_PART = 512


def predict_images(
    run: Run,
    paths: Sequence[Path],
    *,
    operating_point: OperatingPoint | None = None,
    skip_unreadable: bool = False,
    max_pixels: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Predict image files, and every image in folders.

    Args:
        run: A finished run.
        paths: Files and folders. For a model of volumes, a folder of DICOM slices is one image. For a model of several
            sequences per case, folders and tables of cases
            (:func:`medtail.training.inference.cases.find_cases`).
        operating_point: Decides in place of the highest probability.
        skip_unreadable: Leave unreadable images out instead of refusing them.
        max_pixels: Refuse larger images; the limit of the training if None.
        progress: Told about decoding and predicting.

    Returns:
        One row per image, in the order given: ``image``, ``decision`` (the class with the highest probability) or,
        for several labels per image, ``decision_<class>`` (0 or 1), and ``probability_<class>`` columns. At an
        operating point the decision and the probabilities are those of the operating point, and ``set`` holds its
        sets of classes, joined by ``|``, if it has any. ``atypicality``, where the run kept what it needs, is the share
        of validation images that are more typical than this one: from 0.95 on, the image may be of another kind than
        the model was made for, whatever the probabilities.

    Raises:
        InputError: A path is missing, a folder holds no image, an image cannot be read, or the model's probabilities
            are not finite.
    """
    parts = predict_in_parts(
        run,
        paths,
        operating_point=operating_point,
        skip_unreadable=skip_unreadable,
        max_pixels=max_pixels,
        progress=progress,
    )
    return pd.concat(list(parts), ignore_index=True)


def predict_in_parts(
    run: Run,
    paths: Sequence[Path],
    *,
    done: Container[str] = (),
    operating_point: OperatingPoint | None = None,
    skip_unreadable: bool = False,
    max_pixels: int | None = None,
    unreadable: list[str] | None = None,
    explained: "ExplainedImages | None" = None,
    progress: Progress | None = None,
) -> Iterator[pd.DataFrame]:
    """Yield what :func:`predict_images` returns, in parts.

    Args:
        run: As there.
        paths: As there.
        done: Names of images to leave out because they are predicted already.
        operating_point: As there.
        skip_unreadable: As there.
        max_pixels: As there.
        unreadable: Gets the name of each image that is left out, with the reason.
        explained: Gets each part before it is yielded, and writes pictures of what the decisions rest on.
        progress: As there.

    Raises:
        InputError: As there, of the images of a part: those of the parts before were predicted.
    """
    facts = DatasetFacts.load(run)
    mask = RunSettings.load(run).get("data.columns.mask_column")
    if mask is not None:
        raise InputError(
            f"{run.folder} was trained on images centred on the masks of column {mask}, and new images come without "
            f"masks; put both into a table and judge it with `evaluate(data=…)`"
        )
    images = _new_images(facts, paths)
    if explained is not None:
        explained.name_pictures(images.table["id"].tolist())
    images = images.select(np.flatnonzero([name not in done for name in images.table["id"]]))
    model = TrainedModel.load(run)
    if operating_point is not None:
        model = model.at(operating_point.condition)
    starts = range(0, len(images), _PART)
    refused: list[UnreadableImage] = []
    for start in starts:
        collection = images.select(np.arange(start, min(start + _PART, len(images))))
        try:
            pixels = model.read_pixels(collection, max_pixels=max_pixels, skip_unreadable=skip_unreadable)
        except NoReadableImageError as error:
            if len(refused) + len(error.unreadable) == len(images):
                raise
            refused += error.unreadable
        else:
            refused += pixels.unreadable
            table = _predicted(model, collection, pixels, operating_point)
            if explained is not None:
                explained.write(model, pixels, table)
            yield table
        if progress is not None:
            progress("predicting", min(start + _PART, len(images)), len(images))
    if unreadable is not None:
        unreadable += [f"{image.id} {image.reason}" for image in refused]


def _new_images(facts: DatasetFacts, paths: Sequence[Path]) -> ImageCollection:
    """Images, or cases of several sequences."""
    source: ImageSource
    if facts.sequences is None:
        source = ImageFiles(image_paths(paths, volumes=facts.dimensions == 3))
        ids = [str(path) for path in source.paths]
    else:
        source = find_cases(paths, facts.sequences, volumes=facts.dimensions == 3)
        ids = source.names
    return ImageCollection(
        name="new images",
        data=listing(ids, most=3),
        table=pd.DataFrame({"id": ids}),
        class_names=tuple(facts.class_names),
        source=source,
        group_column=None,
    )


def _predicted(
    model: TrainedModel, collection: ImageCollection, pixels: Pixels, point: OperatingPoint | None
) -> pd.DataFrame:
    rows, names = pixels.readable_rows, model.facts.class_names
    images = collection.table["id"].to_numpy()[rows]
    features = model.features(pixels, rows)
    probabilities = model.feature_probabilities(features, images)
    atypicality = model.atypicality(pixels, rows, features)
    if point is None:
        decisions = model.facts.task.decisions(probabilities, names)
    else:
        decisions = _decisions(point, probabilities)
        probabilities = point.apply(probabilities)
    return pd.concat(
        [
            pd.DataFrame({"image": images}),
            decisions,
            pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in names]),
            *([] if atypicality is None else [pd.DataFrame({"atypicality": atypicality})]),
        ],
        axis=1,
    )


@final
class PredictionFile:
    """A CSV file of predictions that is written as they come, under another name until it is complete.

    The other name tells run and operating point, so that only the same predictions are continued.

    Args:
        path: The file.
        run: The run that predicts.
        point: The operating point that decides, if any.
        resume: Keep what a stopped run of the same command wrote.

    Attributes:
        images: Names of the images that are in the file already.
    """

    def __init__(self, path: Path, run: Run, point: OperatingPoint | None, *, resume: bool = False) -> None:
        model = {
            "run": str(run.folder.resolve()),
            "identity": DatasetFacts.load(run).identity,
            "point": repr(point),
        }
        self.path = path
        self._partial = path.with_name(f".{path.name}.{digest_of(model)[:8]}.partial")
        self._rows = 0
        self.images: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume and self._partial.is_file():
            self._read()
        else:
            self._partial.unlink(missing_ok=True)

    def _read(self) -> None:
        """Take over whole rows; the last one may be cut off."""
        content = self._partial.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            table = pd.read_csv(BytesIO(whole), dtype={"image": str}) if whole else pd.DataFrame()
        except ValueError as error:
            raise damaged(self._partial, f"is no CSV ({error})", "remove it and predict again") from error
        self._partial.write_bytes(whole)
        self._rows = len(table)
        self.images = {from_cell(name) for name in table["image"]} if self._rows else set()

    def append(self, table: pd.DataFrame) -> None:
        """Write more rows."""
        text = predictions_csv(table, header=not self._partial.is_file() or not self._partial.stat().st_size)
        try:
            with self._partial.open("a", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        self._rows += len(table)

    def finish(self) -> int:
        """Give the file its name; return the number of rows."""
        if self._partial.is_file():
            self._partial.replace(self.path)
        return self._rows


def _decisions(point: OperatingPoint, probabilities: np.ndarray) -> pd.DataFrame:
    """The class, and the set if there is one, as columns."""
    table = pd.DataFrame({"decision": np.asarray(point.class_names)[point.decide(probabilities)]})
    return table if point.set_rule is None else table.assign(set=point.set_names(probabilities))
