"""The images that the rows of a table name."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pandas as pd

from medtail.data.collection import DataWarning
from medtail.data.datasets.image_files.found_files import FoundFiles
from medtail.data.datasets.tables.columns import (
    IMAGE_NAMES,
    TableColumns,
    canonical,
    columns_called,
    named_column,
)
from medtail.data.datasets.tables.labels import required
from medtail.data.datasets.values import texts
from medtail.data.formats.image_files import ImageFiles, is_image_name
from medtail.data.formats.sequences import SequenceFiles
from medtail.data.formats.sources import ImageSource
from medtail.errors import InputError
from medtail.naming import nearest

#: Prefix of the columns of sequences, where there is no column image.
SEQUENCE_PREFIX = "image_"


@final
@dataclass(frozen=True)
class TableImages:
    """Ids and pixels, and the columns they come from."""

    ids: list[str]
    source: ImageSource
    columns: Sequence[str]


def read_images(
    table: pd.DataFrame, table_file: Path, files: FoundFiles, max_pixels: int, columns: TableColumns
) -> TableImages:
    """The id of each row, and its pixels.

    Args:
        table: The table.
        table_file: Its file, for messages.
        files: The images below the folder of the data.
        max_pixels: Files with more pixels are refused when they are read.
        columns: What the user named.

    Raises:
        InputError: There is no column of images, a value is missing, or the files are not there.
    """
    sequences = _sequence_columns(table, files)
    if columns.image_column is not None:
        column: str | None = named_column(table, "image_column", columns.image_column, table_file)
    else:
        column = _image_column(table, files, sequences, table_file)
    if column is not None:
        ids = required(table, column, table_file)
        return TableImages(ids, ImageFiles(files.resolve(ids, table_file), max_pixels), [column])
    names = {column: required(table, column, table_file) for column in sequences}
    id_column = next(iter(columns_called(table, ["id"])), sequences[0])
    ids = required(table, id_column, table_file)
    paths = {column[len(SEQUENCE_PREFIX) :]: files.resolve(own, table_file) for column, own in names.items()}
    return TableImages(ids, SequenceFiles(ids, paths, max_pixels), [id_column, *sequences])


def _image_column(
    table: pd.DataFrame, files: FoundFiles, sequences: Sequence[str], table_file: Path
) -> str | None:
    """The column of images; None if there are columns of sequences in its place."""
    candidates = columns_called(table, IMAGE_NAMES)
    plain = [column for column in candidates if canonical(column) == "image"]
    if plain:
        return plain[0]
    if sequences:
        return None
    # Published tables also hold paths of other machines, so the files decide.
    existing = [column for column in candidates if files.some(texts(table[column]))]
    if existing:
        return existing[0]
    named = [column for column in candidates if canonical(column) != "id"]
    if named:
        return named[0]
    existing = [column for column in table.columns if _all_exist(texts(table[column]), files)]
    if len(existing) == 1:
        return existing[0]
    raise InputError(
        f"column image is not in {table_file} (columns: {', '.join(table.columns)})"
        f"{nearest('image', table.columns)}; rename the column of image paths or ids, or name it with `image_column`"
    )


def _all_exist(values: Sequence[str], files: FoundFiles, sample: int = 20) -> bool:
    return all(value and files.some([value]) for value in values[:sample])


def _sequence_columns(table: pd.DataFrame, files: FoundFiles) -> list[str]:
    """Columns of sequences: two or more, of which no one is a column of images, or of their sizes."""
    columns = [
        column
        for column in table.columns
        if column.casefold().startswith(SEQUENCE_PREFIX) and canonical(column) not in IMAGE_NAMES
    ]
    existing = [column for column in columns if files.some(texts(table[column]))]
    columns = existing or columns
    return columns if len(columns) > 1 else []


def one_row_per_side(table: pd.DataFrame, columns: TableColumns) -> pd.DataFrame:
    """A table with images of the left and the right of each patient, with a row for each image."""
    named = [column for column in columns_called(table, IMAGE_NAMES) if canonical(column) != "id"]
    pair = sides(table)
    if columns.image_column is not None or named or pair is None:
        return table
    warnings.warn(
        f"columns {pair[0]} and {pair[1]} give two images per row, which share its labels; labels of a patient need "
        f"not be those of each image",
        DataWarning,
        stacklevel=4,
    )
    rows = table.drop(columns=list(pair))
    if not columns_called(rows, ["id"]):
        rows = rows.assign(patient=[str(row) for row in range(len(rows))])
    both = pd.concat([rows.assign(image=table[column]) for column in pair])
    return both.sort_index(kind="stable").reset_index(drop=True)


def sides(table: pd.DataFrame) -> tuple[str, str] | None:
    """Columns of images called ``left…`` and ``right…``; None if there are none."""
    by_name = {canonical(column): column for column in table.columns}
    for name, left in by_name.items():
        right = by_name.get("right" + name.removeprefix("left"))
        if name.startswith("left") and right is not None:
            values = [*texts(table[left]), *texts(table[right])]
            if all(is_image_name(value) for value in values if value):
                return left, right
    return None
