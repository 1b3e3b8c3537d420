"""From a recipe and the facts of the training data to an untrained method."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
from torch import nn

from medtail.backbones import TimmNetwork, check_image_size, create_backbone
from medtail.errors import InputError
from medtail.heads import DEFAULT_HEADS, HEADS, Head, OutputKind, RescaledHead
from medtail.losses import ClassificationLoss
from medtail.methods import (
    BalancedContrastive,
    Condition,
    Expert,
    GaussianMixtureLikelihood,
    LossConditional,
    LossFamily,
    Method,
    NestedCollaborative,
    Supervised,
    TauNormalized,
    Teacher,
)
from medtail.recipes.schema import LossConditionalSettings, Recipe, Settings, TauNormalizedSettings
from medtail.recipes.score_prior import loss_family_of, loss_of
from medtail.runs.facts import DatasetFacts
from medtail.training.earlier_runs.first_stage import FirstStage
from medtail.training.optimization.gradient_checkpointing import checkpoint_gradients
from medtail.training.optimization.low_rank import add_low_rank


def _arguments(settings: Settings, *without: str) -> dict[str, Any]:
    """The settings of a named part as keyword arguments of what the name stands for."""
    return settings.model_dump(exclude={"name", *without})


@final
@dataclass(frozen=True)
class BuildContext:
    """All that a method is built from.

    Attributes:
        recipe: Every setting.
        class_counts: ``(C,)``, training counts in class-id order.
        dimensions: 2 for images, 3 for volumes.
        first_stage: The run that ``backbone.from_run`` names, read; None where there is none, or for predicting.
        for_training: Whether the method is about to be trained. If it will only predict, its weights come from a
            checkpoint: published weights, and whatever else only training needs, are not loaded.
        teacher: What the method learns from, if the recipe names one.
        hub_network: What the backbone's name stood for when the run was begun, if it is one of the Hub.
    """

    recipe: Recipe
    class_counts: np.ndarray
    dimensions: int = 2
    for_training: bool = True
    teacher: Teacher | None = None
    first_stage: FirstStage | None = None
    hub_network: TimmNetwork | None = None

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        facts: DatasetFacts,
        *,
        for_training: bool = True,
        teacher: Teacher | None = None,
        first_stage: FirstStage | None = None,
    ) -> "BuildContext":
        """Return the context of a recipe and the facts of its training data."""
        network = None if facts.hub_network is None else TimmNetwork(**facts.hub_network)
        return cls(
            recipe, facts.training_counts, facts.dimensions, for_training, teacher, first_stage, network
        )

    def loss(self, condition: Condition | None = None) -> ClassificationLoss:
        """Return the loss of the recipe, at λ if the method has one.

        Raises:
            InputError: A name or setting is wrong, or λ is not legal for the loss.
        """
        return loss_of(self.recipe, self.class_counts, condition)

    def loss_family(self) -> LossFamily:
        """Return the loss of the recipe as a function of λ."""
        return loss_family_of(self.recipe, self.class_counts)

    def backbone(self) -> nn.Module:
        """Return a new backbone with the attribute ``num_features``.

        Raises:
            InputError: The name or the weights are wrong, or the network cannot take images of the recipe's size.
        """
        settings, channels, size = self.recipe.backbone, self.recipe.data.channels, self.recipe.input_size
        # The weights of a first stage take the place of others.
        starts_from_weights = self.for_training and settings.from_run is None
        backbone = create_backbone(
            settings.name,
            channels=channels,
            image_size=size,
            weights=settings.weights if starts_from_weights else "none",
            dimensions=self.dimensions,
            variant=settings.variant,
            network=self.hub_network,
        )
        if self.for_training and self.dimensions == 2:
            setting = "data.image_size" if self.recipe.augmentation.crop is None else "augmentation.crop"
            check_image_size(backbone, settings.name, channels, size, setting)
        if self.for_training and settings.gradient_checkpointing:
            checkpoint_gradients(backbone)
        return backbone

    def head(self, expects: OutputKind, in_features: int) -> Head:
        """Return a new head; ``auto`` is the plainest one that emits what the loss expects."""
        settings = self.recipe.head
        name = DEFAULT_HEADS[expects] if settings.name == "auto" else settings.name
        return HEADS[name](in_features, len(self.class_counts), **_arguments(settings))

    def network(self, loss: ClassificationLoss) -> tuple[nn.Module, Head]:
        """Return a backbone and a head on it that fits the loss: new ones, or what they keep of a first stage."""
        backbone = self.backbone()
        head = self.head(loss.expects, int(backbone.num_features))  # type: ignore[arg-type]
        if self.first_stage is not None:
            self.first_stage.hand_over(backbone, head)
        if self.for_training and self.recipe.backbone.lora is not None:
            add_low_rank(backbone, self.recipe.backbone.lora)
        return backbone, head


def check_backbone(recipe: Recipe, dimensions: int) -> None:
    """Build the backbone of a recipe, with its weights, and forget it: what is wrong with it is known before data are.

    Raises:
        InputError: As :meth:`BuildContext.backbone`.
    """
    BuildContext(recipe, np.ones(2), dimensions).backbone()


def without_weights(recipe: Recipe) -> Recipe:
    """Return the recipe of a network whose weights come from a checkpoint."""
    return recipe.model_copy(update={"backbone": recipe.backbone.model_copy(update={"weights": "none"})})


def build_method(context: BuildContext) -> Method:
    """Build the method of a recipe, untrained.

    Raises:
        InputError: A name or setting is wrong, loss and head do not fit, or the recipe cannot train the method.
    """
    method = _BUILDERS[context.recipe.method.name](context)
    if context.for_training and method.uses_batch_statistics:
        _check_whole_batches(context)
    if context.for_training and len(method.views) > 1 and context.recipe.augmentation.mixup is not None:
        raise InputError(
            f"augmentation.mixup must be null for method {context.recipe.method.name}: it compares views of images, "
            f"which a mixed image has none of; leave mixup out"
        )
    return method


def _supervised(context: BuildContext) -> Method:
    loss = context.loss()
    return Supervised(*context.network(loss), loss)


def _loss_conditional(context: BuildContext) -> Method:
    settings, family = cast(LossConditionalSettings, context.recipe.method), context.loss_family()
    return LossConditional(
        *context.network(family()),
        family,
        settings.densities,
        seed=context.recipe.training.seed,
        film=settings.film,
        film_position=settings.film_position,
        default=settings.default,
    )


def _balanced_contrastive(context: BuildContext) -> Method:
    loss, settings = context.loss(), _arguments(context.recipe.method)
    return BalancedContrastive(*context.network(loss), loss, **settings, for_training=context.for_training)


def _gaussian_mixture(context: BuildContext) -> Method:
    loss = context.loss()
    if context.for_training and context.teacher is None:
        raise InputError(
            "method gaussian_mixture needs a trained model to learn from, got none; train one with "
            "backbone.name=resnet56, then give its folder with `teacher`"
        )
    teacher = context.teacher if context.for_training else None
    settings = _arguments(context.recipe.method, "teacher")
    return GaussianMixtureLikelihood(*context.network(loss), loss, context.class_counts, teacher, **settings)


def _nested_collaborative(context: BuildContext) -> Method:
    loss, settings = context.loss(), _arguments(context.recipe.method)
    experts = [Expert(*context.network(loss)) for _ in range(settings.pop("experts"))]
    return NestedCollaborative(
        experts, loss, context.class_counts, **settings, for_training=context.for_training
    )


def _tau_normalized(context: BuildContext) -> Method:
    loss, settings = context.loss(), cast(TauNormalizedSettings, context.recipe.method)
    backbone, head = context.network(loss)
    # From the end, so that a single epoch tries the highest.
    taus = np.linspace(settings.max_tau, 0.0, context.recipe.training.epochs)[::-1]
    return TauNormalized(backbone, cast(RescaledHead, head), loss, taus.tolist())


#: How each method is built, by the name that recipes use.
_BUILDERS: dict[str, Callable[[BuildContext], Method]] = {
    "supervised": _supervised,
    "loss_conditional": _loss_conditional,
    "balanced_contrastive": _balanced_contrastive,
    "gaussian_mixture": _gaussian_mixture,
    "nested_collaborative": _nested_collaborative,
    "tau_normalized": _tau_normalized,
}


def _check_whole_batches(context: BuildContext) -> None:
    """Refuse parts of batches and mixed images, whose losses are right only where images do not see each other."""
    recipe = context.recipe
    loss_counts = context.loss(recipe.method.condition).uses_batch_statistics
    what = f"loss {recipe.loss.name}" if loss_counts else f"method {recipe.method.name}"
    does = "counts classes in" if loss_counts else "compares the images of"
    batches = recipe.training.accumulate_batches
    if batches > 1:
        raise InputError(
            f"training.accumulate_batches must be 1 for {what}, got {batches}: it {does} the whole batch, so {batches} "
            f"small batches are not one large one; raise training.batch_size instead"
        )
    if recipe.augmentation.mixup is not None:
        raise InputError(
            f"augmentation.mixup must be null for {what}: it {does} the batch, and a mixed image has two classes; "
            f"leave mixup out or take a loss of single images, e.g. ce or balanced_softmax"
        )
