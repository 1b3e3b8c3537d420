"""A recipe: every setting of a run, and the rules by which settings go together."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from medtail.errors import InputError
from medtail.files import write_text
from medtail.naming import nearest

if TYPE_CHECKING:
    from medtail.methods.linear_density import LinearDensity

Share = Annotated[float, Field(ge=0.0, le=1.0)]


def _window(value: Any) -> Any:
    """Refuse what is no range of 16-bit grey values, in one sentence for all the forms that it may have."""
    if value is None or value == "auto":
        return value
    whole = isinstance(value, list | tuple) and all(type(part) is int for part in value)
    if whole and len(value) == 2 and 0 <= value[0] < value[1] <= 65535:
        return value
    raise ValueError(
        f"data.window must be two grey values from 0 to 65535 of which the first is lower, auto or null, got "
        f"{value!r}; e.g. [0, 4095] for 12 bits"
    )


Window = Annotated[tuple[int, int] | Literal["auto"] | None, BeforeValidator(_window)]


class Settings(BaseModel):
    """A part of a recipe: unknown keys are errors, nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Names(Settings):
    """The files the recipe was merged from; for the reader and for ``compare``."""

    dataset: str
    method: str


class NoSubsample(Settings):
    """Every training image is used."""

    name: Literal["none"] = "none"


class BinarySubsample(Settings):
    """:func:`medtail.data.splitting.long_tail.binary_counts`."""

    name: Literal["binary"]
    beta: float = Field(ge=1.0, description="images of the negative class per image of the positive one")
    seed: int = Field(0, ge=0)


class ExponentialSubsample(Settings):
    """:func:`medtail.data.splitting.long_tail.exponential_counts`."""

    name: Literal["exponential"]
    imbalance_factor: float = Field(ge=1.0, description="the largest count over the smallest")
    seed: int = Field(0, ge=0)


class ParetoSubsample(Settings):
    """:func:`medtail.data.splitting.long_tail.pareto_counts`."""

    name: Literal["pareto"]
    alpha: float = Field(6.0, gt=0.0)
    smallest: int = Field(5, ge=1)
    seed: int = Field(0, ge=0)


class StepSubsample(Settings):
    """:func:`medtail.data.splitting.long_tail.step_counts`."""

    name: Literal["step"]
    imbalance_factor: float = Field(ge=1.0, description="the largest count over the smallest")
    minority_share: float = Field(0.5, gt=0.0, lt=1.0, description="share of the classes that are cut")
    seed: int = Field(0, ge=0)


class Columns(Settings):
    """:class:`medtail.data.TableColumns`: columns of a table that their names do not tell."""

    image_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    split_column: str | None = None
    label_separator: str | None = Field(None, description="between several labels in one value")


