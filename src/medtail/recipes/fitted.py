"""What the general recipes leave to the data: the size of the images, the number of images in a batch, the epochs."""

import math
from collections.abc import Mapping
from typing import Any

from medtail.data import ImageCollection
from medtail.recipes.compose import read_axis

#: By general recipe, the fewest and the most pixels per side that images are decoded to; between them, their own size.
_SIDES = {"small_images": (28, 40), "images": (64, 128), "pretrained_images": (64, 128)}

#: A batch is small enough for this many steps per epoch, unless it would be smaller than the smallest.
_STEPS = 20
_SMALLEST_BATCH = 16

#: Few images are seen more often, up to this many epochs, until training has taken this many steps.
_LEAST_STEPS = 600
_MOST_EPOCHS = 100

#: The share of images that are for training where the data bring no splits, about.
_FOR_TRAINING = 0.7


def fitted(dataset: str, collection: ImageCollection) -> Mapping[str, Any]:
    """Return the settings of a general recipe that depend on the data; none for the recipe of a data set.

    Images keep their size within the recipe's limits. The batch, a power of two, is that of the recipe or so small
    that an epoch has 20 steps, but not below 16; where an epoch has fewer steps still, there are more epochs.

    Args:
        dataset: Name of a data-set recipe.
        collection: The data.
    """
    if dataset not in _SIDES:
        return {}
    least, most = _SIDES[dataset]
    own = max(collection.typical_form().shape)
    training = read_axis("datasets", dataset)["training"]
    images = _training_images(collection)
    batch = 2 ** int(math.log2(max(images / _STEPS, _SMALLEST_BATCH)))
    batch = min(batch, training["batch_size"])
    steps = max(1, images // batch)
    epochs = min(
        max(training["epochs"], math.ceil(_LEAST_STEPS / steps)), max(_MOST_EPOCHS, training["epochs"])
    )
    return {
        "data": {"image_size": min(max(own, least), most)},
        "training": {"batch_size": batch, "epochs": epochs},
    }


def _training_images(collection: ImageCollection) -> int:
    if "split" not in collection.table:
        return round(_FOR_TRAINING * len(collection))
    return len(collection.rows("train"))
