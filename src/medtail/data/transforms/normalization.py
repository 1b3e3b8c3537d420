"""Normalisation of pixels in [0, 1] to numbers around 0."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from medtail.errors import InputError


@final
class Normalize(nn.Module):
    """Subtract the mean and divide by the standard deviation of each channel.

    Args:
        mean: One value per channel, of pixels in [0, 1].
        standard_deviation: One positive value per channel.

    Raises:
        InputError: There are not as many means as deviations, or a deviation is not positive.
    """

    mean: Tensor
    standard_deviation: Tensor

    def __init__(self, mean: Sequence[float], standard_deviation: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(standard_deviation):
            raise InputError(
                f"mean and standard_deviation must have one value per channel, got {len(mean)} and "
                f"{len(standard_deviation)} values; give equally many"
            )
        if min(standard_deviation) <= 0:
            raise InputError(
                f"standard_deviation must be positive, got {list(standard_deviation)}; use 1 for a constant channel"
            )
        # They describe the training data and are not weights.
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32), persistent=False)
        self.register_buffer(
            "standard_deviation", torch.tensor(standard_deviation, dtype=torch.float32), persistent=False
        )

    def forward(self, images: Tensor) -> Tensor:
        shape = (1, -1, *(1,) * (images.ndim - 2))
        return (images - self.mean.reshape(shape)) / self.standard_deviation.reshape(shape)


@final
class MaskedNormalize(nn.Module):
    """Give each channel of each image mean 0 and deviation 1 inside its mask; the outside stays 0.

    The mask is where any channel is not black: the head in a skull-stripped scan. This removes the brightness and
    contrast of the scanner. A channel that is constant in the mask becomes 0 everywhere, so binary masks need
    :class:`Normalize`.
    """

    def forward(self, images: Tensor) -> Tensor:
        axes = tuple(range(2, images.ndim))
        mask = (images != 0).any(dim=1, keepdim=True).to(images.dtype)
        count = mask.sum(dim=axes, keepdim=True).clamp(min=1.0)
        mean = (images * mask).sum(dim=axes, keepdim=True) / count
        centred = (images - mean) * mask
        deviation = (centred.square().sum(dim=axes, keepdim=True) / count).sqrt()
        # Rounding leaves a constant channel a tiny deviation, which must not be amplified.
        return torch.where(deviation > 1e-5, centred / deviation.clamp(min=1e-5), 0.0)
