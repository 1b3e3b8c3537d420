"""AutoAugment with the policy that was learned on CIFAR-10."""

from typing import final

import torch
from torch import Tensor, nn

from medtail.errors import InputError


@final
class CifarAutoAugment(nn.Module):
    """One of the 25 sub-policies of Cubuk et al. (2019, table 7) for each image, by torchvision.

    It works on 8 bits and on one image after another: torchvision draws once per call, and images must not share a
    draw.

    Raises:
        InputError: On use, if images are volumes or have neither 1 nor 3 channels.
    """

    def __init__(self) -> None:
        super().__init__()
        from torchvision.transforms import v2

        self.policy = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise InputError(
                f"auto_augment needs images of 1 or 3 channels, got {images.shape[1]} channels and "
                f"{images.ndim - 2} spatial axes; set it to null"
            )
        pixels = (images * 255).round().to(torch.uint8)
        # Rotations and sharpness are computed in floating point, which autocast would round to bfloat16.
        with torch.autocast(images.device.type, enabled=False):
            return torch.stack([self.policy(image) for image in pixels]).to(images.dtype) / 255
