"""Values of tables as text, in one spelling."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pandas as pd

#: How missing values are written. "None" is not among them, because a class may be called so.
_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "<NA>")

#: A whole number, perhaps with a fraction of zeros, behind a comma where those are usual.
_WHOLE = re.compile(r"([+-]?[0-9]+)([.,]0*)?")


def clean(text: str) -> str:
    """Text without blanks around it, with composed accents (Unicode NFC).

    Example:
        >>> clean(" nevus "), len(clean("e" + chr(0x301)))
        ('nevus', 1)
    """
    return (text if text.isascii() else unicodedata.normalize("NFC", text)).strip()


def is_missing(text: str) -> bool:
    """Whether a cleaned value stands for none."""
    return text in _MISSING


def texts(column: "pd.Series[Any]") -> list[str]:
    """A column as text: cleaned, missing values empty, and every whole number in one spelling.

    Where all values are whole numbers, ``7.0`` is ``7``, in CSV as in Parquet, which stores whole numbers as floats
    where a value was missing once. Leading zeros are kept.

    Example:
        >>> texts(pd.Series(["7", " 7.0", "NA"])), texts(pd.Series([7.0, None])), texts(pd.Series(["07,0", "7"]))
        (['7', '7', ''], ['7', ''], ['07', '7'])
        >>> texts(pd.Series(["07", "7.5"]))
        ['07', '7.5']
    """
    values = column.astype(object).where(column.notna(), "")
    # Columns repeat few values, so each is cleaned once. True, 1 and 1.0 are one key, hence not where types mix.
    if pd.api.types.infer_dtype(values, skipna=False).startswith("mixed"):
        return _spelled([_text(value) for value in values])
    places, distinct = pd.factorize(values)
    spelled = _spelled([_text(value) for value in distinct])
    return [spelled[place] for place in places.tolist()]


def _spelled(values: list[str]) -> list[str]:
    """Cleaned values: missing ones empty, and whole numbers in one spelling where all are whole."""
    values = ["" if is_missing(value) else value for value in values]
    whole = [_WHOLE.fullmatch(value) if value else None for value in values]
    if any(match is None and value for match, value in zip(whole, values, strict=True)):
        return values
    return [match[1] if match else "" for match in whole]


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean(str(value))


def similar(values: Iterable[str]) -> list[str]:
    """Values that differ only by case, blanks, leading zeros or ``.0``, as text: ``'P7' and 'p07'``.

    Example:
        >>> similar(["P7", "p07", "7", "7.0", "q"])
        ["'P7' and 'p07'", "'7' and '7.0'"]
    """
    written: dict[str, list[str]] = defaultdict(list)
    for value in dict.fromkeys(values):
        key = "".join(unicodedata.normalize("NFKC", value).split()).casefold()
        written[re.sub(r"(?<![0-9.])0+(?=[0-9])", "", re.sub(r"\.0+$", "", key))].append(value)
    return [" and ".join(map(repr, group)) for group in written.values() if len(group) > 1]
