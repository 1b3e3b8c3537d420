"""Writes which images belong together as a table that can be opened as data."""

from collections.abc import Sequence
from pathlib import Path

from medtail.data.collection import ImageCollection
from medtail.errors import InputError
from medtail.files import replacing, with_cells


def write_groups(collection: ImageCollection, groups: Sequence[str], path: Path) -> None:
    """Write a table of all images: ``image``, labels, ``group`` and, if known, ``split``.

    Beside the images, as ``labels.csv``, it is data whose drawn splits separate no group.

    Args:
        collection: The images.
        groups: Group of each image, e.g. those of :class:`medtail.inspection.audit.Audit`.
        path: The file to write.

    Raises:
        InputError: The file exists.
    """
    if path.exists():
        raise InputError(f"`write_groups` must be a new file, but {path} exists; choose another name")
    table = collection.table.assign(group=list(groups)).rename(columns={"id": "image"})
    columns = ["image", *collection.label_columns, "group", *(["split"] if "split" in table else [])]
    with replacing(path) as temporary:
        with_cells(table[columns]).to_csv(temporary, index=False)
