"""Settings of a recipe: how images are read, kept and split."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from medtail.recipes.schema.base import Settings


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
    alpha: float = Field(6.0, ge=0.05)
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
    mask_column: str | None = Field(
        None, description="masks whose centre of mass becomes the centre of the image"
    )


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
    normalization: Literal["dataset", "masked", "none"] = Field(
        "dataset",
        description="by mean and deviation of the training images, or of the part of each image that is not black; "
        "none leaves pixels in [0, 1]",
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
