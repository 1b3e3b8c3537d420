"""Features of a frozen network, computed once: a head on them is trained in seconds."""

from dataclasses import replace
from typing import cast

import numpy as np

from medtail.data import Pixels
from medtail.data.decoded.stores import Resident
from medtail.progress import Progress
from medtail.training.batches.preparation import ImagePreparation
from medtail.training.devices import device
from medtail.training.inference import TrainedModel
from medtail.training.module import MethodModule
from medtail.training.prepare import PreparedData


def cache_features(
    module: MethodModule, data: PreparedData, progress: Progress | None = None
) -> PreparedData:
    """Pass the images that training sees through the backbone once, and train the module on their features.

    Images are prepared as in evaluation, so that they are not augmented.

    Args:
        module: Its method loses the backbone, whose weights stay in every checkpoint.
        data: The images.
        progress: Told about the pass.

    Returns:
        The data with features ``(N, D)`` in place of pixels; those of images that training never sees are 0.
    """
    preparation = cast(ImagePreparation, module.preparation.eval().to(device()))
    model = TrainedModel(module.method.eval().to(device()), preparation, module.recipe, data.facts)
    seen = ["train", *filter(None, [module.recipe.data.watched_split])]
    rows = np.sort(np.concatenate([data.collection.rows(split) for split in seen]))
    known = model.features(data.pixels, rows, progress)
    features = known.new_zeros(len(data.pixels), known.shape[1])
    features[rows] = known
    module.train_on_features()
    module.train()
    return replace(data, pixels=Pixels(data.pixels.form, Resident(features), np.arange(len(features))))
