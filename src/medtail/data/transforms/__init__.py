"""Augmentation and normalisation of whole batches on the device, with a random decision for each image.

Images are float ``(N, channels, H, W)`` in [0, 1], volumes ``(N, channels, D, H, W)``. Randomness comes from PyTorch's
global generators. Nothing waits for the device: decisions are masks, never branches.
"""

from medtail.data.transforms.augmentation import AUGMENTATION, build_augmentation
from medtail.data.transforms.auto_augment import CifarAutoAugment
from medtail.data.transforms.cutout import Cutout
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
)
from medtail.data.transforms.normalization import MaskedNormalize, Normalize

__all__ = [
    "AUGMENTATION",
    "CentreCrop",
    "CifarAutoAugment",
    "Cutout",
    "MaskedNormalize",
    "Normalize",
    "RandomAffine",
    "RandomBrightness",
    "RandomContrast",
    "RandomContrastGain",
    "RandomCrop",
    "RandomDepthFlip",
    "RandomGamma",
    "RandomGaussianBlur",
    "RandomHorizontalFlip",
    "RandomQuarterTurn",
    "RandomShift",
    "RandomVerticalFlip",
    "build_augmentation",
]
