"""From options to settings of a recipe, and to places that may be written."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from medtail.errors import InputError
from medtail.naming import is_plain


class Split(StrEnum):
    """The splits that a run has predictions for."""

    validation = "validation"
    test = "test"


HeatMap = Annotated[
    str | None,
    typer.Option(
        "--heat-map",
        metavar="NAME",
        help="With --explain: grad-cam (the default), grad-cam++, hires-cam or layer-cam.",
        show_default=False,
    ),
]
Combine = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The mean of several runs or views: probabilities (the default) or log-probabilities.",
        show_default=False,
    ),
]
TestTimeAugmentation = Annotated[
    str | None,
    typer.Option(
        "--test-time-augmentation",
        metavar="NAME",
        help="Predict several views of each image: flips or rotations.",
        show_default=False,
    ),
]
OperatingPointFile = Annotated[
    Path | None,
    typer.Option(
        "--operating-point-file",
        metavar="FILE",
        help="Decide as this file says, which medtail adapt wrote with --out for several runs or views.",
    ),
]


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


def check_output(out: Path, *, overwrite: bool, data: Iterable[str | Path] = ()) -> None:
    """Refuse a file to write that exists, unless it may be overwritten; and any inside a run or the data.

    Args:
        out: The file.
        overwrite: Whether a file that exists may be replaced.
        data: Files and folders of images.

    Raises:
        InputError: The place is taken or belongs to a run or to the data.
    """
    if not is_plain(str(out)):
        raise InputError(f"`out` must be a path in UTF-8, got {str(out)!r}; choose another name")
    if out.exists() and not out.is_file():
        raise InputError(f"`out` must be a file, {out} is a folder, pipe or device; name a file")
    _check_outside("out", out, data)
    if out.exists() and not overwrite:
        raise InputError(
            f"`out` must be a new file, {out} exists; choose another name or give `overwrite=True`"
        )


def parse_axes(assignments: Iterable[str]) -> tuple[list[str], dict[str, list[Any]]]:
    """Part assignments of one value from those of several, ``loss.scale=4,8``; the values are read as YAML.

    Returns:
        The assignments of one value, and from the path of each other setting to its values.

    Raises:
        InputError: The values are no YAML, or a setting is given twice.

    Example:
        >>> parse_axes(["loss.scale=4,8", "training.epochs=3", "data.classes=[a,b]"])
        (['training.epochs=3', 'data.classes=[a,b]'], {'loss.scale': [4, 8]})
    """
    fixed, axes = [], {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        values = _value(path, f"[{text}]") if "," in text else None
        if not equals or not isinstance(values, list) or len(values) < 2:
            fixed.append(assignment)
        elif path in axes:
            raise InputError(
                f"--set {path} is given twice, with several values each; give all values at once"
            )
        else:
            axes[path] = [_number_or_text(value) if isinstance(value, str) else value for value in values]
    return fixed, axes


def are_runs(paths: Iterable[Path]) -> list[Path]:
    """Return those paths that are folders with a recipe."""
    # Imported late: it takes pandas, which --help need not wait for.
    from medtail.runs.run import Run

    return [path for path in paths if Run(path).recipe.is_file()]


def check_heat_map(heat_map: str | None, *, explains: bool) -> None:
    """Refuse a kind of heat map where none is drawn."""
    if heat_map is not None and not explains:
        raise InputError(
            f"--heat-map chooses how --explain draws, which is missing, got {heat_map}; give both"
        )


def check_picture_folder(explain: Path, *, filled: bool, data: Iterable[str | Path] = ()) -> None:
    """Refuse a folder for pictures that holds something, unless it may; and any inside a run or the data.

    Args:
        explain: The folder.
        filled: Whether it may hold something already.
        data: Files and folders of images.

    Raises:
        InputError: The place is taken or belongs to a run or to the data.
    """
    if not is_plain(str(explain)):
        raise InputError(f"`explain` must be a path in UTF-8, got {str(explain)!r}; choose another name")
    _check_outside("explain", explain, data)
    if explain.exists() and (not explain.is_dir() or (any(explain.iterdir()) and not filled)):
        raise InputError(
            f"`explain` must be a new or empty folder, {explain} is not; choose another name or give `overwrite=True`"
        )


def _check_outside(argument: str, path: Path, data: Iterable[str | Path]) -> None:
    """Refuse to write into a run or into the data."""
    # Imported late: it takes pandas, which --help need not wait for.
    from medtail.runs.run import Run

    place = path.resolve()
    for folder in (place, *place.parents):
        if Run(folder).recipe.is_file() or Run(folder).dataset.is_file():
            raise InputError(
                f"`{argument}` must lie outside of every run, {path} lies in {folder}; choose another place"
            )
    for taken in map(Path, data):
        try:
            known = taken.resolve()
            inside = place == known or (known.is_dir() and place.is_relative_to(known))
        except (OSError, ValueError):
            continue
        if inside:
            raise InputError(
                f"`{argument}` must lie outside of the data, {path} lies in {taken}; choose another place"
            )


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
        value = _value(path, text)
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


def _value(path: str, text: str) -> Any:
    # Help need not wait for a reader of YAML.
    import yaml

    from medtail.files import load_yaml

    try:
        return load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        shown = text if len(text) <= 80 else f"{text[:80]}…"
        raise InputError(f"--set {path}: the value must be valid YAML, got {shown!r}; quote it") from error


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
