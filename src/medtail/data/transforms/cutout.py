"""Cutout hides a square of each image."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from medtail.checks import whole_number


@final
class Cutout(nn.Module):
    """Hide a square (in volumes a cube) around a random pixel; at the edge, only the part of it that lies inside.

    Args:
        size: Pixels along every side; DeVries & Taylor (2017) and DBM use 16 for CIFAR-10.
        fill: What replaces the square: one value, or one per channel. The mean of the training images becomes 0 when
            they are normalised, as in the paper.

    Raises:
        InputError: The size is negative.
    """

    fill: Tensor

    def __init__(self, size: int = 16, fill: Sequence[float] = (0.0,)) -> None:
        super().__init__()
        self.size = whole_number("cutout", size, low=0, remedy="e.g. 16")
        self.register_buffer("fill", torch.tensor(fill, dtype=torch.float32), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        hidden = torch.ones((), dtype=torch.bool, device=images.device)
        for axis, side in enumerate(images.shape[2:], start=2):
            centre = torch.randint(0, side, (len(images), 1), device=images.device)
            place = torch.arange(side, device=images.device)
            first = centre - self.size // 2
            inside = (place >= first) & (place < first + self.size)
            shape = [len(images)] + [1] * (images.ndim - 1)
            shape[axis] = side
            hidden = hidden & inside.reshape(shape)
        return torch.where(hidden, self.fill.reshape(-1, *(1,) * (images.ndim - 2)), images)
