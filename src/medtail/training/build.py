"""From a recipe and the facts of the training data to an untrained method."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from medtail.backbones import create_backbone
from medtail.errors import InputError
from medtail.heads import DEFAULT_HEADS, HEADS, Head, OutputKind
from medtail.losses import ClassificationLoss, create_loss
from medtail.methods import (
    Condition,
    LinearDensity,
    LossConditional,
    LossFamily,
    Method,
    Supervised,
    create_family,
    whole_condition,
)
from medtail.recipes.schema import LossConditionalSettings, Recipe, Settings
from medtail.sam import SAM
from medtail.training.schedules import SCHEDULES

_OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def _arguments(settings: Settings, *without: str) -> dict[str, Any]:
    """The settings of a named part as keyword arguments of what the name stands for."""
    return settings.model_dump(exclude={"name", *without})


def build_head(recipe: Recipe, expects: OutputKind, in_features: int, num_classes: int) -> Head:
    """Build the head of a recipe; ``auto`` is the plainest one that emits what the loss expects."""
    name = DEFAULT_HEADS[expects] if recipe.head.name == "auto" else recipe.head.name
    return HEADS[name](in_features, num_classes, **_arguments(recipe.head))


def build_method(
    recipe: Recipe, class_counts: np.ndarray, *, dimensions: int = 2, pretrained: bool | None = None
) -> Method:
    """Build the method of a recipe, untrained.

    Args:
        recipe: Every setting.
        class_counts: ``(C,)`` training counts in class-id order.
        dimensions: 2 for images, 3 for volumes.
        pretrained: Overrides the recipe; ``False`` when a checkpoint is about to be loaded anyway.

    Raises:
        InputError: A name or setting is wrong, or loss and head do not fit.
    """

    def backbone() -> nn.Module:
        return create_backbone(
            recipe.backbone.name,
            channels=recipe.data.channels,
            dimensions=dimensions,
            pretrained=recipe.backbone.pretrained if pretrained is None else pretrained,
        )

    return _METHODS[recipe.method.name](recipe, class_counts, backbone)


def reading_condition(recipe: Recipe) -> dict[str, float] | None:
    """Return λ that the outputs of a trained run are read at by default; None where the method has no λ."""
    settings = recipe.method
    if not isinstance(settings, LossConditionalSettings):
        return None
    return whole_condition(_distributions(settings), settings.default or {})


def reading_loss(
    recipe: Recipe, class_counts: np.ndarray, condition: Condition | None = None
) -> ClassificationLoss:
    """Build the loss that the outputs of a trained run are read by, without the network.

    Args:
        recipe: Every setting.
        class_counts: ``(C,)`` training counts in class-id order.
        condition: λ, where the method has one.

    Raises:
        InputError: A name or setting is wrong, or λ is not legal for the loss.
    """
    if condition is None:
        return _loss(recipe, class_counts)
    return _family(recipe, class_counts)(**condition)


def _loss(recipe: Recipe, class_counts: np.ndarray) -> ClassificationLoss:
    return create_loss(
        recipe.loss.name,
        class_counts=class_counts,
        settings=recipe.loss.settings,
        num_epochs=recipe.training.epochs,
    )


def _family(recipe: Recipe, class_counts: np.ndarray) -> LossFamily:
    return create_family(
        recipe.loss.name,
        class_counts=class_counts,
        settings=recipe.loss.settings,
        num_epochs=recipe.training.epochs,
    )


def _distributions(settings: LossConditionalSettings) -> dict[str, LinearDensity]:
    return {name: LinearDensity(*values) for name, values in settings.distributions.items()}


def _build_supervised(
    recipe: Recipe, class_counts: np.ndarray, create: Callable[[], nn.Module]
) -> Supervised:
    loss = _loss(recipe, class_counts)
    _check_accumulation(recipe, loss)
    _check_mixup(recipe, loss)
    backbone = create()
    head = build_head(recipe, loss.expects, int(backbone.num_features), len(class_counts))  # type: ignore[arg-type]
    return Supervised(backbone, head, loss)


def _build_loss_conditional(
    recipe: Recipe, class_counts: np.ndarray, create: Callable[[], nn.Module]
) -> LossConditional:
    assert isinstance(recipe.method, LossConditionalSettings)
    family = _family(recipe, class_counts)
    loss = family()
    _check_accumulation(recipe, loss)
    _check_mixup(recipe, loss)
    backbone = create()
    head = build_head(recipe, loss.expects, int(backbone.num_features), len(class_counts))  # type: ignore[arg-type]
    return LossConditional(
        backbone,
        head,
        family,
        _distributions(recipe.method),
        seed=recipe.training.seed,
        film=recipe.method.film,
        default=recipe.method.default,
    )


_METHODS: dict[str, Callable[[Recipe, np.ndarray, Callable[[], nn.Module]], Method]] = {
    "supervised": _build_supervised,
    "loss_conditional": _build_loss_conditional,
}


def _check_accumulation(recipe: Recipe, loss: ClassificationLoss) -> None:
    """Gradients of parts of a batch add up to those of the batch only where samples do not see each other."""
    batches = recipe.training.accumulate_batches
    if batches > 1 and loss.uses_batch_statistics:
        raise InputError(
            f"training.accumulate_batches must be 1 for loss {recipe.loss.name}, got {batches}: it counts classes in "
            f"the whole batch, so {batches} small batches are not one large one; raise training.batch_size instead"
        )


def _check_mixup(recipe: Recipe, loss: ClassificationLoss) -> None:
    """A mixture of two losses is the loss of a mixed image only where samples do not see each other."""
    if recipe.augmentation.mixup is not None and loss.uses_batch_statistics:
        raise InputError(
            f"augmentation.mixup must be null for loss {recipe.loss.name}: it measures classes in the batch, and a "
            f"mixed image is of two; leave mixup out or take a loss of single images, e.g. ce or balanced_softmax"
        )


def build_optimizer(recipe: Recipe, parameters: Any) -> Optimizer:
    """Build the optimizer of a recipe, inside :class:`~medtail.training.SAM` where sharpness is asked for."""
    settings = recipe.optimizer
    base = _OPTIMIZERS[settings.name]
    arguments = {"lr": settings.learning_rate, **_arguments(settings, "learning_rate", "sharpness")}
    if settings.sharpness is None:
        return base(parameters, **arguments)
    radius, adaptive = settings.sharpness.radius, settings.sharpness.adaptive
    return SAM(parameters, base, rho=radius, adaptive=adaptive, **arguments)


def learning_rate_factor(recipe: Recipe, epoch: int) -> float:
    """The factor on the learning rate in an epoch (from 0)."""
    schedule = SCHEDULES[recipe.schedule.name]
    return schedule(epoch, epochs=recipe.training.epochs, **_arguments(recipe.schedule))
