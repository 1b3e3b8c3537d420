"""A table of labels beside a folder of images."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pandas as pd

from medtail.data.collection import DataWarning, ImageCollection, Split, split_name
from medtail.data.datasets.columns import (
    BY_NAME,
    IMAGE_NAMES,
    TableColumns,
    canonical,
    columns_called,
    group_column,
    named_column,
    split_column,
    warn_about_unused,
)
from medtail.data.datasets.found_files import FoundFiles
from medtail.data.datasets.groups import groups_in_paths, groups_of
from medtail.data.datasets.origins import tell
from medtail.data.datasets.table_files import read_table, tables_in
from medtail.data.datasets.table_labels import TableLabels, read_labels, required
from medtail.data.datasets.values import texts
from medtail.data.formats.image_files import ImageFiles, is_image_name
from medtail.data.formats.sequences import SequenceFiles
from medtail.data.formats.sources import ImageSource
from medtail.errors import InputError
from medtail.naming import listing, nearest

#: Tables that a folder is read through, in lower case.
TABLE_NAMES = ("labels.csv", "labels.tsv", "labels.parquet")

#: Prefix of the columns of sequences, where there is no column image.
SEQUENCE_PREFIX = "image_"


@final
@dataclass(frozen=True)
class _Images:
    """Ids and pixels, and the columns they come from."""

    ids: list[str]
    source: ImageSource
    columns: Sequence[str]


def open_table(
    table_file: Path,
    data: str,
    max_pixels: int,
    columns: TableColumns = BY_NAME,
    root: Path | None = None,
) -> ImageCollection:
    """Read a table with a row for each image.

    Columns are found by their names, without regard to case, blanks and punctuation, or by what ``columns`` names;
    :mod:`medtail.data.datasets.columns` lists the names. A line of the log says which columns are used and which are
    not, and warnings name those that look as if they should be.

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
    table = _one_row_per_side(table, columns)
    files = FoundFiles(root or table_file.parent)
    images = _images(table, table_file, files, max_pixels, columns)
    group = _named_or(
        table, table_file, "group_column", columns.group_column, group_column(table, images.columns[0])
    )
    split = _named_or(table, table_file, "split_column", columns.split_column, split_column(table))
    taken = [*images.columns, *(column for column in (group, split) if column is not None)]
    labels = read_labels(table, table_file, columns, taken)
    unused = [column for column in table.columns if column not in (*taken, *labels.columns)]
    groups, origin = None, group
    if group is not None:
        groups = groups_of(texts(table[group]), group, images.ids, str(table_file))
    elif beside := _groups_beside(table_file, images.ids):
        group, values = beside
        groups, origin = (
            groups_of(values, group, images.ids, "the table beside it"),
            f"{group} of the table beside it",
        )
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
    return _collection(
        labels,
        name=table_file.resolve().parent.name if table_file.name.lower() in TABLE_NAMES else table_file.stem,
        data=data,
        ids=images.ids,
        source=images.source,
        groups=groups,
        group_column=group,
        splits=None if split is None else _splits(table, split, table_file),
    )


def _collection(labels: TableLabels, **parts: object) -> ImageCollection:
    if labels.classes is not None:
        return ImageCollection.build(labels=labels.classes, **parts)  # type: ignore[arg-type]
    return ImageCollection.build_multi_label(labels=labels.indicators, **parts)  # type: ignore[arg-type]


def _named_or(
    table: pd.DataFrame, table_file: Path, argument: str, name: str | None, found: str | None
) -> str | None:
    return found if name is None else named_column(table, argument, name, table_file)


# --- images


def _images(
    table: pd.DataFrame, table_file: Path, files: FoundFiles, max_pixels: int, columns: TableColumns
) -> _Images:
    """The id of each row, and its pixels."""
    sequences = _sequence_columns(table, files)
    if columns.image_column is not None:
        column: str | None = named_column(table, "image_column", columns.image_column, table_file)
    else:
        column = _image_column(table, files, sequences, table_file)
    if column is not None:
        ids = required(table, column, table_file)
        return _Images(ids, ImageFiles(files.resolve(ids, table_file), max_pixels), [column])
    names = {column: required(table, column, table_file) for column in sequences}
    id_column = next(iter(columns_called(table, ["id"])), sequences[0])
    ids = required(table, id_column, table_file)
    paths = {column[len(SEQUENCE_PREFIX) :]: files.resolve(own, table_file) for column, own in names.items()}
    return _Images(ids, SequenceFiles(ids, paths, max_pixels), [id_column, *sequences])


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


def _one_row_per_side(table: pd.DataFrame, columns: TableColumns) -> pd.DataFrame:
    """A table with images of the left and the right of each patient, with a row for each image."""
    named = [column for column in columns_called(table, IMAGE_NAMES) if canonical(column) != "id"]
    pair = _sides(table)
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


def _sides(table: pd.DataFrame) -> tuple[str, str] | None:
    """Columns of images called ``left…`` and ``right…``; None if there are none."""
    by_name = {canonical(column): column for column in table.columns}
    for name, left in by_name.items():
        right = by_name.get("right" + name.removeprefix("left"))
        if name.startswith("left") and right is not None:
            values = [*texts(table[left]), *texts(table[right])]
            if all(is_image_name(value) for value in values if value):
                return left, right
    return None


# --- splits


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


# --- tables of other names


def describes_images(table_file: Path, root: Path) -> bool:
    """Whether a table, whatever its name, has a column of images that exist below ``root``, and labels of them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table, _ = read_table(table_file)
            candidates = [*columns_called(table, IMAGE_NAMES), *(_sides(table) or ())]
            files = FoundFiles(root) if candidates else None
            named = [column for column in candidates if files and files.some(texts(table[column]))]
            if not named:
                return False
            read_labels(table, table_file, BY_NAME, named)
    except InputError:
        return False
    return True


def _groups_beside(table_file: Path, ids: Sequence[str]) -> tuple[str, list[str]] | None:
    """Groups of these images in another table of the folder, as those of ISIC 2018 and 2019; None if there are none.

    Returns:
        The column, and the value of each image, empty where there is none.
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
            return column, [of_image[identity] for identity in ids]
    return None