class Data(Settings):
    """How images are read and, if the data set comes without splits, how it is split."""

    image_size: int = Field(ge=8, le=4096, description="pixels per side, after resizing or cropping")
    fit: Literal["resize", "crop"] = Field(
        "resize", description="resize the whole image, or take its central part without resampling"
    )
    channels: int = Field(
        3,
        ge=1,
        le=64,
        description="3 repeats grey images, 1 takes the luminance of colour images; any other must be the data's own",
    )
    max_pixels: int | None = Field(
        None, ge=1, description="larger images are refused before they are decoded; 80 million when null"
    )
    window: Window = Field(
        None,
        description="16-bit grey values that become 0 and 255; auto: the extremes of each image; null: 0 and 65535",
    )
    cache: Literal["auto", "always", "never"] = Field(
        "auto",
        description="decoded pixels on disk: for sets larger than memory, for all sets, or never (decode every epoch)",
    )
    normalization: Literal["dataset", "masked"] = Field(
        "dataset",
        description="by mean and deviation of the training images, or of the part of each image that is not black",
    )
    validation: Literal["drawn", "none", "test"] = Field(
        "drawn",
        description="given or drawn; none trains on its images too; test watches the test split in its place",
    )
    validation_fraction: float = Field(0.15, gt=0.0, lt=0.5)
    test_fraction: float = Field(0.15, gt=0.0, lt=0.5)
    split_seed: Annotated[int, Field(ge=0)] | Literal["run"] = Field(
        0,
        description="seed of splits that are drawn; run takes training.seed, so that every seed has its own",
    )
    keep_together: Literal["look_alikes", "copies"] = Field(
        "look_alikes",
        description="images that a draw keeps in one split: those that look the same, or only those of equal pixels",
    )
    columns: Columns = Columns()
    merge: dict[str, list[str]] = Field({}, description="from a new class to the classes it stands for")
    classes: list[str] | None = Field(None, description="the classes to keep, after merging; all when null")
    positive: str | None = Field(
        None,
        coerce_numbers_to_str=True,
        description="this class, or these with + between (they become class 1), against the rest (class 0)",
    )
    negative: str | None = Field(
        None,
        coerce_numbers_to_str=True,
        description="with positive: against this class, or these with + between; other images are left out",
    )
    drawn_first: Literal["validation", "subsample"] = Field(
        "validation",
        description="whether validation is drawn from all training images or from those that subsample keeps",
    )
    subsample: Annotated[
        NoSubsample | BinarySubsample | ExponentialSubsample | ParetoSubsample | StepSubsample,
        Field(discriminator="name"),
    ] = NoSubsample()

    @property
    def watched_split(self) -> Literal["validation", "test"] | None:
        """The split that is judged after every epoch; None if there is none."""
        watched: dict[str, Literal["validation", "test"] | None] = {
            "drawn": "validation",
            "none": None,
            "test": "test",
        }
        return watched[self.validation]


class AffineSettings(Settings):
    """:class:`medtail.data.transforms.RandomAffine`."""

    probability: Share = 0.5
    degrees: float = Field(15.0, ge=0.0, le=180.0, description="angle drawn from [-d, d]")
    scale: float = Field(0.1, ge=0.0, lt=1.0, description="factor drawn from [1 - s, 1 + s]")


class GammaSettings(Settings):
    """:class:`medtail.data.transforms.RandomGamma`."""

    probability: Share = 0.5
    low: float = Field(0.5, gt=0.0)
    high: float = Field(1.5, gt=0.0)


class ContrastGainSettings(Settings):
    """:class:`medtail.data.transforms.RandomContrastGain`."""

    probability: Share = 0.5
    low: float = Field(5.0, gt=0.0)
    high: float = Field(10.0, gt=0.0)


class BlurSettings(Settings):
    """:class:`medtail.data.transforms.RandomGaussianBlur`."""

    probability: Share = 0.5
    sigma: float = Field(
        1.5, ge=0.0, le=100.0, description="pixels: standard deviation drawn from [low, sigma]"
    )
    low: float = Field(0.0, ge=0.0)


class ResizedCropSettings(Settings):
    """:class:`medtail.data.transforms.RandomResizedCrop`."""

    low: float = Field(0.2, gt=0.0, le=1.0, description="least share of the area")
    high: float = Field(1.0, gt=0.0, le=1.0, description="greatest share of the area")
    ratio: float = Field(4 / 3, ge=1.0, le=100.0, description="aspect ratio drawn from [1 / r, r]")


class ColorJitterSettings(Settings):
    """:class:`medtail.data.transforms.RandomColorJitter`."""

    probability: Share = 0.8
    brightness: float = Field(0.4, ge=0.0, lt=1.0, description="factor drawn from [1 - b, 1 + b]")
    contrast: float = Field(0.4, ge=0.0, lt=1.0, description="factor drawn from [1 - c, 1 + c]")
    saturation: float = Field(0.4, ge=0.0, lt=1.0, description="factor drawn from [1 - s, 1 + s]")
    hue: float = Field(0.1, ge=0.0, le=0.5, description="turn drawn from [-h, h] of the circle of colours")


