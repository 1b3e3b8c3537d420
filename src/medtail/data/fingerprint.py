"""Bytes to hash, so that fingerprints differ wherever texts differ."""

from collections.abc import Iterable


def length_prefixed(texts: Iterable[str]) -> bytes:
    """Join texts as UTF-8, each behind its length in 8 bytes, so that no other list of texts gives the same bytes.

    Example:
        >>> length_prefixed(["ab", "c"]) == length_prefixed(["a", "bc"])
        False
    """
    encoded = (text.encode() for text in texts)
    return b"".join(len(text).to_bytes(8, "big") + text for text in encoded)
