"""Names in messages: a suggestion for a misspelt one, and lists of them."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` for the known name closest to ``name``, or nothing when none is close.

    Example:
        >>> nearest("focall", ["ce", "focal"])
        '; did you mean focal?'
        >>> nearest("zebra", ["ce", "focal"])
        ''
    """
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def listing(names: Iterable[object], most: int = 10) -> str:
    """Join names for a message: the first ``most`` of them, and the number of the others.

    Example:
        >>> listing(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    texts = [str(name) for name in names]
    shown = ", ".join(texts[:most])
    return f"{shown} and {len(texts) - most} more" if len(texts) > most else shown
