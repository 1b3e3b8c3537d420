"""Random erasing hides a rectangle of some images."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from medtail.checks import number
from medtail.data.transforms.decisions import check_interval, check_probability, chosen, uniform
from medtail.errors import InputError


@final
class RandomErasing(nn.Module):
    """Hide a rectangle of random area, shape and place, which always lies inside the image.

    Args:
        probability: For each image; 0.5 in Zhong et al. (2020).
        low: Least share of the area; 0.02 in the paper.
        high: Greatest share of the area; 0.4 in the paper, 0.33 in torchvision.
        ratio: The aspect ratio is log-uniform in [1 / ratio, ratio]; 1 / 0.3 in the paper.
        fill: What replaces the rectangle: one value, or one per channel. The mean of the training images becomes 0 when
            they are normalised; the paper prefers noise.

    Raises:
        InputError: A setting is out of range; on use, images are volumes.

    A rectangle that is longer than the image is cut to its length, so that its area may be less than was drawn.

    Source: Zhong et al., "Random Erasing Data Augmentation", 2020.
    """

    fill: Tensor

    def __init__(
        self,
        probability: float = 0.5,
        low: float = 0.02,
        high: float = 0.4,
        ratio: float = 10 / 3,
        fill: Sequence[float] = (0.0,),
    ) -> None:
        super().__init__()
        self.probability = check_probability("erasing.probability", probability)
        self.low, self.high = check_interval("erasing", low, high, "0.02 and 0.4")
        number("erasing.high", high, high=1, remedy="e.g. 0.4")
        self.ratio = number("erasing.ratio", ratio, low=1, remedy="e.g. 3.3")
        self.register_buffer("fill", torch.tensor(fill, dtype=torch.float32), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4:
            raise InputError("erasing needs images, got volumes; set it to null")
        height, width = images.shape[2:]
        area = uniform(self.low, self.high, images) * height * width
        ratio = uniform(-math.log(self.ratio), math.log(self.ratio), images).exp()
        hidden = chosen(self.probability, images)
        for side, length, axis in ((height, (area / ratio).sqrt(), 2), (width, (area * ratio).sqrt(), 3)):
            length = length.round().clamp(1, side)
            first = (uniform(0.0, 1.0, images) * (side - length + 1)).floor().clamp_max(side - length)
            place = torch.arange(side, device=images.device).reshape(
                [-1 if a == axis else 1 for a in range(4)]
            )
            hidden = hidden & (place >= first) & (place < first + length)
        return torch.where(hidden, self.fill.reshape(-1, 1, 1), images)
