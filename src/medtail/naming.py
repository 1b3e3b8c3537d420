"""Help for a misspelt name."""

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
