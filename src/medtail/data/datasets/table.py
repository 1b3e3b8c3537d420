"""A table of labels beside a folder of images."""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, final

import numpy as np
import pandas as pd

from medtail.data.collection import (
    GROUP_COLUMNS,
    ImageCollection,
    Split,
    split_name,
)
from medtail.data.formats.image_files import EXTENSIONS, ImageFiles, walk_images, without_extension
from medtail.data.formats.sequences import SequenceFiles
from medtail.data.formats.sources import ImageSource
from medtail.errors import InputError
from medtail.naming import listing, nearest
from medtail.runs.tasks import LABEL_PREFIX

TABLE_NAMES = ("labels.csv", "labels.parquet")
TABLE_EXTENSIONS = (".csv", ".parquet")
LABEL_COLUMNS = ("label", "diagnosis", "dx")

#: Prefix of the columns of sequences, where there is no column image.
SEQUENCE_PREFIX = "image_"

#: How 0 and 1 are written; Parquet stores whole numbers as floats where a value was missing once.
_INDICATORS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}

_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "<NA>")


def open_table(table_file: Path, data: str, max_pixels: int) -> ImageCollection:
    """Read ``labels.csv`` or ``.parquet``.

    Images: a column ``image`` holds paths, or ids that are completed with ``images/`` and an image extension; a folder
    of DICOM slices is a volume. Alternatively two or more columns ``image_<sequence>`` hold one file for each channel
    of a case, which is named by the column ``id`` or by its first file.

    Labels: one of the columns ``label``, ``diagnosis``, ``dx``. Where there are several, names win over numbers, and
    among equals ``label`` wins over ``diagnosis`` and that over ``dx``: HAM10000's ``dx`` (nv, mel, …) is taken and its
    ``label`` (0 to 6) is not. Without any of them, two or more columns ``label_<class>`` of 0/1 say for each class
    whether the image carries it, so that an image may have any number of labels.

    Optional: ``patient``, ``patient_id`` or ``lesion_id`` (the first of them is used) and ``split``. Other columns are
    ignored.

    A missing file is not an error here: it is reported together with unreadable ones when pixels are loaded, so that
    all are named at once.

    Args:
        table_file: The table.
        data: DATA as the user gave it.
        max_pixels: Files with more pixels are refused when they are read.

    Raises:
        InputError: A column or a value is missing, a split is unknown, an id occurs twice, an indicator is neither 0
            nor 1, a path leads out of the folder of the table, or none of the images exists.
    """
    table = _read(table_file)
    _require_columns(table, table_file)
    group_column = next((column for column in GROUP_COLUMNS if column in table), None)
    ids, source = _images(table, table_file, max_pixels)
    build, labels = _labels(table, table_file)
    return build(
        name=table_file.resolve().parent.name if table_file.name in TABLE_NAMES else table_file.stem,
        data=data,
        ids=ids,
        labels=labels,
        source=source,
        groups=_values(table, group_column, table_file) if group_column else None,
        group_column=group_column,
        splits=_splits(table, table_file) if "split" in table else None,
    )


def _read(table_file: Path) -> pd.DataFrame:
    try:
        if table_file.suffix == ".parquet":
            return pd.read_parquet(table_file)
        # Everything is read as text: ids such as 00123 keep their zeros, and a class may be called "None".
        return pd.read_csv(table_file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"table {table_file} cannot be read as {table_file.suffix} ({reason}); save it again"
        ) from error


def _require_columns(table: pd.DataFrame, table_file: Path) -> None:
    columns = [str(column) for column in table.columns]
    if not len(table):
        raise InputError(f"table {table_file} must have a row for each image, but has none; fill it")
    if "image" not in columns and not _sequence_columns(table):
        raise InputError(
            f"column image is not in {table_file} (columns: {', '.join(columns)}){nearest('image', columns)}; "
            f"rename the column of image paths or ids"
        )
    if not any(column in columns for column in LABEL_COLUMNS) and not _indicator_columns(table):
        raise InputError(
            f"none of the columns {', '.join(LABEL_COLUMNS)} is in {table_file} (columns: {', '.join(columns)}); "
            f"rename the column of class names"
        )


def _images(table: pd.DataFrame, table_file: Path, max_pixels: int) -> tuple[list[str], ImageSource]:
    """The id of each row, and its pixels."""
    if "image" in table:
        ids = _values(table, "image", table_file)
        return ids, ImageFiles(_resolve(ids, table_file), max_pixels)
    columns = _sequence_columns(table)
    files = {column: _values(table, column, table_file) for column in columns}
    ids = _values(table, "id", table_file) if "id" in table else files[columns[0]]
    paths = {
        column.removeprefix(SEQUENCE_PREFIX): _resolve(names, table_file) for column, names in files.items()
    }
    return ids, SequenceFiles(ids, paths, max_pixels)


def _sequence_columns(table: pd.DataFrame) -> list[str]:
    """Columns of sequences; a single ``image_id`` or ``image_path`` is a column image by another name."""
    columns = [column for column in map(str, table.columns) if column.startswith(SEQUENCE_PREFIX)]
    return columns if len(columns) > 1 else []


