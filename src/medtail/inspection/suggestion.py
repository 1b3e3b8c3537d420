"""What to try first on a data set, and why."""

from dataclasses import dataclass
from typing import final

import numpy as np

from medtail.data.collection import ImageCollection
from medtail.data.decoded.image_shape import UNITS
from medtail.naming import listing

#: Below this ratio of the largest to the smallest class, the prior is not what hurts.
NEARLY_EVEN = 2.0

#: With fewer training images, the recall of a class is mostly luck.
FEW_IMAGES = 50


@final
@dataclass(frozen=True)
class Suggestion:
    """Names of a data-set recipe and a method recipe, with one sentence a reason."""

    recipe: str
    method: str
    reasons: tuple[str, ...]


def suggest(collection: ImageCollection, counts: np.ndarray) -> Suggestion:
    """Suggest recipes.

    Args:
        collection: At least one image, all readable.
        counts: ``(C,)`` training images of each class; all images where there is no split.
    """
    # Recipes need pydantic, which reading data does not.
    from medtail.recipes.choose_recipe import choose_dataset_recipe

    names = collection.class_names
    recipe = choose_dataset_recipe(collection)
    form = collection.first_form()
    reasons = [
        f"medtail brings a recipe for {collection.name}"
        if recipe == collection.name
        else f"the first {'image' if form.depth is None else 'volume'} has {form.size} {UNITS[len(form.shape)]}"
    ]
    present = counts[counts > 0]
    ratio = present.max() / present.min()
    largest, smallest = names[int(counts.argmax())], names[int(np.where(counts > 0, counts, np.inf).argmin())]
    if collection.multi_label:
        method = "asl"
        reasons.append(
            "an image may carry several labels, so each is a decision of its own; the asymmetric loss keeps the many "
            "images without a label from drowning those with it"
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
    few = [name for name, count in zip(names, counts, strict=True) if 0 < count < FEW_IMAGES]
    if few:
        reasons.append(
            f"fewer than {FEW_IMAGES} images to learn from ({listing(few)}) make single figures luck: train several "
            f"seeds and read the intervals"
        )
    return Suggestion(recipe, method, tuple(reasons))
