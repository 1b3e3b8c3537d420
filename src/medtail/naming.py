"""Names in messages and tables: a suggestion for a misspelt one, lists of them, and names that are not plain text."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` for the known name closest to ``name``, or nothing when none is close.

    Of names that are equally close, one of the same letters is meant: two were swapped.

    Example:
        >>> nearest("focall", ["ce", "focal"])
        '; did you mean focal?'
        >>> nearest("dbm_sb", ["dbm_cb", "dbm_bs"])
        '; did you mean dbm_bs?'
        >>> nearest("zebra", ["ce", "focal"])
        ''
    """

    def closeness(other: str) -> tuple[float, bool]:
        return difflib.SequenceMatcher(None, other, name).ratio(), sorted(other) == sorted(name)

    close = difflib.get_close_matches(name, known)
    return f"; did you mean {max(close, key=closeness)}?" if close else ""


def listing(names: Iterable[object], most: int = 10) -> str:
    """Join names for a message: the first ``most`` of them, and the number of the others.

    Example:
        >>> listing(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    texts = [str(name) for name in names]
    shown = ", ".join(texts[:most])
    return f"{shown} and {len(texts) - most} more" if len(texts) > most else shown


def one_line(text: str) -> str:
    r"""Return a text with line breaks, terminal codes and bytes that are no text written as escapes.

    Example:
        >>> one_line("cannot read a\nb.png")
        'cannot read a\\nb.png'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text
    )


def is_plain(name: str) -> bool:
    r"""Return whether a name is text that files and terminals can hold: no NUL, and no bytes outside UTF-8.

    Example:
        >>> is_plain("Müller.png"), is_plain("a\0b"), is_plain("caf\udce9.png")
        (True, False, False)
    """
    return "\0" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)