def _labels(table: pd.DataFrame, table_file: Path) -> tuple[Callable[..., ImageCollection], Any]:
    """The constructor of the collection, and the labels it takes."""
    if any(column in table for column in LABEL_COLUMNS):
        return ImageCollection.build, _values(table, _label_column(table), table_file)
    columns = _indicator_columns(table)
    if len(columns) == 1:
        raise InputError(
            f"several labels per image need two or more columns {LABEL_PREFIX}<class>, but {table_file} has only "
            f"{columns[0]}; add the others, or name one class per image in a column {LABEL_COLUMNS[0]}"
        )
    labels = {column.removeprefix(LABEL_PREFIX): _indicators(table, column, table_file) for column in columns}
    return ImageCollection.build_multi_label, labels


def _indicator_columns(table: pd.DataFrame) -> list[str]:
    return [column for column in map(str, table.columns) if column.startswith(LABEL_PREFIX)]


def _indicators(table: pd.DataFrame, column: str, table_file: Path) -> np.ndarray:
    values = _values(table, column, table_file)
    wrong = [row for row, value in enumerate(values) if value.strip() not in _INDICATORS]
    if wrong:
        raise InputError(
            f"column {column} of {table_file} must hold 0 or 1, got {values[wrong[0]]!r} in row {wrong[0] + 2} "
            f"({len(wrong)} of {len(values)} rows have neither, counting the header as row 1); write 1 where the "
            f"image carries the label, else 0"
        )
    return np.array([_INDICATORS[value.strip()] for value in values], dtype=np.int64)


def _label_column(table: pd.DataFrame) -> str:
    present = [column for column in LABEL_COLUMNS if column in table]
    # False sorts before True, and min keeps the first of equals.
    return min(present, key=lambda column: _all_numbers(table, column))


def _all_numbers(table: pd.DataFrame, column: str) -> bool:
    texts = table[column][~table[column].isin(_MISSING)]
    return bool(pd.to_numeric(texts, errors="coerce").notna().all())


def _text(value: object) -> str:
    # Parquet stores whole numbers as floats where a value was missing once.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _values(table: pd.DataFrame, column: str, table_file: Path) -> list[str]:
    """A column as text, without missing values."""
    values = [_text(value) for value in table[column].astype(object).where(table[column].notna(), "")]
    missing = [row for row, value in enumerate(values) if value.strip() in _MISSING]
    if missing:
        raise InputError(
            f"column {column} of {table_file} must have a value in every row, but {len(missing)} of {len(values)} have "
            f"none (rows {listing((row + 2 for row in missing), most=5)}, the header is row 1); fill them in or "
            f"remove the rows"
        )
    return values


def _splits(table: pd.DataFrame, table_file: Path) -> list[Split]:
    splits: list[Split] = []
    unknown: set[str] = set()
    for value in _values(table, "split", table_file):
        split = split_name(value)
        if split is None:
            unknown.add(value)
        else:
            splits.append(split)
    if unknown:
        raise InputError(
            f"column split of {table_file} must hold train, validation (val) or test, got "
            f"{listing(sorted(unknown), most=5)}; rename them"
        )
    return splits


def _resolve(ids: Sequence[str], table_file: Path) -> list[Path]:
    """The file of each id; for a missing one the path where it would be, so that reading it reports that."""
    folder = table_file.parent
    inside = [_inside(folder, name) for name in ids]
    outside = [name for name, relative in zip(ids, inside, strict=True) if relative is None]
    if outside:
        raise InputError(
            f"images must lie in the folder of the table, but {len(outside)} of {table_file} do not: "
            f"{listing(outside, most=5)}; move them or the table"
        )
    relatives = [str(relative) for relative in inside]
    index = _FolderIndex(folder)
    found = [index.find(relative) for relative in relatives]
    if not any(found):
        raise InputError(
            f"none of the {len(ids)} images named in {table_file} is in {folder} or {folder / 'images'} "
            f"(first: {ids[0]}, tried as it is and with {', '.join(EXTENSIONS)}); put the images there"
        )
    named_by: dict[str, list[str]] = defaultdict(list)
    for name, file in zip(ids, found, strict=True):
        if file is not None:
            named_by[file].append(name)
    repeated = [" and ".join(names) for names in named_by.values() if len(set(names)) > 1]
    if repeated:
        raise InputError(
            f"each image must be named once, but {table_file} names one twice: {listing(repeated, most=5)}; "
            f"remove the repeated rows"
        )
    return [folder / (file or relative) for file, relative in zip(found, relatives, strict=True)]


def _inside(folder: Path, name: str) -> str | None:
    """``name`` as a path relative to the folder; None if it leads out of the folder, or is the folder."""
    root = Path.cwd() / folder
    path = Path(os.path.normpath(root / name))
    root = Path(os.path.normpath(root))
    return path.relative_to(root).as_posix() if root in path.parents else None


@final
class _FolderIndex:
    """The images below a folder, listed once: files by path with or without extension, folders by path."""

    def __init__(self, folder: Path) -> None:
        self.files = set(walk_images(folder))
        self.folders = {str(PurePosixPath(file).parent) for file in self.files}
        self.by_stem: dict[str, list[str]] = defaultdict(list)
        for file in self.files:
            self.by_stem[without_extension(file)].append(file)

    def find(self, relative: str) -> str | None:
        candidates = (relative, f"images/{relative}")
        for candidate in candidates:
            if candidate in self.files:
                return candidate
        for candidate in candidates:
            matches = self.by_stem.get(candidate, [])
            if len(matches) > 1:
                raise InputError(
                    f"image {relative} must name one file, but {listing(sorted(matches))} match; add the extension"
                )
            if matches:
                return matches[0]
        return next((candidate for candidate in candidates if candidate in self.folders), None)