class RandAugmentSettings(Settings):
    """:class:`medtail.data.transforms.RandAugment`."""

    operations: int = Field(2, ge=1, le=100, description="operations per image")
    magnitude: int = Field(9, ge=0, le=30)


class MixupSettings(Settings):
    """:class:`~medtail.training.batches.mixing.Mixup` or :class:`~medtail.training.batches.mixing.BalancedMixup`."""

    alpha: float = Field(
        0.2, ge=1e-3, le=1e3, description="beyond these, shares are 0 and 1, or all one half"
    )
    partners: Literal["batch", "class_balanced"] = Field(
        "batch", description="images of the same batch, or images drawn with every class equally likely"
    )


class ViewAugmentation(Settings):
    """Random changes of one view of training images; each image draws its own.

    These are the defaults of every recipe: 0 and None leave a transform out.
    """

    horizontal_flip: Share = 0.5
    vertical_flip: Share = 0.0
    depth_flip: Share = Field(0.0, description="for volumes only")
    quarter_turn: Share = Field(0.0, description="probability of a rotation by 90, 180 or 270 degrees")
    affine: AffineSettings | None = Field(None, description="rotation and scale")
    crop: int | None = Field(
        None, ge=8, description="pixels per side: a random part in training, the central one in evaluation"
    )
    resized_crop: ResizedCropSettings | None = Field(
        None, description="a part of random size, enlarged to the whole"
    )
    shift: int = Field(
        0, ge=0, le=4096, description="pixels: pad by this many, then crop back at a random place"
    )
    auto_augment: Literal["cifar10"] | None = Field(None, description="policy of AutoAugment")
    rand_augment: RandAugmentSettings | None = Field(None, description="random operations of one magnitude")
    brightness: float = Field(0.0, ge=0.0, lt=1.0, description="factor drawn from [1 - b, 1 + b]")
    contrast: float = Field(0.0, ge=0.0, lt=1.0, description="factor drawn from [1 - c, 1 + c]")
    gamma: GammaSettings | None = Field(None, description="power of the pixels")
    contrast_gain: ContrastGainSettings | None = Field(None, description="sigmoid contrast")
    color_jitter: ColorJitterSettings | None = Field(
        None, description="brightness, contrast, saturation and hue in random order"
    )
    grey: Share = Field(0.0, description="probability of losing all colour")
    blur: BlurSettings | None = Field(None, description="Gaussian blur")
    cutout: int = Field(0, ge=0, le=4096, description="pixels per side of the square that is hidden")
    variant: Literal["paper", "official"] = Field(
        "paper",
        description="official fills as the code of DBM and its baselines: AutoAugment grey, Cutout black",
    )


class Augmentation(ViewAugmentation):
    """Random changes of training images, and of the further views that contrastive methods take of them."""

    contrast_view: ViewAugmentation | None = Field(
        None, description="changes of the views that a contrastive method compares"
    )
    mixup: MixupSettings | None = Field(None, description="mix each image, and its loss, with another")


class Sampling(Settings):
    """The proportions in which the classes are drawn in training."""

    name: Literal[
        "uniform",
        "stratified",
        "class_balanced",
        "square_root",
        "progressively_balanced",
        "deferred_balanced",
    ] = "uniform"


class Backbone(Settings):
    """The network up to the features."""

    name: str
    variant: Literal["paper", "official"] = Field(
        "paper", description="official starts the CIFAR family as the code of DBM and its baselines does"
    )
    pretrained: bool = False
    frozen_epochs: int = Field(0, ge=0, description="epochs at the start that train only the head")
    from_run: str | None = Field(
        None, description="folder of the run that the network's weights are taken from"
    )
    cached_features: bool = Field(
        False,
        description="train only the head, on features of the images, which are computed once, not augmented",
    )


class AutoHead(Settings):
    """The plainest head that emits what the loss expects."""

    name: Literal["auto"] = "auto"


