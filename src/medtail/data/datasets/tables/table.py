"""A table of labels beside a folder of images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from medtail.data.collection import ImageCollection, Split, split_name
from medtail.data.datasets.groups import groups_in_paths, groups_of
from medtail.data.datasets.image_files.found_files import FoundFiles
from medtail.data.datasets.origins import tell
from medtail.data.datasets.tables.columns import (
    BY_NAME,
    TableColumns,
    group_column,
    named_column,
    speaks_of_acquisition,
    split_column,
    warn_about_unused,
)
from medtail.data.datasets.tables.files import read_table
from medtail.data.datasets.tables.images import one_row_per_side, read_images
from medtail.data.datasets.tables.labels import TableLabels, read_labels, required
from medtail.data.datasets.tables.others import groups_beside
from medtail.data.datasets.values import texts
from medtail.data.formats.centred import CentredOnMasks
from medtail.data.formats.image_files import ImageFiles
from medtail.data.formats.sources import ImageSource
from medtail.errors import InputError
from medtail.naming import listing

#: Tables that a folder is read through, in lower case.
TABLE_NAMES = ("labels.csv", "labels.tsv", "labels.parquet")


def open_table(
    table_file: Path,
    data: str,
    max_pixels: int,
    columns: TableColumns = BY_NAME,
    root: Path | None = None,
) -> ImageCollection:
    """Read a table with a row for each image.

    Columns are found by their names, without regard to case, blanks and punctuation, or by what ``columns`` names;
    :mod:`medtail.data.datasets.tables.columns` lists the names. A line of the log says which columns are used and which
    are not, and warnings name those that look as if they should be.

    Images: a column holds paths, or ids that are completed with ``images/`` and an image extension; a folder of DICOM
    slices is a volume. :class:`FoundFiles` says which liberties are taken. Alternatively two or more columns
    ``image_<sequence>`` hold one file for each channel of a case, which is named by the column ``id`` or by its first
    file; and a table with a column for the left and one for the right of each patient has two images per row.

    Labels: a column of classes. Where there are several, names win over numbers, and among equals ``label`` wins over
    ``diagnosis`` and that over ``dx``: HAM10000's ``dx`` (nv, mel, …) is taken and its ``label`` (0 to 6) is not.
    Without any, columns of 0 and 1 say for each class whether the image carries it: columns ``label_<class>``, or all
    other columns that hold nothing else. An empty value or -1 is unknown.

    Groups and splits are optional. An image without a group is a group of its own.

    A missing file is not an error here: it is reported together with unreadable ones when pixels are loaded, so that
    all are named at once.

    Args:
        table_file: The table.
        data: DATA as the user gave it.
        max_pixels: Files with more pixels are refused when they are read.
        columns: Columns that their names do not tell.
        root: The folder that the images lie in; that of the table if None.

    Raises:
        InputError: A column or a value is missing, a split is unknown, an id occurs twice, an indicator is neither 0
            nor 1 nor unknown, rows are wider than the header, a path leads out of the folder of the table, or none
            of the images exists.
    """
    table, notes = read_table(table_file)
    if not len(table):
        raise InputError(f"table {table_file} must have a row for each image, but has none; fill it")
    table = one_row_per_side(table, columns)
    files = FoundFiles(root or table_file.parent)
    images = read_images(table, table_file, files, max_pixels, columns)
    group = _named_or(
        table, table_file, "group_column", columns.group_column, group_column(table, images.columns[0])
    )
    split = _named_or(table, table_file, "split_column", columns.split_column, split_column(table))
    mask = _named_or(table, table_file, "mask_column", columns.mask_column, None)
    taken = [*images.columns, *(column for column in (group, split, mask) if column is not None)]
    labels = read_labels(table, table_file, columns, taken)
    unused = [column for column in table.columns if column not in (*taken, *labels.columns)]
    groups, origin = None, group
    if group is not None:
        groups = groups_of(texts(table[group]), group, images.ids, str(table_file))
    elif beside := groups_beside(table_file, images.ids):
        group, values, other = beside
        groups, origin = groups_of(values, group, images.ids, str(other)), f"{group} of {other.name}"
    # Numbers of patients may start anew in every split.
    elif split is None and (groups := groups_in_paths(images.ids)) is not None:
        group, origin = "patient", "the paths"
    warn_about_unused(table, unused, groups, split)
    tell(
        table_file,
        labels=listing(labels.columns, most=20),
        groups=origin,
        splits=split,
        notes=[*([labels.note] if labels.note else []), *notes],
        unused=unused,
    )
    collection = _collection(
        labels,
        name=table_file.resolve().parent.name if table_file.name.lower() in TABLE_NAMES else table_file.stem,
        data=data,
        ids=images.ids,
        source=images.source if mask is None else _centred(images.source, table, mask, table_file, files),
        groups=groups,
        group_column=group,
        splits=None if split is None else _splits(table, split, table_file),
    )
    made = [column for column in unused if speaks_of_acquisition(column)]
    return replace(
        collection,
        acquisition=pd.DataFrame({column: texts(table[column]) for column in made}) if made else None,
        attributes=pd.DataFrame({column: texts(table[column]) for column in unused}) if unused else None,
    )


def _centred(
    source: ImageSource, table: pd.DataFrame, column: str, table_file: Path, files: FoundFiles
) -> ImageSource:
    names = required(table, column, table_file)
    return CentredOnMasks(source, ImageFiles(files.resolve(names, table_file), source.max_pixels))


def _collection(labels: TableLabels, **parts: Any) -> ImageCollection:
    if labels.classes is not None:
        return ImageCollection.build(labels=labels.classes, **parts)
    return ImageCollection.build_multi_label(labels=labels.indicators or {}, **parts)


def _named_or(
    table: pd.DataFrame, table_file: Path, argument: str, name: str | None, found: str | None
) -> str | None:
    return found if name is None else named_column(table, argument, name, table_file)


def _splits(table: pd.DataFrame, column: str, table_file: Path) -> list[Split]:
    splits: list[Split] = []
    unknown: set[str] = set()
    for value in required(table, column, table_file):
        split = split_name(value)
        if split is None:
            unknown.add(value)
        else:
            splits.append(split)
    if unknown:
        raise InputError(
            f"column {column} of {table_file} must hold train, validation (val) or test, got "
            f"{listing(sorted(unknown), most=5)}; rename them"
        )
    return splits
