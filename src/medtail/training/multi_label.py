"""The rule which recipes can learn several labels per image."""

import numpy as np

from medtail.data import ImageCollection
from medtail.errors import InputError
from medtail.losses.catalogue import multi_label_losses
from medtail.recipes.schema import Recipe
from medtail.training.build import BuildContext


def check_multi_label_recipe(recipe: Recipe, collection: ImageCollection) -> None:
    """Refuse methods, losses and samplers that need one class per image, before anything is decoded.

    Raises:
        InputError: The recipe has one of them, or a setting of its loss is wrong.
    """
    if not recipe.method.multi_label:
        raise InputError(
            f"method.name must be supervised for several labels per image, got {recipe.method.name} for the label_ "
            f"columns of {collection.data}; take a method recipe of one loss"
        )
    if not BuildContext(recipe, np.maximum(collection.class_counts(), 1)).loss().multi_label:
        raise InputError(
            f"several labels per image need a loss that decides each label by itself, got {recipe.loss.name} for the "
            f"label_ columns of {collection.data}; take one of {', '.join(multi_label_losses())}"
        )
    mixup = recipe.augmentation.mixup
    if mixup is not None and mixup.partners == "class_balanced":
        raise InputError(
            "augmentation.mixup.partners must be batch for several labels per image, got class_balanced, which "
            "draws images by their one class; set it to batch"
        )
    if recipe.sampling.name != "uniform":
        raise InputError(
            f"sampling.name must be uniform for several labels per image, got {recipe.sampling.name}, which draws "
            f"images by their one class; leave it out"
        )
