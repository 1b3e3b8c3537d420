"""Settings of a recipe: optimizers and schedules of the learning rate."""

from typing import Annotated, Literal

from pydantic import Field

from medtail.recipes.schema.base import Settings


class Sharpness(Settings):
    """Sharpness-aware minimisation around the optimizer: :class:`medtail.training.SAM`."""

    radius: float = Field(0.05, gt=0.0)
    adaptive: bool = False


class OptimizerSettings(Settings):
    """What all optimizers have in common; abstract."""

    name: str
    learning_rate: float = Field(gt=0.0)
    weight_decay: float = Field(ge=0.0)
    decay_weights_only: bool = Field(
        False, description="no weight decay for norms, biases, and what else the network names"
    )
    layer_decay: float | None = Field(
        None, gt=0.0, le=1.0, description="factor on the learning rate from each layer to the one below it"
    )
    head_learning_rate: float | None = Field(
        None, gt=0.0, description="of all that lies behind the network, where it is not that of the network"
    )
    sharpness: Sharpness | None = None


class SGD(OptimizerSettings):
    """Stochastic gradient descent."""

    name: Literal["sgd"]
    weight_decay: float = Field(5e-4, ge=0.0)
    momentum: float = Field(0.9, ge=0.0, lt=1.0)
    nesterov: bool = False


class Adam(OptimizerSettings):
    """Adam."""

    name: Literal["adam"]
    learning_rate: float = Field(1e-3, gt=0.0)
    weight_decay: float = Field(0.0, ge=0.0)


class AdamW(OptimizerSettings):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"]
    learning_rate: float = Field(1e-3, gt=0.0)
    weight_decay: float = Field(0.05, ge=0.0)


class ConstantSchedule(Settings):
    """The learning rate stays constant after a linear warm-up."""

    name: Literal["constant"]
    warmup_epochs: int = Field(0, ge=0)


class CosineSchedule(Settings):
    """The learning rate falls to zero along half a cosine after a linear warm-up."""

    name: Literal["cosine"]
    warmup_epochs: int = Field(0, ge=0)
    variant: Literal["paper", "official"] = Field(
        "paper", description="official is two epochs ahead, as the code of DBM and its baselines is"
    )


class StepSchedule(Settings):
    """The learning rate is multiplied by ``factor`` at each milestone after a linear warm-up."""

    name: Literal["step"]
    warmup_epochs: int = Field(0, ge=0)
    milestones: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="epochs (from 0) that start with a lower rate"
    )
    factor: float = Field(0.1, gt=0.0, lt=1.0)