class LinearHeadSettings(Settings):
    """:class:`medtail.heads.LinearHead`."""

    name: Literal["linear"]
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


class CosineHeadSettings(Settings):
    """:class:`medtail.heads.CosineClassifier`."""

    name: Literal["cosine"]


class EmbeddingHeadSettings(Settings):
    """:class:`medtail.heads.EmbeddingHead`."""

    name: Literal["embedding"]
    embedding_size: int = Field(128, ge=1, le=65_536)
    dropout: float = Field(0.5, ge=0.0, lt=1.0)


class TwoLayerHeadSettings(Settings):
    """:class:`medtail.heads.TwoLayerHead`."""

    name: Literal["two_layer"]
    embedding_size: int = Field(128, ge=1, le=65_536)
    dropout: float = Field(0.5, ge=0.0, lt=1.0)


class RescaledHeadSettings(Settings):
    """:class:`medtail.heads.RescaledHead`, with the directions of the classifier of ``backbone.from_run``."""

    name: Literal["rescaled"]


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


class Sharpness(Settings):
    """Sharpness-aware minimisation around the optimizer: :class:`medtail.training.SAM`."""

    radius: float = Field(0.05, gt=0.0)
    adaptive: bool = False


class SGD(Settings):
    """Stochastic gradient descent."""

    name: Literal["sgd"]
    learning_rate: float = Field(gt=0.0)
    momentum: float = Field(0.9, ge=0.0, lt=1.0)
    nesterov: bool = False
    weight_decay: float = Field(5e-4, ge=0.0)
    sharpness: Sharpness | None = None


class Adam(Settings):
    """Adam."""

    name: Literal["adam"]
    learning_rate: float = Field(1e-3, gt=0.0)
    weight_decay: float = Field(0.0, ge=0.0)
    sharpness: Sharpness | None = None


class AdamW(Settings):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"]
    learning_rate: float = Field(1e-3, gt=0.0)
    weight_decay: float = Field(0.05, ge=0.0)
    sharpness: Sharpness | None = None


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


