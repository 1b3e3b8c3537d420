"""Priors, recalls and costs as they are written on the command line."""

import csv
import math
from pathlib import Path

import numpy as np

from medtail.errors import InputError
from medtail.naming import nearest
from medtail.operating_point.prior_shift import checked_prior


def parse_prior(text: str, class_names: tuple[str, ...]) -> np.ndarray:
    """Read ``0.7,0.2,0.1`` in class-id order, ``nv=0.7,mel=0.2,bcc=0.1`` in any order, or ``uniform``.

    Raises:
        InputError: A class is missing, unknown or named twice, or the numbers are not a prior.

    Example:
        >>> parse_prior("mel=0.1,nv=0.9", ("nv", "mel"))
        array([0.9, 0.1])
        >>> parse_prior("uniform", ("nv", "mel"))
        array([0.5, 0.5])
    """
    if text.strip() == "uniform":
        return np.full(len(class_names), 1 / len(class_names))
    entries = [entry.strip() for entry in text.split(",")]
    if not any("=" in entry for entry in entries):
        if len(entries) != len(class_names):
            raise InputError(
                f"--prior must be one number for each of {len(class_names)} classes ({', '.join(class_names)}), "
                f"got {len(entries)}"
            )
        return checked_prior("--prior", [_number("--prior", entry) for entry in entries])
    shares: dict[str, float] = {}
    for entry in entries:
        name, equals, value = entry.rpartition("=")
        if not equals:
            raise InputError(
                f"--prior takes numbers, or CLASS=NUMBER for every class, got {entry!r} among them"
            )
        _check_class("--prior", name, class_names)
        if name in shares:
            raise InputError(f"--prior must name each class once, names {name} twice")
        shares[name] = _number("--prior", value)
    missing = [name for name in class_names if name not in shares]
    if missing:
        raise InputError(f"--prior must name every class, {', '.join(missing)} missing")
    return checked_prior("--prior", [shares[name] for name in class_names])


def parse_recall(text: str, class_names: tuple[str, ...]) -> tuple[int, float]:
    """Read ``mel=0.95`` as a class id and a recall.

    Raises:
        InputError: The text has another form, or the class is unknown.

    Example:
        >>> parse_recall("mel=0.95", ("nv", "mel"))
        (1, 0.95)
    """
    name, equals, value = text.rpartition("=")
    if not equals or not name:
        raise InputError(
            f"--recall takes CLASS=RECALL, got {text!r}; write e.g. --recall {class_names[-1]}=0.95"
        )
    _check_class("--recall", name, class_names)
    recall = _number("--recall", value)
    if not 0 < recall < 1:
        raise InputError(
            f"--recall must lie between 0 and 1, got {recall:g} for {name}; 1 cannot be promised from a sample"
        )
    return class_names.index(name), recall


def read_costs(path: Path, class_names: tuple[str, ...]) -> np.ndarray:
    """Read a table of costs, truth × decision: C × C numbers, alone or with class names around them in any order.

    Raises:
        InputError: The file is missing or is not text, has another size, names another class, or holds an entry that
            is not a cost.
    """
    if not path.is_file():
        raise InputError(f"--costs file {path} does not exist")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = [[cell.strip() for cell in row] for row in csv.reader(file) if any(map(str.strip, row))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--costs file {path} is not a CSV file ({error})") from error
    size = len(class_names)
    shape = (len(table), {len(row) for row in table})
    if shape == (size, {size}):
        order, rows = list(range(size)), table
        columns = order
    elif shape == (size + 1, {size + 1}):
        columns = _class_ids(path, "header", table[0][1:], class_names)
        order = _class_ids(path, "first column", [row[0] for row in table[1:]], class_names)
        rows = [row[1:] for row in table[1:]]
    else:
        widths = " or ".join(map(str, sorted(shape[1]))) or "no"
        raise InputError(
            f"--costs must be {size} × {size} numbers, rows the truth and columns the decision, with or without class "
            f"names around them, {path} has {len(table)} rows of {widths} cells"
        )
    costs = np.zeros((size, size))
    for truth, row in zip(order, rows, strict=True):
        for decision, cell in zip(columns, row, strict=True):
            place = f"{class_names[truth]} decided as {class_names[decision]}"
            costs[truth, decision] = _cost(cell, place)
    return costs


def _class_ids(path: Path, where: str, names: list[str], class_names: tuple[str, ...]) -> list[int]:
    for name in names:
        _check_class(f"the {where} of {path}", name, class_names)
    if len(set(names)) != len(names):
        raise InputError(f"the {where} of {path} must name each class once, got {', '.join(names)}")
    return [class_names.index(name) for name in names]


def _check_class(argument: str, name: str, class_names: tuple[str, ...]) -> None:
    if name not in class_names:
        raise InputError(
            f"{argument} must name classes of the run ({', '.join(class_names)}), "
            f"got {name!r}{nearest(name, class_names)}"
        )


def _number(argument: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{argument} must be numbers, got {text.strip()!r}; write e.g. 0.25") from None
    if not math.isfinite(value):
        raise InputError(f"{argument} must be finite numbers, got {text.strip()!r}")
    return value


def _cost(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(
            f"--costs must be finite numbers of at least 0, got {text!r} for {place}; a gain is a cost of 0"
        )
    return value
