"""From names to a recipe: one file from each of two axes, merged with the changes of the user.

The axes are ``recipes/datasets`` and ``recipes/methods``. Later settings win: data set, method, changes in their order.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from medtail.errors import InputError
from medtail.files import load_yaml
from medtail.losses.descriptions import UNAVAILABLE_LOSSES
from medtail.naming import nearest
from medtail.recipes.refusals import refusal
from medtail.recipes.schema import Recipe

#: The folders of recipes that come with medtail.
Axis = Literal["datasets", "methods", "grids", "spaces"]

#: Sections of a saved recipe that a second stage takes from its own method.
_OF_THE_METHOD = ("head", "loss", "method", "sampling")

#: Keys that mean the same under any name of their section.
_WHATEVER_THE_NAME = ("sharpness", "layer_decay", "decay_weights_only", "cached_features", "cached_views")


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``change`` laid over it, section by section.

    A section whose ``name`` changes is replaced as a whole: the momentum of SGD means nothing to Adam. Only an
    optimizer's ``sharpness``, ``layer_decay`` and ``decay_weights_only`` and a backbone's ``cached_features`` stay,
    because they go with any of them.

    Example:
        >>> merge({"optimizer": {"name": "sgd", "momentum": 0.9}}, {"optimizer": {"learning_rate": 0.1}})
        {'optimizer': {'name': 'sgd', 'momentum': 0.9, 'learning_rate': 0.1}}
        >>> merge({"optimizer": {"name": "sgd", "momentum": 0.9}}, {"optimizer": {"name": "adam"}})
        {'optimizer': {'name': 'adam'}}
    """
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = value
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            keeps_its_name = value.get("name", old.get("name")) == old.get("name")
            kept = old if keeps_its_name else {name: old[name] for name in _WHATEVER_THE_NAME if name in old}
            merged[key] = merge(kept, value)
    return merged


def recipe_names(axis: Axis) -> list[str]:
    """Return the names of the recipes on one axis that come with medtail."""
    folder = resources.files("medtail") / "recipes" / axis
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def read_axis(axis: Axis, name: str) -> dict[str, Any]:
    """Read one recipe of one axis.

    Raises:
        InputError: There is no recipe of this name; the message names all of them, and the nearest.
    """
    known = recipe_names(axis)
    if axis == "methods" and name in UNAVAILABLE_LOSSES:
        raise InputError(f"method {name} is {UNAVAILABLE_LOSSES[name]}; choose one of {', '.join(known)}")
    if name not in known:
        raise InputError(
            f"{axis[:-1]} recipe must be one of {', '.join(known)}, got {name!r}{nearest(name, known)}"
        )
    text = (resources.files("medtail") / "recipes" / axis / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def describe_axis(axis: Axis, name: str) -> str:
    """Return the first comment line of a recipe file, which says what it is for."""
    text = (resources.files("medtail") / "recipes" / axis / f"{name}.yaml").read_text(encoding="utf-8")
    return text.splitlines()[0].removeprefix("#").strip()


def compose(dataset: str, method: str, *changes: Mapping[str, Any]) -> Recipe:
    """Merge a data-set recipe, a method recipe and changes, and validate the result.

    Raises:
        InputError: A setting is wrong; the message names every wrong key, its value and what is allowed.
    """
    settings = merge(read_axis("datasets", dataset), read_axis("methods", method))
    for change in changes:
        settings = merge(settings, change)
    return validate({**settings, "recipe": {"dataset": dataset, "method": method}})


def compose_second_stage(first: Path, method: str, *changes: Mapping[str, Any]) -> Recipe:
    """Merge the recipe that a run saved with another method's, for a training that starts from this run.

    All that belongs to the data and the network is kept; the method's recipe and the changes are laid over it.

    Args:
        first: ``recipe.yaml`` of the run.
        method: Key of the method recipe.
        changes: Settings laid over both, in order.

    Raises:
        InputError: The file is missing, or a setting is wrong.
    """
    saved = load_recipe(first).model_dump(mode="json")
    kept = {section: values for section, values in saved.items() if section not in _OF_THE_METHOD}
    # How the first stage began says nothing of the second.
    kept["backbone"] = {**saved["backbone"], "from_run": None, "cached_features": False}
    settings = merge(kept, read_axis("methods", method))
    for change in changes:
        settings = merge(settings, change)
    return validate({**settings, "recipe": {"dataset": saved["recipe"]["dataset"], "method": method}})


def load_recipe(path: Path, *changes: Mapping[str, Any]) -> Recipe:
    """Read a saved recipe and lay changes over it.

    Raises:
        InputError: The file is missing or is no YAML mapping, or a setting is wrong.
    """
    settings = read_recipe(path)
    for change in changes:
        settings = merge(settings, change)
    return validate(settings)


def read_recipe(path: Path) -> dict[str, Any]:
    """Read the settings of a saved recipe, whatever they are.

    Raises:
        InputError: The file is missing or is no YAML mapping.
    """
    # Imported here because the tables of a run need pandas, which a list of recipes should not wait for.
    from medtail.runs.settings import migrated

    settings = read_settings(path, "recipe", "compare it with a saved recipe.yaml")
    if not isinstance(settings, dict):
        raise InputError(
            f"recipe file {path} must hold sections (data, loss, …), got {type(settings).__name__}"
        )
    return migrated(settings)


def read_settings(path: Path, kind: str, remedy: str) -> Any:
    """Read a YAML file of settings.

    Args:
        path: The file.
        kind: What it is, for messages.
        remedy: What to do about a file that is no YAML.

    Raises:
        InputError: It is missing, no file, or no YAML that :func:`medtail.runs.stored_files.load_yaml` takes.
    """
    if not path.exists():
        raise InputError(f"{kind} file {path} does not exist; give one that does")
    if not path.is_file():
        raise InputError(f"{kind} file {path} must be a file, but is a folder, pipe or device; give another")
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = "" if isinstance(error, yaml.YAMLError | UnicodeDecodeError) else f" ({error})"
        raise InputError(f"{kind} file {path} is not valid YAML{why}; {remedy}") from error


def validate(settings: Mapping[str, Any]) -> Recipe:
    """Turn nested settings into a :class:`Recipe`.

    Raises:
        InputError: Some are wrong; the message has one sentence for each.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        raise refusal(error) from error
