"""Settings of a recipe: optimizers and schedules of the learning rate."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from medtail.naming import nearest
from medtail.recipes.schema.base import Settings


class Sharpness(Settings):
    """Sharpness-aware minimisation around the optimizer: :class:`medtail.training.SAM`."""

    radius: float = Field(0.05, gt=0.0)
    adaptive: bool = False


class OptimizerSettings(Settings):
    """What all optimizers have in common; abstract."""

    #: Whether a step is taken on all training images together.
    whole_split: ClassVar[bool] = False

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

    def choices(self) -> "tuple[OptimizerSettings, ...]":
        """Return what it may stand for; the first of them where the loss is convex in what is trained."""
        return (self,)


class _SGD(OptimizerSettings):
    """The settings of stochastic gradient descent, under whatever name."""

    weight_decay: float = Field(5e-4, ge=0.0)
    momentum: float = Field(0.9, ge=0.0, lt=1.0)
    nesterov: bool = False


class SGD(_SGD):
    """Stochastic gradient descent."""

    name: Literal["sgd"]


class LBFGS(OptimizerSettings):
    """L-BFGS on all training images together: :class:`medtail.training.optimization.lbfgs.PenalisedLBFGS`."""

    whole_split: ClassVar[bool] = True

    name: Literal["lbfgs"]
    learning_rate: float = Field(1.0, gt=0.0, description="where each search along a line begins")
    weight_decay: float = Field(
        5e-4, ge=0.0, description="λ of λ/2 ‖W‖²; scikit-learn's C is 1/(λN) for N images"
    )
    iterations: int = Field(20, ge=1, le=10_000, description="steps per epoch")
    layer_decay: None = None
    head_learning_rate: None = None
    sharpness: None = None


class AutoOptimizer(_SGD):
    """L-BFGS where a loss on cached features is convex, SGD with these settings elsewhere."""

    name: Literal["auto"]

    def choices(self) -> tuple[OptimizerSettings, ...]:
        """Return L-BFGS with the same weight decay, and SGD."""
        sgd = SGD(name="sgd", **self.model_dump(exclude={"name"}))
        # Whoever asks for SAM wants its flat minimum.
        return (sgd,) if self.sharpness else (LBFGS(name="lbfgs", weight_decay=self.weight_decay), sgd)


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


class TimmOptimizer(OptimizerSettings):
    """Any other optimizer of timm, and further settings of its constructor, which checks them."""

    model_config = ConfigDict(extra="allow")

    weight_decay: float = Field(0.0, ge=0.0)


_OWN_NAMES = ("sgd", "adam", "adamw", "lbfgs", "auto")

#: Beginnings of the names of timm's optimizers that the trainer has no use for.
_UNUSABLE = {
    "adahessian": "needs second derivatives, which the trainer does not compute",
    "bnb": "needs bitsandbytes, which medtail does not install",
    "fused": "needs apex, which medtail does not install",
}


def optimizer_names() -> list[str]:
    """Return every name that ``optimizer.name`` takes."""
    # Imported here because timm takes seconds, which reading a recipe should not.
    import timm.optim

    left_out = [*_OWN_NAMES, *(f"{start}*" for start in _UNUSABLE)]
    others = timm.optim.list_optimizers(exclude_filters=left_out)  # type: ignore[attr-defined]
    return [*_OWN_NAMES, *map(str, others)]


def _name_of(optimizer: Any) -> Any:
    return optimizer.get("name") if isinstance(optimizer, Mapping) else getattr(optimizer, "name", None)


def _known(optimizer: Any) -> Any:
    """Refuse a name that no optimizer has."""
    name = _name_of(optimizer)
    if name in (None, *_OWN_NAMES) or name in (names := optimizer_names()):
        return optimizer
    for start, reason in _UNUSABLE.items():
        if str(name).startswith(start):
            raise ValueError(f"optimizer.name must not be {name}: it {reason}; take adamw, for example")
    raise ValueError(
        f"optimizer.name must be one of {', '.join(_OWN_NAMES)}, or of timm's, such as lamb, lion or nadamw, "
        f"got {name!r}{nearest(str(name), names)}"
    )


def _kind(optimizer: Any) -> Any:
    name = _name_of(optimizer)
    return name if name in (None, *_OWN_NAMES) else "timm"


AnyOptimizer = Annotated[
    Annotated[SGD, Tag("sgd")]
    | Annotated[Adam, Tag("adam")]
    | Annotated[AdamW, Tag("adamw")]
    | Annotated[LBFGS, Tag("lbfgs")]
    | Annotated[AutoOptimizer, Tag("auto")]
    | Annotated[TimmOptimizer, Tag("timm")],
    Field(discriminator=Discriminator(_kind)),
    BeforeValidator(_known),
]


class ScheduleSettings(Settings):
    """What all schedules have in common; abstract."""

    name: str
    warmup_epochs: int = Field(0, ge=0)
    interval: Literal["epoch", "step"] = Field(
        "epoch", description="how often the learning rate changes; warm-up and fall are as long either way"
    )


class ConstantSchedule(ScheduleSettings):
    """The learning rate stays constant after a linear warm-up."""

    name: Literal["constant"]


class CosineSchedule(ScheduleSettings):
    """The learning rate falls to zero along half a cosine after a linear warm-up."""

    name: Literal["cosine"]
    variant: Literal["paper", "official"] = Field(
        "paper", description="official is two epochs ahead, as the code of DBM and its baselines is"
    )


class StepSchedule(ScheduleSettings):
    """The learning rate is multiplied by ``factor`` at each milestone after a linear warm-up."""

    name: Literal["step"]
    milestones: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="epochs (from 0) that start with a lower rate"
    )
    factor: float = Field(0.1, gt=0.0, lt=1.0)
