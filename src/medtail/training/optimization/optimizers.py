"""From a recipe to an optimizer and the course of its learning rate."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.optim import Optimizer

from medtail.errors import InputError
from medtail.methods import Method
from medtail.naming import nearest
from medtail.recipes.schema import OptimizerSettings, Recipe
from medtail.sam import SAM
from medtail.training.optimization.lbfgs import PenalisedLBFGS
from medtail.training.optimization.parameter_groups import parameter_groups
from medtail.training.optimization.schedules import SCHEDULES

_OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "lbfgs": PenalisedLBFGS,
}

#: What timm's factory gives optimizers that have a momentum.
_MOMENTUM = 0.9

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
        InputError: The optimizer has no such setting or refuses its value, or there is a ``layer_decay``, and the
            layers of the network are not known.
    """
    settings = recipe.optimizer
    base = _OPTIMIZERS.get(settings.name) or _timm_optimizer(settings)
    arguments = {"lr": settings.learning_rate, **settings.model_dump(exclude=_NO_ARGUMENTS)}
    if settings.sharpness is not None:
        radius, adaptive = settings.sharpness.radius, settings.sharpness.adaptive
        base = partial(SAM, base_optimizer=base, rho=radius, adaptive=adaptive)
    parameters = parameter_groups(method, settings)
    try:
        return base(parameters, **arguments)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"optimizer {settings.name} refuses its settings ({error}); correct the one that it names"
        ) from error


def _timm_optimizer(settings: OptimizerSettings) -> Callable[..., Optimizer]:
    """Return the constructor of one of timm's optimizers, with timm's defaults.

    Raises:
        InputError: It has no argument for one of the settings.
    """
    import timm.optim

    info: Any = timm.optim.get_optimizer_info(settings.name)  # type: ignore[attr-defined]
    known = inspect.signature(info.opt_class).parameters
    for name in settings.model_extra or {}:
        if name not in known:
            allowed = [argument for argument in known if argument not in ("params", "lr")]
            raise InputError(
                f"optimizer {settings.name} has no setting {name}; allowed: {', '.join(allowed)}"
                f"{nearest(name, allowed)}"
            )
    defaults: dict[str, Any] = {"momentum": _MOMENTUM} if info.has_momentum else {}
    return partial(info.opt_class, **{**defaults, **(info.defaults or {})})


def learning_rate_schedule(
    recipe: Recipe, optimizer: Optimizer, count_steps: Callable[[], int]
) -> dict[str, Any]:
    """Return the schedule of a recipe as Lightning takes it.

    Args:
        recipe: Its schedule moves once an epoch, or with ``interval=step`` at every step.
        optimizer: All rates of its groups are multiplied by the same factor.
        count_steps: Gives the number of steps of an epoch; called if the schedule moves at every step.
    """
    if recipe.optimizer.whole_split:
        # It searches along lines for the length of each step.
        return {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)}
    settings = recipe.schedule
    factor = partial(
        SCHEDULES[settings.name],
        epochs=recipe.training.epochs,
        steps=count_steps() if settings.interval == "step" else 1,
        **settings.model_dump(exclude={"name", "interval"}),
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"scheduler": scheduler, "interval": settings.interval}
