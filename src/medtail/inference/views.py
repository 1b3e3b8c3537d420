"""Test-time augmentation: the views of an image that a network is shown."""

from collections.abc import Callable
from itertools import combinations
from typing import final

import torch
from torch import Tensor, nn


@final
class Flip(nn.Module):
    """Mirrors images along some axes; no pixel changes its value.

    Args:
        axes: Of ``(N, channels, *spatial)``, counted from the end; none leaves images as they are.
    """

    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    def extra_repr(self) -> str:
        """Return the axes."""
        return f"axes={self.axes}"

    def forward(self, images: Tensor) -> Tensor:
        """Return mirrored images."""
        return images.flip(self.axes)


@final
class QuarterTurns(nn.Module):
    """Turns square images in the plane of the last two axes; no pixel changes its value.

    Args:
        turns: How often by 90°, counter-clockwise.
    """

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns = turns

    def extra_repr(self) -> str:
        """Return the number of turns."""
        return f"turns={self.turns}"

    def forward(self, images: Tensor) -> Tensor:
        """Return turned images."""
        return torch.rot90(images, self.turns, (-2, -1))


Views = tuple[nn.Module, ...]
"""What a network is shown of each image; the first view is the image as it is."""

#: The image as it is.
ONE_VIEW: Views = (nn.Identity(),)


def flips(dimensions: int) -> Views:
    """Return every combination of flips: 4 views of an image, 8 of a volume.

    Args:
        dimensions: 2 for images, 3 for volumes.

    Example:
        >>> [view.axes for view in flips(2)]
        [(), (-2,), (-1,), (-2, -1)]
    """
    axes = range(-dimensions, 0)
    return tuple(Flip(chosen) for count in range(dimensions + 1) for chosen in combinations(axes, count))


def rotations(dimensions: int) -> Views:
    """Return the four rotations by multiples of 90°; volumes are turned slice by slice.

    Args:
        dimensions: 2 for images, 3 for volumes.
    """
    return tuple(QuarterTurns(turns) for turns in range(4))


#: The views of each test-time augmentation, by its name, from the number of dimensions.
TEST_TIME_AUGMENTATIONS: dict[str, Callable[[int], Views]] = {"flips": flips, "rotations": rotations}


def view_names(views: Views) -> list[str]:
    """Return the views in words; none for the image as it is."""
    return [] if views == ONE_VIEW else [repr(view) for view in views]
