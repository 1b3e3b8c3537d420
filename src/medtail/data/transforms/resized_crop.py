"""A part of each image, of random size and shape, enlarged to the size of the whole."""

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from medtail.checks import number
from medtail.data.transforms.decisions import check_interval
from medtail.errors import InputError

#: How often a shape is drawn that fits into the image before the whole is taken.
_ATTEMPTS = 10


@final
class RandomResizedCrop(nn.Module):
    """Take a part of random area and aspect ratio, and enlarge it, bilinear.

    Args:
        low: Least share of the area; SimCLR on CIFAR: 0.2.
        high: Greatest share of the area.
        ratio: The aspect ratio is log-uniform in [1 / ratio, ratio].
        size: Pixels of every side of the result; as large as the image by default.

    Raises:
        InputError: A setting is out of range; on use, images are volumes.

    Shape and place are whole pixels, as torchvision has them; where ten shapes in a row do not fit, the largest central
    part whose ratio is allowed is taken.
    """

    def __init__(
        self, low: float = 0.2, high: float = 1.0, ratio: float = 4 / 3, size: int | None = None
    ) -> None:
        super().__init__()
        self.low, self.high = check_interval("resized_crop", low, high, "0.2 and 1")
        number("resized_crop.high", high, high=1, remedy="1 is the whole image")
        self.ratio = number("resized_crop.ratio", ratio, low=1, remedy="e.g. 1.33")
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4:
            raise InputError("resized_crop needs images, got volumes; set it to null")
        corner, sides = self._windows(images)
        return _enlarged(images, corner, sides, self.size)

    def _windows(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the top left corner and the sides of each window ``(2, N)``, rows first."""
        count, device = len(images), images.device
        height, width = images.shape[2:]
        area = torch.empty(_ATTEMPTS, count, device=device).uniform_(self.low, self.high) * height * width
        ratio = torch.empty_like(area).uniform_(-math.log(self.ratio), math.log(self.ratio)).exp()
        heights, widths = (area / ratio).sqrt().round(), (area * ratio).sqrt().round()
        fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
        # The first that fits.
        chosen = fits.int().argmax(0, keepdim=True)
        windows = []
        for side, sides, largest in (
            (height, heights, min(height, round(width * self.ratio))),
            (width, widths, min(width, round(height * self.ratio))),
        ):
            drawn = sides.gather(0, chosen).squeeze(0)
            corner = (torch.rand(count, device=device) * (side - drawn + 1)).floor()
            has_fit = fits.any(0)
            # A random number that rounds to 1 must not lead outside.
            corner = torch.where(has_fit, torch.minimum(corner, side - drawn), (side - largest) // 2)
            windows.append((corner, torch.where(has_fit, drawn, largest)))
        (top, height_taken), (left, width_taken) = windows
        return torch.stack([top, left]), torch.stack([height_taken, width_taken])


def _enlarged(images: Tensor, corner: Tensor, sides: Tensor, size: int | None) -> Tensor:
    """Return windows of images at the size asked for; the edge of a window is repeated, not looked beyond."""
    places = []
    for axis, side in enumerate(images.shape[2:]):
        target = size or side
        scale = sides[axis, :, None] / target
        inside = (torch.arange(target, device=images.device) + 0.5) * scale - 0.5
        inside = torch.minimum(inside.clamp_min(0), sides[axis, :, None] - 1)
        places.append((2 * (inside + corner[axis, :, None]) + 1) / side - 1)
    rows, columns = places
    shape = (len(images), rows.shape[1], columns.shape[1])
    grid = torch.stack([columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)], dim=3)
    return functional.grid_sample(images, grid.to(images), padding_mode="border", align_corners=False)
