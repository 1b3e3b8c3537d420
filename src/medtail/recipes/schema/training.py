"""Settings of a recipe: the loop and the order of the images."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from medtail.recipes.schema.base import Settings


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
    average_decay: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="decay of the moving average of the weights, which is then validated and saved in their place",
    )
    monitor: Literal["balanced_accuracy", "auc", "last_epoch", "best_test"] = Field(
        "balanced_accuracy",
        description="the validation metric that chooses the epoch to keep; best_test takes the test accuracy",
    )
    monitor_window: int = Field(
        3,
        ge=1,
        description="epochs whose mean of that metric chooses, the last of them being kept; 1 takes single epochs",
    )
    early_stopping_patience: int | None = Field(
        None, ge=1, description="epochs without a better validation metric"
    )
    logger: Literal["tensorboard", "csv", "wandb", "mlflow"] | None = Field(
        None, description="where the values of every step go besides the run's own tables"
    )
    devices: int = Field(1, ge=1)
    sync_batch_norm: bool = Field(
        False, description="batch normalisation over the images of all devices, which must be GPUs"
    )
    workers: int = Field(2, ge=0, description="decoding processes, if images do not fit into memory")

    @model_validator(mode="before")
    @classmethod
    def _read_tensorboard(cls, values: Any) -> Any:
        """Read ``tensorboard``, true or false, of runs of earlier versions."""
        if not isinstance(values, Mapping) or not isinstance(values.get("tensorboard"), bool):
            return values
        others = {key: value for key, value in values.items() if key != "tensorboard"}
        return {"logger": "tensorboard", **others} if values["tensorboard"] else others
