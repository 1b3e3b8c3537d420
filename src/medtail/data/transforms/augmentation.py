"""The chain of random changes that a recipe asks for."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from medtail.checks import choice
from medtail.data.transforms.auto_augment import CifarAutoAugment
from medtail.data.transforms.cutout import Cutout
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
)
from medtail.errors import InputError
from medtail.naming import nearest

_AUTO_AUGMENT: Mapping[str, Callable[[], nn.Module]] = {"cifar10": CifarAutoAugment}


def _auto_augment(policy: str) -> nn.Module:
    return _AUTO_AUGMENT[choice("auto_augment", policy, _AUTO_AUGMENT)]()


#: Every setting, in the order in which transforms are chained; 0 and None leave a transform out, and a mapping holds
#: the arguments of its constructor.
AUGMENTATION: Mapping[str, Callable[..., nn.Module]] = {
    "horizontal_flip": RandomHorizontalFlip,
    "vertical_flip": RandomVerticalFlip,
    "depth_flip": RandomDepthFlip,
    "quarter_turn": RandomQuarterTurn,
    "affine": RandomAffine,
    "crop": RandomCrop,
    "shift": RandomShift,
    "auto_augment": _auto_augment,
    "brightness": RandomBrightness,
    "contrast": RandomContrast,
    "gamma": RandomGamma,
    "contrast_gain": RandomContrastGain,
    "blur": RandomGaussianBlur,
    "cutout": Cutout,
}


def build_augmentation(settings: Mapping[str, Any], *, mean: Sequence[float] = (0.0,)) -> nn.Sequential:
    """Chain the transforms whose setting is not 0 or None, in the order of :data:`AUGMENTATION`.

    Args:
        settings: Keys of :data:`AUGMENTATION`; transforms left out are not built.
        mean: Mean of each channel of the training images, with which :class:`Cutout` fills what it hides.

    Raises:
        InputError: A key is unknown or a value is out of range.

    Example:
        >>> build_augmentation({"shift": 2, "gamma": {"low": 0.7}})
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
    transforms: dict[str, Callable[..., nn.Module]] = {**AUGMENTATION, "cutout": partial(Cutout, fill=mean)}
    chain = nn.Sequential()
    for key, transform in transforms.items():
        value = settings.get(key)
        if isinstance(value, Mapping):
            chain.add_module(key, transform(**value))
        elif value:
            chain.add_module(key, transform(value))
    return chain
