"""Cutout: a square of each image is hidden."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from medtail.errors import InputError


@final
class Cutout(nn.Module):
    """Hide a square (a cube of volumes) about a random pixel; at the edge, the part of it that lies inside.

    Args:
        size: Pixels of every side; DeVries & Taylor (2017) and DBM take 16 for CIFAR-10.
        fill: What is put there, one value or one a channel. The mean of the training images becomes 0 when they are
            normalised, as in the paper.
    """

    fill: Tensor

    def __init__(self, size: int = 16, fill: Sequence[float] = (0.0,)) -> None:
        super().__init__()
        if size < 0:
            raise InputError(f"cutout must be at least 0 pixels, got {size}; e.g. 16")
        self.size = size
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
