"""Which recipe fits a data set when the user names none."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medtail.data import ImageCollection
from medtail.training.recipe import Recipe, compose, load_recipe, recipe_names

#: Up to here, in pixels, a CIFAR network sees more than one with an ImageNet stem.
SMALL_IMAGE = 40


def choose_dataset_recipe(collection: ImageCollection) -> str:
    """The data set's own recipe when medtail brings one, else one for its size of images."""
    if collection.name in recipe_names("datasets"):
        return collection.name
    form = collection.first_form()
    return "small_images" if min(form.height, form.width) <= SMALL_IMAGE else "images"


def choose_recipe(
    collection: ImageCollection,
    method: str | None,
    recipe: str | None,
    changes: Sequence[Mapping[str, Any]] = (),
) -> Recipe:
    """Compose the recipe of a run.

    Args:
        collection: The data.
        method: Key of a method recipe; may be None when ``recipe`` is a saved file.
        recipe: Name of a data-set recipe, path of a saved ``recipe.yaml``, or None to choose by the data.
        changes: Laid over it, in order.

    Raises:
        InputError: A name or a setting is wrong.
    """
    if recipe is not None and recipe.endswith((".yaml", ".yml")):
        return load_recipe(Path(recipe), *changes)
    dataset = choose_dataset_recipe(collection) if recipe is None else recipe
    return compose(dataset, str(method), *changes)
