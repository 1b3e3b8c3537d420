"""A recipe: every setting of a run, and the rules by which settings go together."""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, model_validator

from medtail.files import write_text
from medtail.recipes.schema.augmentation import Augmentation
from medtail.recipes.schema.base import Settings
from medtail.recipes.schema.data import Data
from medtail.recipes.schema.methods import (
    BalancedContrastiveSettings,
    GaussianMixtureSettings,
    Loss,
    LossConditionalSettings,
    NestedCollaborativeSettings,
    SupervisedSettings,
    TauNormalizedSettings,
)
from medtail.recipes.schema.network import (
    AutoHead,
    Backbone,
    CosineHeadSettings,
    EmbeddingHeadSettings,
    LinearHeadSettings,
    RescaledHeadSettings,
    TwoLayerHeadSettings,
)
from medtail.recipes.schema.optimization import (
    AnyOptimizer,
    ConstantSchedule,
    CosineSchedule,
    StepSchedule,
)
from medtail.recipes.schema.training import Sampling, Training


class Names(Settings):
    """The files the recipe was merged from; for the reader and for ``compare``."""

    dataset: str
    method: str


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
    optimizer: AnyOptimizer
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
    def input_size(self) -> int:
        """Pixels per side of what the network sees."""
        return self.augmentation.crop or self.data.image_size

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
        if self.training.sync_batch_norm and self.training.devices == 1:
            raise ValueError(
                "training.sync_batch_norm must be false with training.devices=1: one device sees the whole batch; "
                "leave it out, or raise training.devices"
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
        if self.backbone.cached_features and self.optimizer.layer_decay is not None:
            raise ValueError(
                f"optimizer.layer_decay must be null with backbone.cached_features=true, got "
                f"{self.optimizer.layer_decay:g}: only the head is trained; leave one of them out"
            )
        if self.backbone.cached_features and self.backbone.lora is not None:
            raise ValueError(
                "backbone.lora must be null with backbone.cached_features=true: only the head is trained; leave one of "
                "them out"
            )
        self._check_solver()
        if self.method.name == "tau_normalized" and self.training.average_decay is not None:
            raise ValueError(
                f"training.average_decay must be null with method.name=tau_normalized, got "
                f"{self.training.average_decay:g}: each epoch tries another τ, and a mean of several is none of them; "
                f"leave it out"
            )
        if self.method.name == "tau_normalized" and self.head.name != "rescaled":
            raise ValueError(
                f"head.name must be rescaled with method.name=tau_normalized, got {self.head.name}; leave it out"
            )

    @property
    def takes_whole_split(self) -> bool:
        """Whether the loop can give all training images to one step, as they are."""
        training = self.training
        unchanged = training.average_decay is None and training.gradient_clip_norm is None
        return self.sampling.name == "uniform" and training.devices == 1 and unchanged

    def _check_solver(self) -> None:
        """Refuse what solvers on cached features cannot do."""
        name = self.optimizer.name
        if self.backbone.cached_views and not self.backbone.cached_features:
            raise ValueError(
                f"backbone.cached_views must be 0 without backbone.cached_features=true, got "
                f"{self.backbone.cached_views}: only features that are computed once have views that are; leave it out"
            )
        if name in ("lbfgs", "auto") and not self.backbone.cached_features:
            raise ValueError(
                f"optimizer.name={name} needs backbone.cached_features=true: its steps are on all images together; "
                f"take adamw or sgd"
            )
        if self.optimizer.whole_split and not self.takes_whole_split:
            raise ValueError(
                f"optimizer.name={name} needs sampling.name=uniform, training.devices=1 and neither average_decay nor "
                f"gradient_clip_norm, got {self.sampling.name}, {self.training.devices}, "
                f"{self.training.average_decay} and {self.training.gradient_clip_norm}: its steps are on all images "
                f"together; weight the loss instead of drawing classes, or take sgd"
            )

    def save(self, path: Path) -> None:
        """Write the recipe as YAML; ``load_recipe`` reads it back equal."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))
