"""A trained model on new images, which have no labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from medtail.data import ImageCollection, ImageFiles, image_paths
from medtail.operating_point import OperatingPoint
from medtail.progress import Progress
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.training.inference.trained_model import TrainedModel


def predict_images(
    run: Run,
    paths: Sequence[Path],
    *,
    operating_point: OperatingPoint | None = None,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Predict image files, and every image in folders.

    Args:
        run: A finished run.
        paths: Files and folders. For a model of volumes, a folder of DICOM slices is one image.
        operating_point: Decides in place of the highest probability.
        skip_unreadable: Leave unreadable images out instead of refusing them.
        progress: Told about decoding and predicting.

    Returns:
        One row per image, in the order given: ``image``, ``decision`` (the class with the highest probability) or,
        for several labels per image, ``decision_<class>`` (0 or 1), and ``probability_<class>`` columns. At an
        operating point the decision and the probabilities are those of the operating point, and ``set`` holds its
        sets of classes, joined by ``|``, if it has any.

    Raises:
        InputError: A path is missing, a folder holds no image, or an image cannot be read.
    """
    files = image_paths(paths, volumes=DatasetFacts.load(run).dimensions == 3)
    model = TrainedModel.load(run)
    if operating_point is not None:
        model = model.at(operating_point.condition)
    unlabelled = pd.DataFrame({"id": [str(path) for path in files]})
    collection = ImageCollection(
        name="new images",
        data=", ".join(str(path) for path in paths),
        table=unlabelled,
        class_names=tuple(model.facts.class_names),
        source=ImageFiles(files),
        group_column=None,
    )
    pixels = model.read_pixels(collection, skip_unreadable=skip_unreadable, progress=progress)
    rows = pixels.readable_rows
    probabilities = model.probabilities(pixels, rows, progress)
    names = model.facts.class_names
    if operating_point is None:
        decisions = model.facts.task.decisions(probabilities, names)
    else:
        decisions = _decisions(operating_point, probabilities)
        probabilities = operating_point.apply(probabilities)
    return pd.concat(
        [
            pd.DataFrame({"image": unlabelled["id"].to_numpy()[rows]}),
            decisions,
            pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in names]),
        ],
        axis=1,
    )


def _decisions(point: OperatingPoint, probabilities: np.ndarray) -> pd.DataFrame:
    """The class, and the set if there is one, as columns."""
    table = pd.DataFrame({"decision": np.asarray(point.class_names)[point.decide(probabilities)]})
    return table if point.set_rule is None else table.assign(set=point.set_names(probabilities))
