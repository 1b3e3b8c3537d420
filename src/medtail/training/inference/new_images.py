"""A trained model on images without labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from medtail.data import ImageCollection, ImageFiles, image_paths, load_pixels
from medtail.operating_point import OperatingPoint
from medtail.progress import Progress
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.training.inference import TrainedModel


def predict_images(
    run: Run,
    paths: Sequence[Path],
    *,
    operating_point: OperatingPoint | None = None,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Predict image files, and every image in folders; for a model of volumes, a folder of DICOM slices is one.

    Returns:
        One row an image, in the order given: ``image``, ``decision`` (the class with the highest probability) or,
        of several labels, ``decision_<class>`` (0 or 1), and ``probability_<class>`` columns. At an operating point
        the decision and the probabilities are its own, and ``set`` holds its sets of classes, joined by ``|``, where
        it has them.

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
    """The class, and the set where there is one, as columns."""
    table = pd.DataFrame({"decision": np.asarray(point.class_names)[point.decide(probabilities)]})
    return table if point.set_rule is None else table.assign(set=point.set_names(probabilities))