class Training(Settings):
    """The training loop."""

    epochs: int = Field(ge=1, le=1_000_000)
    batch_size: int = Field(128, ge=2, le=1_000_000, description="images per step, over all devices together")
    seed: int = Field(0, ge=0, lt=2**32)
    accumulate_batches: int = Field(
        1, ge=1, description="batches whose gradients are added up before each step"
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    gradient_clip_norm: float | None = Field(None, gt=0.0)
    monitor: Literal["balanced_accuracy", "auc", "last_epoch", "best_test"] = Field(
        "balanced_accuracy",
        description="the validation metric that chooses the epoch to keep; best_test takes the test accuracy",
    )
    early_stopping_patience: int | None = Field(
        None, ge=1, description="epochs without a better validation metric"
    )
    tensorboard: bool = False
    devices: int = Field(1, ge=1)
    workers: int = Field(2, ge=0, description="decoding processes, if images do not fit into memory")


class Recipe(Settings):
    """Every setting of a run."""

    recipe: Names
    data: Data
    augmentation: Augmentation = Augmentation()
    sampling: Sampling = Sampling()
    backbone: Backbone
    head: Annotated[
        AutoHead
        | LinearHeadSettings
        | CosineHeadSettings
        | EmbeddingHeadSettings
        | TwoLayerHeadSettings
        | RescaledHeadSettings,
        Field(discriminator="name"),
    ] = AutoHead()
    method: Annotated[
        SupervisedSettings
        | LossConditionalSettings
        | BalancedContrastiveSettings
        | GaussianMixtureSettings
        | NestedCollaborativeSettings
        | TauNormalizedSettings,
        Field(discriminator="name"),
    ] = SupervisedSettings()
    loss: Loss
    optimizer: Annotated[SGD | Adam | AdamW, Field(discriminator="name")]
    schedule: Annotated[ConstantSchedule | CosineSchedule | StepSchedule, Field(discriminator="name")]
    training: Training

    @model_validator(mode="before")
    @classmethod
    def _keeps_the_last_epoch(cls, settings: Any) -> Any:
        """Without validation, the last epoch is what ``training.monitor`` means unless it is given."""
        data, training = (
            (settings.get(key) for key in ("data", "training")) if isinstance(settings, dict) else 2 * (None,)
        )
        if isinstance(data, dict) and isinstance(training, dict) and data.get("validation") == "none":
            return {**settings, "training": {"monitor": "last_epoch", **training}}
        return settings

    @property
    def split_seed(self) -> int:
        """Seed of the splits that are drawn."""
        return self.training.seed if self.data.split_seed == "run" else self.data.split_seed

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        if self.loss.settings.get("reduction") == "none":
            raise ValueError(
                "loss.reduction must give one value for a batch (mean, weighted_mean or sum), got 'none'; leave it out"
            )
        crop, size = self.augmentation.crop, self.data.image_size
        if crop is not None and crop > size:
            raise ValueError(
                f"augmentation.crop must not be larger than data.image_size, got {crop} of {size}; raise image_size "
                f"or lower crop"
            )
        if self.data.normalization == "masked":
            for name in ("contrast", "contrast_gain"):
                if getattr(self.augmentation, name):
                    raise ValueError(
                        f"augmentation.{name} must be off with data.normalization=masked: it turns black into grey, "
                        f"which leaves nothing outside the mask; use augmentation.gamma instead"
                    )
        if self.training.batch_size % self.training.devices:
            raise ValueError(
                f"training.batch_size must be a multiple of training.devices, got {self.training.batch_size} "
                f"for {self.training.devices} devices; change one of them"
            )
        self._check_protocol()
        self._check_second_stage()
        if self.training.monitor == "last_epoch" and self.training.early_stopping_patience is not None:
            raise ValueError(
                f"training.early_stopping_patience must be null with training.monitor=last_epoch, got "
                f"{self.training.early_stopping_patience}: it stops by the metric that chooses the epoch; "
                f"monitor balanced_accuracy or auc"
            )
        if self.optimizer.sharpness is not None and self.training.accumulate_batches > 1:
            raise ValueError(
                f"training.accumulate_batches must be 1 with optimizer.sharpness, got "
                f"{self.training.accumulate_batches}: its second gradient must be of the same images as its first; "
                f"raise training.batch_size instead"
            )
        return self

    def _check_protocol(self) -> None:
        """Refuse a choice of the epoch by a split that there is not."""
        monitor, validation = self.training.monitor, self.data.validation
        if validation == "none" and monitor != "last_epoch":
            raise ValueError(
                f"training.monitor must be last_epoch with data.validation=none, got {monitor}: no split is left to "
                f"choose an epoch by; leave it out, or draw a validation split"
            )
        if validation != "test" and monitor == "best_test":
            raise ValueError(
                f"training.monitor=best_test needs data.validation=test, got {validation}: it chooses the epoch on the "
                f"test split, which must be said; set data.validation=test or monitor balanced_accuracy"
            )
        if self.data.negative is not None and self.data.positive is None:
            raise ValueError(
                f"data.negative needs data.positive, got {self.data.negative} alone; name the positive class as well"
            )

    def _check_second_stage(self) -> None:
        """Refuse what makes no sense for a head on features that are computed once."""
        if self.backbone.cached_features and self.augmentation.mixup is not None:
            raise ValueError(
                "augmentation.mixup must be null with backbone.cached_features=true: features are those of whole "
                "images; leave one of them out"
            )
        if self.method.name == "tau_normalized" and self.head.name != "rescaled":
            raise ValueError(
                f"head.name must be rescaled with method.name=tau_normalized, got {self.head.name}; leave it out"
            )

    def save(self, path: Path) -> None:
        """Write the recipe as YAML; ``load_recipe`` reads it back equal."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))
