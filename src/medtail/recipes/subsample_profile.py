"""How many training images of each class a recipe keeps."""

from collections.abc import Callable
from functools import partial

import numpy as np

from medtail.data.splitting.long_tail import PROFILES
from medtail.recipes.schema import Recipe


def subsample_profile(recipe: Recipe) -> Callable[[np.ndarray], np.ndarray]:
    """From training counts ``(C,)`` to the number of images each class should keep ``(C,)``."""
    settings = recipe.data.subsample
    if settings.name == "none":
        return np.asarray
    profile = partial(PROFILES[settings.name], **settings.model_dump(exclude={"name", "seed"}))
    if settings.name == "binary" and recipe.data.positive is not None:
        return partial(profile, positive=1)
    return profile
