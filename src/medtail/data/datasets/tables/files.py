"""Reading the file of a table: its encoding, its delimiter, and rows that do not fit the header."""

import codecs
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medtail.data.collection import DataWarning
from medtail.data.datasets.values import clean
from medtail.errors import InputError
from medtail.naming import listing

TABLE_EXTENSIONS = (".csv", ".tsv", ".parquet")

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

#: Longest encodings first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def tables_in(folder: Path) -> list[Path]:
    """The tables that lie in a folder, by name; not those that a contest wants to be sent, which hold no truth."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in TABLE_EXTENSIONS
        and entry.is_file()
        and not entry.name.startswith(".")
        and "submission" not in entry.name.lower()
    )


def read_table(table_file: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a table, and say how if not in the plainest way.

    CSV is read as text, so that ids such as 00123 keep their zeros. Commas, semicolons, tabs and vertical bars are
    told apart by the header; UTF-8, UTF-16 and Windows-1252 by the bytes.

    Args:
        table_file: A file with one of the extensions ``.csv``, ``.tsv`` and ``.parquet``.

    Returns:
        The table, and how it was read.

    Raises:
        InputError: The file cannot be read, a column occurs twice, or rows are wider than the header.
    """
    try:
        if table_file.suffix.lower() == ".parquet":
            table = pd.read_parquet(table_file)
            # Columns that were written as the index are columns like others.
            table = table.reset_index() if any(table.index.names) else table
            return table.rename(columns=lambda name: clean(str(name))), []
        return _read_text(table_file)
    except InputError:
        raise
    except (ValueError, OSError, csv.Error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"table {table_file} cannot be read as {table_file.suffix} ({reason}); save it again"
        ) from error


def _read_text(table_file: Path) -> tuple[pd.DataFrame, list[str]]:
    text, notes = _decoded(table_file)
    # Spreadsheets may write the delimiter into a line of its own.
    text = re.sub(r'\A"?sep=.\"?\r?\n', "", text, flags=re.IGNORECASE)
    delimiter = _delimiter(text)
    if delimiter != ",":
        notes.append(f"read with a {_DELIMITERS[delimiter]} between columns")
    rows = [
        (number, row)
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), start=1)
        if any(field.strip() for field in row)
    ]
    if not rows:
        raise ValueError("it is empty")
    header = [clean(name) for name in rows[0][1]]
    content = _fitted(table_file, header, rows[1:], notes)
    table = pd.DataFrame(content, columns=range(len(header)), dtype=object)
    unnamed = [place for place, name in enumerate(header) if not name]
    # A column without a name is an index that was saved along.
    if any(row[place].strip() for row in content for place in unnamed):
        notes.append("a column without a name is not used")
    table = table.drop(columns=unnamed)
    table.columns = pd.Index([name for name in header if name])
    repeated = [name for name, count in Counter(table.columns).items() if count > 1]
    if repeated:
        raise InputError(
            f"each column of {table_file} must have a name of its own, but {listing(repeated)} occur more than once; "
            f"rename or remove them"
        )
    return table, notes


def _decoded(table_file: Path) -> tuple[str, list[str]]:
    content = table_file.read_bytes()
    marked = next((encoding for mark, encoding in _MARKS.items() if content.startswith(mark)), None)
    if marked is not None:
        return content.decode(marked), [] if marked == "utf-8-sig" else [f"read as {marked.upper()}"]
    start = content[:1000]
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[0::2])):
        if zeros and zeros.count(0) > len(zeros) / 2:
            return content.decode(encoding), [f"read as {encoding.upper()}"]
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError:
        warnings.warn(
            f"{table_file} is not UTF-8 and is read as Windows-1252, the usual encoding of spreadsheets; check names "
            f"with accents, or save it as UTF-8",
            DataWarning,
            stacklevel=5,
        )
        return content.decode("cp1252", errors="replace"), ["read as Windows-1252"]


def _delimiter(text: str) -> str:
    """The one that divides the header into most columns; a comma if none does."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=lambda delimiter: len(next(csv.reader([first], delimiter=delimiter))))


def _fitted(
    table_file: Path, header: Sequence[str], rows: Sequence[tuple[int, list[str]]], notes: list[str]
) -> list[list[str]]:
    """The rows, all as wide as the header.

    Empty fields behind the last column are harmless, and so are the row names that R writes without a name in the
    header.
    """
    width = len(header)
    if rows and all(
        len(row) == width + 1 and row[0] == str(order) for order, (_, row) in enumerate(rows, start=1)
    ):
        notes.append("row names left out")
        return [row[1:] for _, row in rows]
    wide = [(number, row) for number, row in rows if any(field.strip() for field in row[width:])]
    if wide:
        raise InputError(
            f"rows of {table_file} must have as many fields as the header, but {len(wide)} of {len(rows)} have more "
            f"than {width}: {listing((f'row {number} ({len(row)} fields)' for number, row in wide), most=3)}; put "
            f"values with commas into quotes, or name every column"
        )
    short = [number for number, row in rows if len(row) < width]
    if short:
        warnings.warn(
            f"rows of {table_file} have fewer fields than the header, whose other columns are empty there: "
            f"{len(short)} of {len(rows)} (row {listing(short, most=3)})",
            DataWarning,
            stacklevel=5,
        )
    return [(row + [""] * (width - len(row)))[:width] for _, row in rows]
