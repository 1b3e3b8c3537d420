"""Pictures of the images of a collection, by id."""

from collections.abc import Callable
from typing import Any

import numpy as np

from medtail.data.collection import ImageCollection
from medtail.data.datasets.opening import open_collection
from medtail.data.datasets.tables.columns import TableColumns
from medtail.data.decoded.image_shape import viewable
from medtail.errors import InputError
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.runs.settings import RunSettings


def read_image(collection: ImageCollection) -> Callable[[str], np.ndarray]:
    """A function from the id of an image to a picture of it ``(H, W, 3)``, for galleries."""
    row_of: dict[str, Any] = {str(name): row for row, name in enumerate(collection.table["id"])}
    return lambda name: viewable(collection.source.read(row_of[name]))


def own_images(run: Run) -> Callable[[str], np.ndarray] | None:
    """As :func:`read_image`, for the data that a run was trained on; None if it is no longer at hand."""
    try:
        collection = own_collection(run)
    except (InputError, OSError):
        return None
    known = run.read_splits()["id"]
    return read_image(collection) if known.isin(collection.table["id"].astype(str)).all() else None


def own_collection(run: Run, data: str | None = None) -> ImageCollection:
    """Return the data that a run was trained on, before classes were chosen and splits drawn.

    Args:
        run: A finished run.
        data: Where the data are now; by default where they were.

    Raises:
        InputError: They cannot be opened.
    """
    settings = RunSettings.load(run)
    columns = TableColumns(**(settings.get("data.columns") or {}))
    collection = open_collection(DatasetFacts.load(run).data if data is None else data, columns=columns)
    return collection.windowed(settings.get("data.window"))
