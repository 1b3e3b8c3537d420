"""Names: a suggestion for a misspelt one, lists of them, names that are not plain text, and names that load late."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any


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


def late_names(
    package: str, modules: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports a module when a name of it is first used.

    Importing PyTorch or Lightning takes seconds, which a command that needs another part of the package would wait for.

    Args:
        package: ``__name__`` of the package.
        modules: From each module, relative to the package (``"catalogue"``, or ``".sam"`` beside it), to the names it
            holds; its own name stands for the module.

    Example:
        >>> load, _ = late_names("medtail", {"naming": ["naming", "nearest"]})
        >>> load("nearest") is load("naming").nearest
        True
    """
    places = {name: module for module, names in modules.items() for name in names}

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package} has no attribute {name!r}")
        module = import_module(f".{places[name]}", package)
        return module if places[name] == name else getattr(module, name)

    return load, lambda: list(places)
