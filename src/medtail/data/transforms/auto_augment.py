"""AutoAugment and RandAugment: operations that each image draws from a list."""

from typing import final

import torch
from torch import Tensor, nn

from medtail import checks
from medtail.data.transforms.operations import (
    OPERATIONS,
    Variant,
    apply_operations,
    magnitudes,
    numbers,
    signed,
)
from medtail.errors import InputError

#: Table 7 of Cubuk et al. (2019): two operations of each sub-policy, with probability and level of 10.
_CIFAR10 = (
    (("invert", 0.1, 7), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("auto_contrast", 0.5, 8), ("equalize", 0.9, 2)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("color", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 5), ("equalize", 0.5, 1)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("color", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, 7), ("auto_contrast", 0.4, 8)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("color", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 3)),
    (("equalize", 0.2, 0), ("auto_contrast", 0.6, 0)),
    (("equalize", 0.2, 8), ("equalize", 0.6, 4)),
    (("color", 0.9, 9), ("equalize", 0.6, 6)),
    (("auto_contrast", 0.8, 4), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("color", 0.7, 0)),
    (("solarize", 0.4, 5), ("auto_contrast", 0.9, 3)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("auto_contrast", 0.9, 2), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 8), ("invert", 0.1, 3)),
    (("translate_y", 0.7, 9), ("auto_contrast", 0.9, 1)),
)


def _rounds(name: str, images: Tensor, operations: Tensor, magnitude: Tensor, variant: Variant) -> Tensor:
    """Apply the operations ``(N, rounds)`` one after the other."""
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise InputError(
            f"{name} needs images of 1 or 3 channels, got {images.shape[1]} channels and "
            f"{images.ndim - 2} spatial axes; set it to null"
        )
    is_negative = torch.rand(operations.shape) < 0.5
    magnitude = signed(operations, magnitude, is_negative, variant)
    # Autocast would round products to bfloat16.
    with torch.autocast(images.device.type, enabled=False):
        pixels = (images.float() * 255).round()
        for operation, strength in zip(operations.unbind(1), magnitude.unbind(1), strict=True):
            pixels = apply_operations(pixels, operation, strength, variant)
        return (pixels / 255).to(images)


@final
class CifarAutoAugment(nn.Module):
    """One of the 25 sub-policies of Cubuk et al. (2019, table 7) for each image, on 8 bits.

    Args:
        variant: ``"paper"`` moves the nearest pixels over black, as torchvision does. ``"official"`` is the code that
            DBM and its baselines were trained with: grey 128 and cubic shears. Its rotations turn to one side only.

    Raises:
        InputError: The variant is unknown; on use, if images are volumes or have neither 1 nor 3 channels.
    """

    def __init__(self, variant: Variant = "paper") -> None:
        super().__init__()
        checks.choice("variant", variant, ("paper", "official"))
        self.variant: Variant = variant
        # No buffers: the host draws, on whatever device the images are.
        self.operations = torch.stack([numbers([name for name, _, _ in policy]) for policy in _CIFAR10])
        self.probabilities = torch.tensor(
            [[probability for _, probability, _ in policy] for policy in _CIFAR10]
        )
        levels = torch.tensor([[level for _, _, level in policy] for policy in _CIFAR10])
        self.magnitudes = magnitudes(10)[self.operations, levels]

    def forward(self, images: Tensor) -> Tensor:
        policy = torch.randint(len(_CIFAR10), (len(images),))
        is_applied = torch.rand(len(images), 2) < self.probabilities[policy]
        operations = torch.where(is_applied, self.operations[policy], 0)
        return _rounds("auto_augment", images, operations, self.magnitudes[policy], self.variant)


@final
class RandAugment(nn.Module):
    """Operations drawn with equal probability, all of one magnitude, on 8 bits.

    Args:
        operations: How many for each image; 2 in BCL.
        magnitude: From 0 to 30, as torchvision counts; BCL's 10 of 10 is 30.

    Raises:
        InputError: A setting is out of range; on use, images are volumes or have neither 1 nor 3 channels.

    Source: Cubuk et al., "RandAugment: Practical Automated Data Augmentation with a Reduced Search Space", 2020.
    """

    #: Which operations are drawn; inversion is not among them.
    drawn = OPERATIONS[:-1]

    def __init__(self, operations: int = 2, magnitude: int = 9) -> None:
        super().__init__()
        self.operations = checks.whole_number("rand_augment.operations", operations, low=1)
        level = checks.whole_number("rand_augment.magnitude", magnitude, low=0)
        checks.number("rand_augment.magnitude", magnitude, high=30, remedy="e.g. 9")
        self.magnitudes = magnitudes(31)[:, level]

    def forward(self, images: Tensor) -> Tensor:
        operations = torch.randint(len(self.drawn), (len(images), self.operations))
        return _rounds("rand_augment", images, operations, self.magnitudes[operations], "paper")
