"""Features of a frozen network, computed once: a head on them is trained in seconds."""

from collections.abc import Callable
from dataclasses import replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from medtail.data import Pixels
from medtail.data.decoded.cache import PixelCache, default_cache_folder
from medtail.data.decoded.stores import Resident
from medtail.methods import Method
from medtail.progress import Progress
from medtail.recipes.schema import Recipe
from medtail.training.batches.preparation import ImagePreparation
from medtail.training.devices import device, full_precision
from medtail.training.frozen.cache import FeatureCache, feature_key
from medtail.training.inference import TrainedModel
from medtail.training.prepare import PreparedData

#: Images per pass. What views draw depends on it.
_BATCH = 128


@final
class FrozenFeatures:
    """The features of all images of a data set, each seen as in evaluation and in some augmented views.

    Args:
        values: ``(N, V, D)``, in the order of the table; the first view is that of evaluation.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = torch.from_numpy(values)

    @classmethod
    def of(
        cls,
        method: Method,
        recipe: Recipe,
        data: PreparedData,
        *,
        progress: Progress | None = None,
        cache: PixelCache | None = None,
    ) -> "FrozenFeatures | None":
        """Read them from the cache, or let the network look at the images; None if each epoch shows it others.

        Args:
            method: Its network, as it is.
            recipe: How many views; with ``data.cache=never`` nothing is kept on disk.
            data: The images.
            progress: Told about the pass.
            cache: In whose folder the features are kept; the user's cache if None.

        Raises:
            InputError: The disk is too small, or the cache lies in the folder of the data.
        """
        preparation = ImagePreparation.of(recipe, data.facts)
        if not _same_in_every_epoch(method, recipe, preparation):
            return None
        views = 1 + recipe.backbone.cached_views
        shape = (len(data.pixels), views, method.num_features)

        def compute(features: np.ndarray) -> None:
            _look(method, preparation, data.pixels, features, progress)

        if recipe.data.cache == "never":
            values = np.empty(shape, dtype=np.float32)
            compute(values)
            return cls(values)
        folder = (cache or PixelCache(default_cache_folder())).folder / "features"
        (network,) = method.networks
        key = feature_key(network, _dependencies(recipe, data))
        return cls(FeatureCache(folder, data.facts.data).features(key, shape, compute))

    def plain(self, rows: np.ndarray | Tensor) -> Tensor:
        """Return the features ``(len(rows), D)`` of images seen as in evaluation."""
        return self.values[torch.as_tensor(rows).cpu(), 0]

    def as_images(self, data: PreparedData) -> PreparedData:
        """Return the data with features ``(V, D)`` in place of pixels."""
        pixels = Pixels(data.pixels.form, Resident(self.values), np.arange(len(self.values)))
        return replace(data, pixels=pixels)


def judged_features(
    model: TrainedModel,
    data: PreparedData,
    known: FrozenFeatures | None,
    progress: Progress | None,
) -> Callable[[np.ndarray], Tensor]:
    """Return what gives the features ``(len(rows), D)`` of images: those that are known, or the trained network."""
    if known is not None:
        return known.plain
    return lambda rows: model.features(data.pixels, rows, progress)


def _same_in_every_epoch(method: Method, recipe: Recipe, preparation: ImagePreparation) -> bool:
    """Whether a network is frozen, for some epochs at least, and sees the same images in all of them."""
    if recipe.backbone.cached_features:
        return True
    alone = len(method.networks) == 1 and len(method.views) == 1 and recipe.augmentation.mixup is None
    return recipe.backbone.frozen_epochs > 0 and alone and not preparation.changes_in_training


def _dependencies(recipe: Recipe, data: PreparedData) -> dict[str, object]:
    """Return what features depend on besides the weights."""
    settings, facts = recipe.model_dump(mode="json"), data.facts
    views = recipe.backbone.cached_views
    return {
        "network": [settings["backbone"][name] for name in ("name", "variant")],
        "images": facts.pixels,
        "form": [
            settings["data"][name] for name in ("image_size", "channels", "fit", "window", "normalization")
        ],
        "statistics": [facts.mean, facts.standard_deviation],
        "crop": recipe.augmentation.crop,
        "device": device().type,
        "views": [views, settings["augmentation"]] if views else None,
    }


@torch.inference_mode()
@full_precision()
def _look(
    method: Method,
    preparation: ImagePreparation,
    pixels: Pixels,
    features: np.ndarray,
    progress: Progress | None,
) -> None:
    """Fill features ``(N, V, D)``; what a view draws depends on its number and the images alone."""
    method.eval().to(device())
    preparation.to(device())
    count, views, _ = features.shape
    for view in range(views):
        preparation.train(view > 0)
        for start in range(0, count, _BATCH):
            images = pixels.read(np.arange(start, min(start + _BATCH, count))).to(device())
            with torch.random.fork_rng():
                torch.manual_seed(int(np.random.SeedSequence([view, start]).generate_state(1)[0]))
                part = method.features(preparation(images))
            features[start : start + len(images), view] = part.float().cpu().numpy()
            if progress is not None:
                done = view * count + start + len(images)
                progress("looking at images once", done, views * count)
    method.train()
