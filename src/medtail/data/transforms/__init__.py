"""Augmentation and normalisation of whole batches on the device, with a random decision for each image.

Images are float ``(N, channels, H, W)`` in [0, 1], volumes ``(N, channels, D, H, W)``. Randomness comes from PyTorch's
global generators. Nothing waits for the device: decisions are masks on it, or drawn on the host.
"""

from medtail.data.transforms.augmentation import AUGMENTATION, build_augmentation
from medtail.data.transforms.auto_augment import CifarAutoAugment, RandAugment
from medtail.data.transforms.colour import RandomColorJitter, RandomGrey
from medtail.data.transforms.cutout import Cutout
from medtail.data.transforms.erasing import RandomErasing
from medtail.data.transforms.geometry import (
    CentreCrop,
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
from medtail.data.transforms.normalization import MaskedNormalize, Normalize
from medtail.data.transforms.resized_crop import RandomResizedCrop

__all__ = [
    "AUGMENTATION",
    "CentreCrop",
    "CifarAutoAugment",
    "Cutout",
    "MaskedNormalize",
    "Normalize",
    "RandAugment",
    "RandomAffine",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomContrastGain",
    "RandomCrop",
    "RandomDepthFlip",
    "RandomErasing",
    "RandomGamma",
    "RandomGaussianBlur",
    "RandomGrey",
    "RandomHorizontalFlip",
    "RandomQuarterTurn",
    "RandomResizedCrop",
    "RandomSharpness",
    "RandomShift",
    "RandomVerticalFlip",
    "build_augmentation",
]
