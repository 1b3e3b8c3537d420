"""Tables of other names than ours: which holds the labels, and which the groups."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from medtail.data.collection import DataWarning
from medtail.data.datasets.image_files.found_files import FoundFiles
from medtail.data.datasets.tables.columns import (
    BY_NAME,
    IMAGE_NAMES,
    canonical,
    columns_called,
    group_column,
)
from medtail.data.datasets.tables.files import read_table, tables_in
from medtail.data.datasets.tables.images import sides
from medtail.data.datasets.tables.labels import read_labels
from medtail.data.datasets.values import texts
from medtail.errors import InputError


def describes_images(table_file: Path, root: Path) -> bool:
    """Whether a table, whatever its name, has a column of images that exist below ``root``, and labels of them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table, _ = read_table(table_file)
            candidates = [*columns_called(table, IMAGE_NAMES), *(sides(table) or ())]
            files = FoundFiles(root) if candidates else None
            named = [column for column in candidates if files and files.some(texts(table[column]))]
            if not named:
                return False
            read_labels(table, table_file, BY_NAME, named)
    except InputError:
        return False
    return True


def groups_beside(table_file: Path, ids: Sequence[str]) -> tuple[str, list[str], Path] | None:
    """Groups of these images in another table of the folder, as those of ISIC 2018 and 2019; None if there are none.

    Returns:
        The column, the value of each image (empty where there is none), and the file.
    """
    for other in tables_in(table_file.parent):
        if other == table_file:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table, _ = read_table(other)
        except InputError:
            continue
        images = [
            column for column in columns_called(table, IMAGE_NAMES) if set(ids) <= set(texts(table[column]))
        ]
        column = group_column(table, images[0]) if images else None
        if column is not None and canonical(column) != "id":
            of_image = dict(zip(texts(table[images[0]]), texts(table[column]), strict=True))
            warnings.warn(
                f"groups are read from column {column} of {other}, because {table_file.name} has none",
                DataWarning,
                stacklevel=4,
            )
            return column, [of_image[identity] for identity in ids], other
    return None
