"""From options to settings of a recipe."""

from collections.abc import Mapping
from typing import Any


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
