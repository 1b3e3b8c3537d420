"""Settings of a recipe: random changes of training images."""

from typing import Literal

from pydantic import Field

from medtail.recipes.schema.base import Settings, Share


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


class SharpnessSettings(Settings):
    """:class:`medtail.data.transforms.RandomSharpness`."""

    probability: Share = 0.5
    low: float = Field(
        0.0, ge=0.0, le=100.0, description="factor drawn from [low, high]: 0 smoothes, 1 changes nothing"
    )
    high: float = Field(2.0, ge=0.0, le=100.0)


class ErasingSettings(Settings):
    """:class:`medtail.data.transforms.RandomErasing`."""

    probability: Share = 0.5
    low: float = Field(0.02, gt=0.0, le=1.0, description="least share of the area")
    high: float = Field(0.4, gt=0.0, le=1.0, description="greatest share of the area")
    ratio: float = Field(10 / 3, ge=1.0, le=100.0, description="aspect ratio drawn from [1 / r, r]")


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
    shift: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="share of the side: pad by this much, then crop back at a random place",
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
    sharpness: SharpnessSettings | None = Field(None, description="away from, or towards, the smoothed image")
    cutout: int = Field(0, ge=0, le=4096, description="pixels per side of the square that is hidden")
    erasing: ErasingSettings | None = Field(None, description="a rectangle of some images is hidden")
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
