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

#: With fewer images in all, the test split is too small to judge by.
FEW_TO_JUDGE_BY = 1000

#: The recipe that starts from published weights.
PRETRAINED = "pretrained_images"

#: The tables that the suggestions rest on.
MEASURED = "the tables that these choices rest on are in docs/results/defaults.md"

#: With fewer training images, the recall of a class is mostly luck.
FEW_TO_LEARN_FROM = 50


@final
@dataclass(frozen=True)
class Suggestion:
    """What to train first.

    Attributes:
        recipe: Name of a data-set recipe.
        method: Name of a method recipe.
        reasons: Why these, a sentence each.
        advice: What to do beside the training, a sentence each.
    """

    recipe: str
    method: str
    reasons: tuple[str, ...]
    advice: tuple[str, ...] = ()


def suggest(collection: ImageCollection, counts: np.ndarray, *, recipe: str | None = None) -> Suggestion:
    """Suggest recipes.

    Args:
        collection: At least one image; all must be readable.
        counts: Number of training images of each class ``(C,)``; of all images if there are no splits.
        recipe: The data-set recipe, where the user has chosen one.
    """
    network, because = (recipe, []) if recipe is not None else _suggested_recipe(collection)
    method, because_of_the_classes = _suggested_method(collection, counts)
    advice = (MEASURED, *_advice(collection, counts))
    return Suggestion(network, method, (*because, because_of_the_classes), advice)


def _suggested_recipe(collection: ImageCollection) -> tuple[str, list[str]]:
    # Recipes import pydantic, which the rest of the audit does not need.
    from medtail.recipes.choose_recipe import choose_dataset_recipe
    from medtail.recipes.compose import read_axis

    recipe = choose_dataset_recipe(collection)
    if recipe == collection.name:
        return recipe, [f"medtail has a recipe for {collection.name}"]
    form = collection.typical_form()
    kind = "an image" if form.depth is None else "a volume"
    size = f"{kind} of median size has {form.size} {UNITS[len(form.shape)]}"
    if recipe != "images":
        return recipe, [size]
    network = read_axis("datasets", PRETRAINED)["backbone"]["name"]
    if not _is_at_hand(network):
        return recipe, [
            size,
            f"the published weights of {network} are not in the Hugging Face cache of this machine; where they can be "
            f"fetched, recipe {PRETRAINED} starts from them and needs fewer epochs",
        ]
    return PRETRAINED, [
        size,
        f"the published weights of {network} are at hand, from which it reaches more, in fewer epochs, than "
        f"from random ones",
    ]


def _is_at_hand(network: str) -> bool:
    from medtail.backbones import TimmNetwork

    return TimmNetwork.of(network).is_at_hand


def _suggested_method(collection: ImageCollection, counts: np.ndarray) -> tuple[str, str]:
    names = collection.class_names
    if collection.multi_label:
        return "asl", (
            "an image may carry several labels, so each label is a decision of its own; the asymmetric loss keeps the "
            "many images without a label from outweighing the few with it"
        )
    present = counts[counts > 0]
    ratio = present.max() / present.min()
    if ratio < NEARLY_EVEN:
        return (
            "ce",
            f"classes are nearly even (ratio {ratio:.2g}), so plain cross-entropy is not misled by them",
        )
    largest, smallest = names[int(counts.argmax())], names[int(np.where(counts > 0, counts, np.inf).argmin())]
    return "balanced_softmax", (
        f"{largest} has {ratio:.3g} times the images of {smallest}: cross-entropy would favour it; balanced softmax "
        f"corrects for the counts and has nothing to tune"
    )


def _advice(collection: ImageCollection, counts: np.ndarray) -> list[str]:
    """What to do beside the training."""
    advice = []
    few = [
        name
        for name, count in zip(collection.class_names, counts, strict=True)
        if 0 < count < FEW_TO_LEARN_FROM
    ]
    if few:
        advice.append(
            f"classes with fewer than {FEW_TO_LEARN_FROM} images to learn from ({listing(few)}) make the metrics of a "
            f"single run a matter of luck: train several seeds and read the intervals"
        )
    if "split" not in collection.table and len(collection) < FEW_TO_JUDGE_BY:
        advice.append(
            f"{len(collection)} images leave few to be judged by: cross-validation with five folds judges each of them"
        )
    return advice


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
    # The recipe with other weights is for its own network.
    chosen = draft.recipe.dataset if any("backbone" in change for change in changes) else recipe
    suggestion = suggest(judged, counts, recipe=chosen)
    return choose_recipe(collection, suggestion.method, suggestion.recipe, changes), suggestion
