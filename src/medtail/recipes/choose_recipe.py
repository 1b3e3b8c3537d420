"""The choice of a recipe for a data set if the user names none."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeGuard

from medtail.data import ImageCollection, TableColumns
from medtail.recipes.compose import (
    compose,
    compose_second_stage,
    load_recipe,
    merge,
    read_axis,
    read_recipe,
    recipe_names,
)
from medtail.recipes.fitted import fitted
from medtail.recipes.schema import Recipe
from medtail.runs.run import Run

#: Images of up to this many pixels or voxels per side suit a CIFAR network better than one with an ImageNet stem.
SMALL_IMAGE = 40


def choose_dataset_recipe(collection: ImageCollection) -> str:
    """Return the data set's own recipe if medtail has one, else the one for images of its size."""
    if collection.name in recipe_names("datasets"):
        return collection.name
    form = collection.typical_form()
    small, large = ("small_images", "images") if form.depth is None else ("small_volumes", "volumes")
    return small if min(form.shape) <= SMALL_IMAGE else large


def chosen_columns(recipe: str | None, changes: Sequence[Mapping[str, Any]] = ()) -> TableColumns:
    """Return the columns to open the data with: those of a recipe, with changes laid over them.

    Args:
        recipe: As for :func:`choose_recipe`.
        changes: Laid over it, in order.

    Raises:
        InputError: The recipe cannot be read, or there is none of this name.
    """
    first = first_stage_of(changes)
    if recipe is not None:
        settings = _settings_of(recipe)
    else:
        settings = {} if first is None else read_recipe(Run.of(first).require(Run.of(first).recipe))
    for change in changes:
        settings = merge(settings, change)
    columns = _section(_section(settings, "data"), "columns")
    known = {field.name for field in fields(TableColumns)}
    # Other settings are refused with the rest of the recipe.
    return TableColumns(
        **{name: str(value) for name, value in columns.items() if name in known and value is not None}
    )


def _settings_of(recipe: str) -> dict[str, Any]:
    return read_recipe(Path(recipe)) if is_recipe_file(recipe) else read_axis("datasets", recipe)


def _section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of settings that nobody has checked yet; empty if it is no section, which is refused later."""
    section = settings.get(name)
    return section if isinstance(section, Mapping) else {}


def is_recipe_file(recipe: str | None) -> TypeGuard[str]:
    """Whether a recipe is given by the path of a saved one rather than by name."""
    return recipe is not None and recipe.endswith((".yaml", ".yml"))


def choose_recipe(
    collection: ImageCollection,
    method: str | None,
    recipe: str | None,
    changes: Sequence[Mapping[str, Any]] = (),
) -> Recipe:
    """Compose the recipe of a run.

    Args:
        collection: The data.
        method: Key of a method recipe; may be None if ``recipe`` is a saved file.
        recipe: Name of a data-set recipe, path of a saved ``recipe.yaml``, or None to choose by the data; for a second
            stage (``backbone.from_run``), None takes the settings of the first one.
        changes: Settings to lay over the recipe, in order.

    Raises:
        InputError: A name or a setting is wrong.
    """
    if is_recipe_file(recipe):
        return load_recipe(Path(recipe), *changes)
    first = first_stage_of(changes)
    if recipe is None and first is not None:
        return compose_second_stage(Run.of(first).require(Run.of(first).recipe), str(method), *changes)
    dataset = choose_dataset_recipe(collection) if recipe is None else recipe
    # What is fitted to the data stands between the two axes: the method has the last word.
    of_the_data = merge(fitted(dataset, collection), read_axis("methods", str(method)))
    return compose(dataset, str(method), of_the_data, _channels(collection), *changes)


def first_stage_of(changes: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the run that the last of the changes names as the first stage; None if they name none."""
    named = [_section(change, "backbone").get("from_run") for change in changes]
    return next((str(run) for run in reversed(named) if run is not None), None)


def _channels(collection: ImageCollection) -> Mapping[str, Any]:
    """The number of channels, if the channels are quantities of their own, whatever a recipe of images says."""
    form = collection.form_or_none()
    return {} if form is None or form.channels is None else {"data": {"channels": form.channels}}
