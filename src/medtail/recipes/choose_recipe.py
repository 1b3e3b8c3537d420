"""Which recipe fits a data set when the user names none."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medtail.data import ImageCollection
from medtail.recipes.compose import compose, load_recipe, recipe_names
from medtail.recipes.schema import Recipe

#: Up to here, in pixels or voxels, a CIFAR network sees more than one with an ImageNet stem.
SMALL_IMAGE = 40


def choose_dataset_recipe(collection: ImageCollection) -> str:
    """The data set's own recipe when medtail brings one, else one for its size of images."""
    if collection.name in recipe_names("datasets"):
        return collection.name
    form = collection.first_form()
    small, large = ("small_images", "images") if form.depth is None else ("small_volumes", "volumes")
    return small if min(form.shape) <= SMALL_IMAGE else large


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
    return compose(dataset, str(method), _of_the_data(collection), *changes)


def _of_the_data(collection: ImageCollection) -> Mapping[str, Any]:
    """Channels that are quantities of their own are as many as they are, whatever a recipe of images says."""
    form = collection.form_or_none()
    return {} if form is None or form.channels is None else {"data": {"channels": form.channels}}
