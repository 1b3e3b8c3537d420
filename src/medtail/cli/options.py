"""From options to settings of a recipe."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from medtail.errors import InputError


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
