"""Settings of a recipe: the method and its loss."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from medtail.errors import InputError
from medtail.naming import nearest
from medtail.recipes.schema.base import Settings, Share

if TYPE_CHECKING:
    from medtail.methods.linear_density import LinearDensity


class MethodSettings(Settings):
    """What the settings of any method say of it before it is built; abstract.

    Attributes:
        multi_label: Whether the method can learn several labels per image.
    """

    multi_label: ClassVar[bool] = False

    @property
    def teacher_run(self) -> str | None:
        """The folder of the run that is learned from; None for a method without a teacher."""
        return None

    @property
    def condition(self) -> dict[str, float] | None:
        """λ that a trained model is read at by default; None for a method without λ."""
        return None

    @property
    def condition_grid(self) -> dict[str, list[float]] | None:
        """Values of each parameter of λ, all combinations of which are evaluated; None for a method without λ."""
        return None


class SupervisedSettings(MethodSettings):
    """:class:`medtail.methods.Supervised`."""

    multi_label: ClassVar[bool] = True

    name: Literal["supervised"] = "supervised"


class LossConditionalSettings(MethodSettings):
    """:class:`medtail.methods.LossConditional`; parameters are those of the loss's constructor, by name."""

    name: Literal["loss_conditional"]
    distributions: dict[str, Annotated[list[float], Field(min_length=3, max_length=3)]] = Field(
        min_length=1, description="for each parameter: low, high and the height of the density at high"
    )
    film: Literal["identity", "plain", "none"] = Field(
        "identity", description="how FiLM starts; none trains without it"
    )
    film_position: Literal["features", "logits"] = Field(
        "features", description="what FiLM modulates: the head's input, or its outputs if these are logits"
    )
    grid: dict[str, Annotated[list[float], Field(min_length=1)]] = Field(
        description="values of each parameter; all combinations are evaluated after training"
    )
    default: dict[str, float] | None = Field(
        None, description="values in evaluation; parameters left out default to the mean of their density"
    )

    @model_validator(mode="after")
    def _parameters_fit(self) -> "LossConditionalSettings":
        for name in self.distributions:
            try:
                self._density(name)
            except InputError as error:
                raise ValueError(f"method.distributions.{name}: {error}") from error
        if set(self.grid) != set(self.distributions):
            raise ValueError(
                f"method.grid must list values of {', '.join(self.distributions)}, as method.distributions does, "
                f"got {', '.join(self.grid) or 'none'}; name the same parameters in both"
            )
        for name in self.default or {}:
            if name not in self.distributions:
                raise ValueError(
                    f"method.default must name parameters of method.distributions, got {name!r}"
                    f"{nearest(name, self.distributions)}"
                )
        return self

    def _density(self, parameter: str) -> "LinearDensity":
        # Imported here because PyTorch takes seconds, which reading a recipe should not.
        from medtail.methods.linear_density import LinearDensity

        return LinearDensity(*self.distributions[parameter])

    @property
    def densities(self) -> dict[str, "LinearDensity"]:
        """The density of each parameter."""
        return {name: self._density(name) for name in self.distributions}

    @property
    def condition(self) -> dict[str, float]:
        """The mean of each density, or its default."""
        default = self.default or {}
        return {name: float(default.get(name, density.mean)) for name, density in self.densities.items()}

    @property
    def condition_grid(self) -> dict[str, list[float]]:
        """The grid."""
        return self.grid


class BalancedContrastiveSettings(MethodSettings):
    """:class:`medtail.methods.BalancedContrastive`."""

    name: Literal["balanced_contrastive"]
    classification_weight: float = Field(2.0, ge=0.0)
    contrast_weight: float = Field(0.6, ge=0.0)
    temperature: float = Field(0.1, gt=0.0)
    hidden: int = Field(512, ge=1, description="width of the projectors")
    projection_size: int = Field(128, ge=1)


class GaussianMixtureSettings(MethodSettings):
    """:class:`medtail.methods.GaussianMixtureLikelihood`."""

    name: Literal["gaussian_mixture"]
    teacher: str | None = Field(None, description="the folder of a finished run, needed in training only")
    queue_size: int = Field(4096, ge=1, description="keys that are kept")
    smallest_slice: int = Field(2, ge=1, description="keys of each class at least")
    embedding_size: int = Field(32, ge=1)
    temperature: float = Field(0.1, gt=0.0, description="where the learned temperature starts")
    distillation_temperature: float = Field(4.0, gt=0.0)

    @property
    def teacher_run(self) -> str | None:
        """The teacher."""
        return self.teacher


class NestedCollaborativeSettings(MethodSettings):
    """:class:`medtail.methods.NestedCollaborative`."""

    name: Literal["nested_collaborative"]
    experts: int = Field(3, ge=2)
    hard_share: float = Field(
        0.3, gt=0.0, le=1.0, description="share of the classes that are hard for an image"
    )
    distillation: float = Field(0.6, ge=0.0)
    contrast_weight: float = Field(1.0, ge=0.0, description="0 trains without momentum copies and queues")
    variant: Literal["paper", "official"] = "paper"
    queue_size: int = Field(1024, ge=1, description="keys of each expert's queue")
    projection_size: int = Field(64, ge=1)
    temperature: float = Field(0.2, gt=0.0)
    momentum: Share = 0.999


class TauNormalizedSettings(MethodSettings):
    """:class:`medtail.methods.TauNormalized`."""

    name: Literal["tau_normalized"]
    max_tau: float = Field(1.0, ge=0.0, description="epochs try values from 0 to this one, equally far apart")


class Loss(BaseModel):
    """A key of ``LOSSES`` and the settings of its constructor, which checks them."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings without the key."""
        return dict(self.__pydantic_extra__ or {})
