"""What to try first on a data set, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from medtail.data import choose_classes, positive_versus_rest
from medtail.data.collection import ImageCollection
from medtail.data.decoded.image_shape import UNITS
from medtail.errors import InputError
from medtail.naming import listing

if TYPE_CHECKING:
    from medtail.recipes.schema import Recipe

#: Below this ratio of the largest to the smallest class, the imbalance does little harm.
NEARLY_EVEN = 2.0

#: With fewer training images, the recall of a class is mostly luck.
FEW_TO_LEARN_FROM = 50


@final
@dataclass(frozen=True)
class Suggestion:
    """Names of a data-set recipe and a method recipe, with one sentence per reason."""

    recipe: str
    method: str
    reasons: tuple[str, ...]


def suggest(collection: ImageCollection, counts: np.ndarray) -> Suggestion:
    """Suggest recipes.

    Args:
        collection: At least one image; all must be readable.
        counts: Number of training images of each class ``(C,)``; of all images if there are no splits.
    """
    # Recipes import pydantic, which the rest of the audit does not need.
    from medtail.recipes.choose_recipe import choose_dataset_recipe

    names = collection.class_names
    recipe = choose_dataset_recipe(collection)
    form = collection.typical_form()
    reasons = [
        f"medtail has a recipe for {collection.name}"
        if recipe == collection.name
        else f"{'an image' if form.depth is None else 'a volume'} of median size has {form.size} "
        f"{UNITS[len(form.shape)]}"
    ]
    present = counts[counts > 0]
    ratio = present.max() / present.min()
    largest, smallest = names[int(counts.argmax())], names[int(np.where(counts > 0, counts, np.inf).argmin())]
    if collection.multi_label:
        method = "asl"
        reasons.append(
            "an image may carry several labels, so each label is a decision of its own; the asymmetric loss keeps the "
            "many images without a label from outweighing the few with it"
        )
    elif ratio < NEARLY_EVEN:
        method = "ce"
        reasons.append(
            f"classes are nearly even (ratio {ratio:.2g}), so plain cross-entropy is not misled by them"
        )
    else:
        method = "balanced_softmax"
        reasons.append(
            f"{largest} has {ratio:.3g} times the images of {smallest}: cross-entropy would favour it; "
            f"balanced softmax corrects for the counts and has nothing to tune"
        )
    few = [name for name, count in zip(names, counts, strict=True) if 0 < count < FEW_TO_LEARN_FROM]
    if few:
        reasons.append(
            f"classes with fewer than {FEW_TO_LEARN_FROM} images to learn from ({listing(few)}) make the metrics of a "
            f"single run a matter of luck: train several seeds and read the intervals"
        )
    return Suggestion(recipe, method, tuple(reasons))


def suggested_recipe(
    collection: ImageCollection, recipe: str | None = None, changes: Sequence[Mapping[str, Any]] = ()
) -> "tuple[Recipe, Suggestion]":
    """Compose the recipe of a run whose method the data decide.

    The classes are judged as the run will see them: chosen, merged, set against the rest and subsampled.

    Args:
        collection: The data, as opened.
        recipe: Name of a data-set recipe; None chooses it by the data.
        changes: Settings to lay over the recipe, in order.

    Returns:
        The recipe, and the suggestion it follows.

    Raises:
        InputError: A name or a setting is wrong, or ``backbone.from_run`` is set: the data do not tell what a second
            stage is for.

    Example:
        >>> from medtail.data import open_collection
        >>> recipe, suggestion = suggested_recipe(open_collection("digits-lt"))
        >>> recipe.recipe.method, suggestion.method
        ('balanced_softmax', 'balanced_softmax')
    """
    from medtail.recipes.choose_recipe import choose_recipe, first_stage_of
    from medtail.recipes.subsample_profile import subsample_profile

    first = first_stage_of(changes)
    if first is not None:
        raise InputError(
            f"`method` is required with `backbone.from_run`, here {first}, because the data do not tell what a second "
            f"stage is for; choose e.g. crt"
        )
    draft = choose_recipe(collection, "ce", recipe, changes)
    judged = choose_classes(collection, draft.data.classes, draft.data.merge)
    if draft.data.positive is not None:
        judged = positive_versus_rest(judged, draft.data.positive, draft.data.negative)
    counts = judged.class_counts("train" if "split" in judged.table else None)
    counts = np.minimum(subsample_profile(draft)(counts), counts)
    suggestion = suggest(judged, counts)
    return choose_recipe(collection, suggestion.method, recipe, changes), suggestion
