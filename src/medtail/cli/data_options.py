"""Options of commands that read DATA: its columns, and which classes it has."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtail.errors import InputError

if TYPE_CHECKING:
    from medtail.data import TableColumns

ImageColumn = Annotated[
    str | None,
    typer.Option("--image-column", metavar="NAME", help="Column of a table with paths or ids of images."),
]
LabelColumn = Annotated[
    str | None, typer.Option("--label-column", metavar="NAME", help="Column of a table with class names.")
]
GroupColumn = Annotated[
    str | None,
    typer.Option("--group-column", metavar="NAME", help="Column of a table with patients or lesions."),
]
SplitColumn = Annotated[
    str | None, typer.Option("--split-column", metavar="NAME", help="Column of a table with splits.")
]
LabelSeparator = Annotated[
    str | None,
    typer.Option("--label-separator", metavar="TEXT", help="Between several labels of one image: a|b."),
]
Classes = Annotated[
    str | None, typer.Option("--classes", metavar="A,B,…", help="Keep these classes only, after --merge.")
]
Merge = Annotated[
    list[str] | None,
    typer.Option("--merge", metavar="NEW=A+B", help="Make one class of several; repeatable."),
]
Negative = Annotated[
    str | None,
    typer.Option(metavar="CLASS", help="With --positive: against this class (or a+b) alone."),
]


def data_settings(
    columns: "TableColumns",
    classes: str | None,
    merge: Iterable[str] | None,
    *,
    positive: str | None = None,
    negative: str | None = None,
    beta: float | None = None,
) -> dict[str, Any]:
    """Return the settings of the section ``data`` that these options stand for; None for an option left out.

    Raises:
        InputError: An assignment of ``merge`` names no new class, or no other.
    """
    return {
        "columns": columns.given() or None,
        "classes": parse_classes(classes),
        "merge": parse_merge(merge),
        "positive": positive,
        "negative": negative,
        "subsample": None if beta is None else {"name": "binary", "beta": beta},
    }


def parse_classes(text: str | None) -> list[str] | None:
    """Return the names in ``a,b``.

    Example:
        >>> parse_classes("mel, nv")
        ['mel', 'nv']
    """
    return None if text is None else [name.strip() for name in text.split(",")]


def parse_merge(assignments: Iterable[str] | None) -> dict[str, list[str]] | None:
    """Turn ``["malignant=mel+bcc"]`` into the classes that each new one stands for.

    Raises:
        InputError: An assignment names no new class, or no other.

    Example:
        >>> parse_merge(["malignant=mel+bcc"])
        {'malignant': ['mel', 'bcc']}
    """
    if not assignments:
        return None
    merge = {}
    for assignment in assignments:
        new, equals, parts = assignment.partition("=")
        names = [name.strip() for name in parts.split("+")]
        if not equals or not new.strip() or not all(names):
            raise InputError(f"--merge takes NEW=A+B, got {assignment!r}; e.g. --merge malignant=mel+bcc")
        merge[new.strip()] = names
    return merge
