"""A trained model on images without labels."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medtail.data import ImageCollection, ImageFiles, image_paths, load_pixels
from medtail.run import Run
from medtail.training.inference import TrainedModel
from medtail.training.prepare import Progress


def predict_images(
    run: Run,
    paths: Sequence[Path],
    *,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Predict image files, and every image in folders.

    Returns:
        One row an image, in the order given: ``image``, ``decision`` (the class with the highest probability) or,
        of several labels, ``decision_<class>`` (0 or 1), and ``probability_<class>`` columns.

    Raises:
        InputError: A path is missing, a folder holds no image, or an image cannot be read.
    """
    files = image_paths(paths)
    model = TrainedModel.load(run)
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
    return pd.concat(
        [
            pd.DataFrame({"image": unlabelled["id"].to_numpy()[rows]}),
            model.facts.labelling.decisions(probabilities, names),
            pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in names]),
        ],
        axis=1,
    )
