"""From options to settings of a recipe."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
import yaml

from medtail.errors import InputError

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


def given(options: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the options that were given, by section.

    Example:
        >>> given({"training": {"epochs": 3, "seed": None}, "backbone": {"name": None}})
        {'training': {'epochs': 3}}
    """
    typed = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in options.items()
    }
    return {section: values for section, values in typed.items() if values}


def binary_subsample(beta: float | None) -> dict[str, Any] | None:
    """Return the setting ``data.subsample`` that ``--beta`` stands for."""
    return None if beta is None else {"name": "binary", "beta": beta}


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Turn ``["loss.scale=8", "schedule.name=step"]`` into nested settings; values are read as YAML.

    Raises:
        InputError: An assignment has no ``=`` or an empty key.

    Example:
        >>> parse_assignments(["loss.scale=8", "training.early_stopping_patience=null"])
        {'loss': {'scale': 8}, 'training': {'early_stopping_patience': None}}
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        keys = path.split(".")
        if not equals or not all(keys):
            raise InputError(f"--set takes section.key=value, got {assignment!r}; e.g. --set loss.scale=8")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"--set {path}: the value must be valid YAML, got {text!r}; quote it") from error
        # "1e-4" is a string to YAML 1.1, a number to everybody else.
        if isinstance(value, str):
            value = _number_or_text(value)
        section = settings
        for key in keys[:-1]:
            inner = section.setdefault(key, {})
            if not isinstance(inner, dict):
                raise InputError(f"--set {path}: {key} was set to a value before; set its parts or its whole")
            section = inner
        section[keys[-1]] = value
    return settings


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
