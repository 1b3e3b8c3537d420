"""From pixels in [0, 1] to numbers about 0."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from medtail.errors import InputError


@final
class Normalize(nn.Module):
    """Subtract the mean and divide by the standard deviation of each channel.

    Args:
        mean: One value a channel, of pixels in [0, 1].
        standard_deviation: One positive value a channel.
    """

    mean: Tensor
    standard_deviation: Tensor

    def __init__(self, mean: Sequence[float], standard_deviation: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(standard_deviation):
            raise InputError(
                f"mean and standard_deviation must be of the same channels, got {len(mean)} and "
                f"{len(standard_deviation)} values; give one of each a channel"
            )
        if min(standard_deviation) <= 0:
            raise InputError(
                f"standard_deviation must be positive, got {list(standard_deviation)}; use 1 for a constant channel"
            )
        # They belong to the facts of the training data, not to the weights.
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32), persistent=False)
        self.register_buffer(
            "standard_deviation", torch.tensor(standard_deviation, dtype=torch.float32), persistent=False
        )

    def forward(self, images: Tensor) -> Tensor:
        shape = (1, -1, *(1,) * (images.ndim - 2))
        return (images - self.mean.reshape(shape)) / self.standard_deviation.reshape(shape)


@final
class MaskedNormalize(nn.Module):
    """Mean 0 and deviation 1 of each channel of each image inside its mask; outside stays 0.

    The mask is where any channel is not black: the head in a skull-stripped scan. Brightness and contrast of a scanner
    then say nothing. A channel that never varies in the mask becomes 0 everywhere, so binary masks need
    :class:`Normalize`.
    """

    def forward(self, images: Tensor) -> Tensor:
        axes = tuple(range(2, images.ndim))
        mask = (images != 0).any(dim=1, keepdim=True).to(images.dtype)
        count = mask.sum(dim=axes, keepdim=True).clamp(min=1.0)
        mean = (images * mask).sum(dim=axes, keepdim=True) / count
        centred = (images - mean) * mask
        deviation = (centred.square().sum(dim=axes, keepdim=True) / count).sqrt()
        # Rounding leaves a constant channel a little deviation, which must not be blown up.
        return torch.where(deviation > 1e-5, centred / deviation.clamp(min=1e-5), 0.0)
