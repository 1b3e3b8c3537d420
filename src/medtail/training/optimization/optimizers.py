"""From a recipe to an optimizer and the course of its learning rate."""

from collections.abc import Callable

import torch
from torch.optim import Optimizer

from medtail.methods import Method
from medtail.recipes.schema import Recipe
from medtail.sam import SAM
from medtail.training.optimization.parameter_groups import parameter_groups
from medtail.training.optimization.schedules import SCHEDULES

_OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}

#: Settings that are no argument of an optimizer's constructor.
_NO_ARGUMENTS = {
    "name",
    "learning_rate",
    "decay_weights_only",
    "layer_decay",
    "head_learning_rate",
    "sharpness",
}


def build_optimizer(recipe: Recipe, method: Method) -> Optimizer:
    """Build the optimizer of a method, inside :class:`~medtail.training.SAM` if the recipe asks for sharpness.

    Raises:
        InputError: There is a ``layer_decay``, and the layers of the network are not known.
    """
    settings = recipe.optimizer
    base = _OPTIMIZERS[settings.name]
    arguments = {"lr": settings.learning_rate, **settings.model_dump(exclude=_NO_ARGUMENTS)}
    parameters = parameter_groups(method, settings)
    if settings.sharpness is None:
        return base(parameters, **arguments)
    radius, adaptive = settings.sharpness.radius, settings.sharpness.adaptive
    return SAM(parameters, base, rho=radius, adaptive=adaptive, **arguments)


def learning_rate_factor(recipe: Recipe, epoch: int) -> float:
    """Return the factor on the learning rate in an epoch (from 0)."""
    schedule = SCHEDULES[recipe.schedule.name]
    settings = recipe.schedule.model_dump(exclude={"name"})
    return schedule(epoch, epochs=recipe.training.epochs, **settings)
