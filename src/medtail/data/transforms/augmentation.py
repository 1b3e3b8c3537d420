"""The chain of random changes that a recipe asks for."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from medtail.checks import choice
from medtail.data.transforms.auto_augment import CifarAutoAugment, RandAugment
from medtail.data.transforms.colour import RandomColorJitter, RandomGrey
from medtail.data.transforms.cutout import Cutout
from medtail.data.transforms.erasing import RandomErasing
from medtail.data.transforms.geometry import (
    RandomAffine,
    RandomCrop,
    RandomDepthFlip,
    RandomHorizontalFlip,
    RandomQuarterTurn,
    RandomShift,
    RandomVerticalFlip,
)
from medtail.data.transforms.intensity import (
    RandomBrightness,
    RandomContrast,
    RandomContrastGain,
    RandomGamma,
    RandomGaussianBlur,
    RandomSharpness,
)
from medtail.data.transforms.operations import Variant
from medtail.data.transforms.resized_crop import RandomResizedCrop
from medtail.errors import InputError
from medtail.naming import nearest

_AUTO_AUGMENT: Mapping[str, Callable[[Variant], nn.Module]] = {"cifar10": CifarAutoAugment}


def _auto_augment(policy: str, variant: Variant = "paper") -> nn.Module:
    return _AUTO_AUGMENT[choice("auto_augment", policy, _AUTO_AUGMENT)](variant)


#: Every setting, in the order in which transforms are chained; 0 and None leave a transform out, and a mapping holds
#: the arguments of its constructor.
AUGMENTATION: Mapping[str, Callable[..., nn.Module]] = {
    "horizontal_flip": RandomHorizontalFlip,
    "vertical_flip": RandomVerticalFlip,
    "depth_flip": RandomDepthFlip,
    "quarter_turn": RandomQuarterTurn,
    "affine": RandomAffine,
    "crop": RandomCrop,
    "resized_crop": RandomResizedCrop,
    "shift": RandomShift,
    "auto_augment": _auto_augment,
    "rand_augment": RandAugment,
    "brightness": RandomBrightness,
    "contrast": RandomContrast,
    "gamma": RandomGamma,
    "contrast_gain": RandomContrastGain,
    "color_jitter": RandomColorJitter,
    "grey": RandomGrey,
    "blur": RandomGaussianBlur,
    "sharpness": RandomSharpness,
    "cutout": Cutout,
    "erasing": RandomErasing,
}


#: By variant, what Cutout hides pixels with: the mean becomes 0 when images are normalised.
_CUTOUT_FILLS: Mapping[str, Callable[[Sequence[float]], Sequence[float]]] = {
    "paper": lambda mean: mean,
    "official": lambda mean: (0.0,),
}


def build_augmentation(
    settings: Mapping[str, Any],
    *,
    mean: Sequence[float] = (0.0,),
    size: int | None = None,
    variant: Variant = "paper",
) -> nn.Sequential:
    """Chain the transforms whose setting is not 0 or None, in the order of :data:`AUGMENTATION`.

    Args:
        settings: Keys of :data:`AUGMENTATION`; transforms left out are not built.
        mean: Mean of each channel of the training images, with which :class:`Cutout` and
            :class:`RandomErasing` fill what they hide.
        size: Pixels per side of what :class:`RandomResizedCrop` returns; as large as the image by default.
        variant: ``"official"`` fills as the code of DBM and its baselines does: AutoAugment with grey, Cutout with
            black.

    Raises:
        InputError: A key is unknown or a value is out of range.

    Example:
        >>> build_augmentation({"shift": 0.125, "gamma": {"low": 0.7}})
        Sequential(
          (shift): RandomShift()
          (gamma): RandomGamma()
        )
    """
    for key in settings:
        if key not in AUGMENTATION:
            raise InputError(
                f"augmentation has no setting {key!r}{nearest(key, AUGMENTATION)}; "
                f"allowed: {', '.join(AUGMENTATION)}"
            )
    chain = nn.Sequential()
    transforms: dict[str, Callable[..., nn.Module]] = {
        **AUGMENTATION,
        "cutout": partial(Cutout, fill=_CUTOUT_FILLS[variant](mean)),
        "erasing": partial(RandomErasing, fill=mean),
        "auto_augment": partial(_auto_augment, variant=variant),
        "resized_crop": partial(RandomResizedCrop, size=size),
    }
    for key, transform in transforms.items():
        value = settings.get(key)
        if isinstance(value, Mapping):
            chain.add_module(key, transform(**value))
        elif value:
            chain.add_module(key, transform(value))
    return chain
