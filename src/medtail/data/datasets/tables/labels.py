"""Labels of a table: a column of classes, a column of joined labels, or columns of 0 and 1."""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd

from medtail.data.collection import DataWarning
from medtail.data.datasets.tables.columns import (
    LABEL_NAMES,
    PLAIN_LABEL_NAMES,
    SPLIT_FLAGS,
    TableColumns,
    canonical,
    columns_called,
    label_column,
    named_column,
)
from medtail.data.datasets.values import clean, texts
from medtail.errors import InputError
from medtail.naming import listing
from medtail.runs.tasks import LABEL_PREFIX

#: How a label that is there, is not there, or is unknown is written. CheXpert writes -1 for uncertain findings.
_INDICATORS = {"1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0, "true": 1.0, "false": 0.0}
_UNKNOWN = {"": np.nan, "-1": np.nan, "-1.0": np.nan}

#: What may stand between labels, the least ambiguous first.
_SEPARATORS = ("|", ";", ",", "/", "+")

#: Says that an image carries no label, among joined labels.
_NO_FINDING = ("no finding", "no findings")

#: Columns of 0 and 1 that describe the person.
_OF_THE_PERSON = ("sex", "gender", "male", "female", "smoker", "smoking", "smoke")

#: A list of quoted strings; ``[/nv]`` is a name.
_LIST = re.compile(r"\[((?:\s*(?:'[^']*'|\"[^\"]*\")\s*(?:,|(?=\])))+)\]")


@final
@dataclass(frozen=True)
class TableLabels:
    """Labels and the columns they come from: the class of each image, or 0 and 1 (NaN: unknown) for each class."""

    columns: Sequence[str]
    classes: Sequence[str] | None = None
    indicators: Mapping[str, np.ndarray] | None = None
    note: str = ""


def read_labels(
    table: pd.DataFrame, table_file: Path, columns: TableColumns, taken: Sequence[str]
) -> TableLabels:
    """Read the labels of a table.

    Args:
        table: The table.
        table_file: Its file, for messages.
        columns: What the user named.
        taken: Columns that hold something else.

    Raises:
        InputError: There is no column of labels, a value is missing, or an indicator is neither 0 nor 1 nor unknown.
    """
    if columns.label_column is not None:
        named = named_column(table, "label_column", columns.label_column, table_file)
        return _of_column(table, named, table_file, columns.label_separator)
    candidates = [column for column in columns_called(table, LABEL_NAMES) if column not in taken]
    prefixed = [column for column in table.columns if column.casefold().startswith(LABEL_PREFIX)]
    plain = columns_called(table, PLAIN_LABEL_NAMES)
    if candidates and (plain or len(prefixed) < 2):
        return _of_column(table, label_column(table, candidates), table_file, columns.label_separator)
    if len(prefixed) == 1:
        raise InputError(
            f"several labels per image need two or more columns {LABEL_PREFIX}<class>, but {table_file} has only "
            f"{prefixed[0]}; add the others, or name one class per image in a column {PLAIN_LABEL_NAMES[0]}"
        )
    if prefixed:
        return _of_indicators(
            {column[len(LABEL_PREFIX) :]: _indicators(table, column, table_file) for column in prefixed},
            prefixed,
            table_file,
        )
    return _of_bare_indicators(table, table_file, taken)


# --- one column


def _of_column(table: pd.DataFrame, column: str, table_file: Path, separator: str | None) -> TableLabels:
    values = [_without_brackets(value) for value in required(table, column, table_file)]
    if separator is not None:
        return _of_joined(values, column, table_file, separator)
    joined = _separator(values)
    if joined is not None:
        examples = [value for value in dict.fromkeys(values) if joined in value]
        warnings.warn(
            f"values of column {column} of {table_file} look like several labels joined by {joined!r} "
            f"({listing(examples, most=3)}), but each of {len(examples)} combinations is read as a class of its own; "
            f'read them as several labels per image with `label_separator="{joined}"`',
            DataWarning,
            stacklevel=5,
        )
    return TableLabels([column], classes=values)


def _without_brackets(value: str) -> str:
    """``['N']`` as ``N``, and ``['D', 'O']`` as ``D,O``: lists that Python wrote."""
    match = _LIST.fullmatch(value)
    if match is None:
        return value
    return ",".join(part.strip().strip("'\"") for part in match[1].split(","))


def _of_joined(values: Sequence[str], column: str, table_file: Path, separator: str) -> TableLabels:
    carried = [{part for part in map(clean, value.split(separator)) if part} for value in values]
    names = {name for labels in carried for name in labels}
    none = sorted(name for name in names if name.casefold() in _NO_FINDING)
    classes = sorted(names.difference(none))
    if len(classes) < 2:
        raise InputError(
            f"several labels per image need two or more labels, but column {column} of {table_file} holds only "
            f"{listing(classes) or 'none'}; leave out `label_separator`"
        )
    indicators = {name: np.array([name in labels for labels in carried], dtype=np.int64) for name in classes}
    note = f"{listing(none)} is read as no label" if none else ""
    return TableLabels([column], indicators=indicators, note=note)


def _separator(values: Sequence[str]) -> str | None:
    """What joins labels in some values; None if nothing does.

    Bars and semicolons do wherever they stand. Other separators do if the parts of some value all recur, by themselves
    or in other combinations: "Carcinoma, squamous" is one class, unless "Carcinoma" and "squamous" are others.
    """
    distinct = list(dict.fromkeys(values))
    for separator in _SEPARATORS:
        parts = {value: [part.strip() for part in value.split(separator)] for value in distinct}
        joined = {value for value, pieces in parts.items() if len(pieces) > 1 and all(pieces)}
        uses = Counter(part for pieces in parts.values() for part in set(pieces))
        if any(separator in "|;" or all(uses[part] > 1 for part in parts[value]) for value in joined):
            return separator
    return None


# --- columns of 0 and 1


def _of_bare_indicators(table: pd.DataFrame, table_file: Path, taken: Sequence[str]) -> TableLabels:
    """Columns that are named like the classes, as in the ground truth of ISIC 2018 and 2019, CheXpert and ODIR."""
    columns = [
        column
        for column in table.columns
        if column not in taken
        and canonical(column) not in (*SPLIT_FLAGS, *_OF_THE_PERSON)
        and _is_indicator(table, column)
    ]
    if len(columns) < 2:
        raise InputError(
            f"none of the columns {', '.join(PLAIN_LABEL_NAMES)} is in {table_file} (columns: "
            f"{', '.join(table.columns)}); rename the column of class names, name it with `label_column`, or give "
            f"two or more columns of 0 and 1"
        )
    indicators = {column: _indicators(table, column, table_file) for column in columns}
    values = np.stack(list(indicators.values()), axis=1)
    if (values.sum(axis=1) == 1).all():
        empty = [column for column in columns if not indicators[column].any()]
        classes = [columns[position] for position in values.argmax(axis=1)]
        note = f"columns without an image left out: {listing(empty)}" if empty else ""
        return TableLabels(columns, classes=classes, note=note)
    warnings.warn(
        f"columns of {table_file} hold 0 and 1 and are read as labels, of which an image may carry several: "
        f"{listing(columns, most=20)}; keep the ones that are labels with `classes`",
        DataWarning,
        stacklevel=4,
    )
    return _of_indicators(indicators, columns, table_file)


def _is_indicator(table: pd.DataFrame, column: str) -> bool:
    values = {value.casefold() for value in texts(table[column])}
    return bool(values & set(_INDICATORS)) and values <= {*_INDICATORS, *_UNKNOWN}


def _indicators(table: pd.DataFrame, column: str, table_file: Path) -> np.ndarray:
    values = [value.casefold() for value in texts(table[column])]
    known = _INDICATORS | _UNKNOWN
    wrong = [row for row, value in enumerate(values) if value not in known]
    if wrong:
        raise InputError(
            f"column {column} of {table_file} must hold 0 or 1, got {values[wrong[0]]!r} in row {wrong[0] + 2} "
            f"({len(wrong)} of {len(values)} rows have neither, counting the header as row 1); write 1 where the "
            f"image carries the label, 0 where it does not, and nothing or -1 where that is unknown"
        )
    return np.array([known[value] for value in values])


def _of_indicators(
    indicators: Mapping[str, np.ndarray], columns: Sequence[str], table_file: Path
) -> TableLabels:
    unknown = {name: int(np.isnan(values).sum()) for name, values in indicators.items()}
    if not any(unknown.values()):
        whole = {name: values.astype(np.int64) for name, values in indicators.items()}
        return TableLabels(columns, indicators=whole)
    counts = [f"{name} {count}" for name, count in unknown.items() if count]
    warnings.warn(
        f"labels of {table_file} are unknown where they are empty or -1, of {len(next(iter(indicators.values())))} "
        f"images: {listing(counts, most=20)}; write 0 or 1 where an empty value or -1 means no or yes",
        DataWarning,
        stacklevel=4,
    )
    return TableLabels(columns, indicators=indicators)


def required(table: pd.DataFrame, column: str, table_file: Path) -> list[str]:
    """A column as text.

    Raises:
        InputError: A value is missing; the message names the first rows.
    """
    values = texts(table[column])
    missing = [row for row, value in enumerate(values) if not value]
    if missing:
        raise InputError(
            f"column {column} of {table_file} must have a value in every row, but {len(missing)} of {len(values)} have "
            f"none (rows {listing((row + 2 for row in missing), most=5)}, the header is row 1); fill them in or "
            f"remove the rows"
        )
    return values
