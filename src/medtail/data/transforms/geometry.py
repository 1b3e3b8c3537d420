"""Transforms that move pixels: flips, turns, shifts, crops, rotation and scale."""

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from medtail.checks import number, whole_number
from medtail.data.transforms.decisions import check_probability, check_strength, chosen, uniform
from medtail.errors import InputError


@final
class RandomHorizontalFlip(nn.Module):
    """Mirror left and right.

    Args:
        probability: For each image.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__()
        self.probability = check_probability("horizontal_flip", probability)

    def forward(self, images: Tensor) -> Tensor:
        return torch.where(chosen(self.probability, images), images.flip(-1), images)


@final
class RandomVerticalFlip(nn.Module):
    """Mirror top and bottom.

    Args:
        probability: For each image.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__()
        self.probability = check_probability("vertical_flip", probability)

    def forward(self, images: Tensor) -> Tensor:
        return torch.where(chosen(self.probability, images), images.flip(-2), images)


@final
class RandomDepthFlip(nn.Module):
    """Mirror the order of a volume's slices.

    Args:
        probability: For each volume; Scholz et al. (2024, B.1.2) flip along each axis with probability 0.5.

    Raises:
        InputError: On use, if images have no depth.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__()
        self.probability = check_probability("depth_flip", probability)

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 5:
            raise InputError("depth_flip needs volumes, got images, which have no depth; set it to 0")
        return torch.where(chosen(self.probability, images), images.flip(-3), images)


@final
class RandomQuarterTurn(nn.Module):
    """Turn by 90, 180 or 270 degrees with equal probability, without interpolation; volumes turn about their depth.

    Args:
        probability: Probability that an image is turned at all; 0.75 makes the four directions equally likely.

    Raises:
        InputError: On use, if images are not square.
    """

    def __init__(self, probability: float = 0.75) -> None:
        super().__init__()
        self.probability = check_probability("quarter_turn", probability)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[-1] != images.shape[-2]:
            raise InputError(
                f"quarter_turn needs square images, got {images.shape[-2]} x {images.shape[-1]}; "
                f"resize them or set it to 0"
            )
        turned_at_all = chosen(self.probability, images)
        turns = torch.randint(1, 4, (images.shape[0],), device=images.device)
        quarters = torch.where(turned_at_all, turns.reshape(turned_at_all.shape), 0)
        turned = images
        for quarter in (1, 2, 3):
            turned = torch.where(quarters == quarter, images.rot90(quarter, (-2, -1)), turned)
        return turned


@final
class RandomAffine(nn.Module):
    """Rotate and scale about the centre, bilinearly and with mirrored edges; volumes turn about their depth.

    Args:
        probability: For each image.
        degrees: The angle of each image is uniform in [-degrees, degrees].
        scale: Its factor is uniform in [1 - scale, 1 + scale], the same along every axis.
    """

    def __init__(self, probability: float = 0.5, degrees: float = 15.0, scale: float = 0.1) -> None:
        super().__init__()
        self.probability = check_probability("affine.probability", probability)
        self.radians = math.radians(number("affine.degrees", degrees, low=0, high=180, remedy="e.g. 15"))
        self.scale = check_strength("affine.scale", scale)

    def forward(self, images: Tensor) -> Tensor:
        spatial = images.shape[2:]
        is_chosen = chosen(self.probability, images)
        # A grid has one axis less, because it has no channels.
        angle = uniform(-self.radians, self.radians, images)[:, 0]
        factor = uniform(1.0 - self.scale, 1.0 + self.scale, images)[:, 0]
        centred = [
            torch.arange(side, device=images.device, dtype=images.dtype) - (side - 1) / 2 for side in spatial
        ]
        *depth, rows, columns = torch.meshgrid(*centred, indexing="ij")
        sine, cosine = angle.sin(), angle.cos()
        # Where each pixel comes from, in pixels from the centre; grid_sample expects columns first, in [-1, 1].
        sources = [cosine * columns - sine * rows, sine * columns + cosine * rows]
        sources += [axis.expand(len(images), *spatial) for axis in depth]
        sides = spatial[::-1]
        grid = torch.stack(
            [2 * source / factor / side for source, side in zip(sources, sides, strict=True)], dim=-1
        )
        moved = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        return torch.where(is_chosen, moved, images)


@final
class RandomShift(nn.Module):
    """Pad with black on all sides and crop back at a random place (He et al. 2016, §4.2: 4 of 32 pixels for CIFAR).

    Args:
        share: Padding of each side, as a share of the image's shorter side, rounded to p pixels; shifts are whole
            numbers of pixels, uniform in [-p, p] along every axis.

    Raises:
        InputError: The share is not in [0, 1).
    """

    def __init__(self, share: float = 0.125) -> None:
        super().__init__()
        self.share = check_strength("shift", share)

    def forward(self, images: Tensor) -> Tensor:
        sides = images.shape[2:]
        pixels = round(self.share * min(sides))
        padded = functional.pad(images, [pixels] * 2 * len(sides))
        corners = torch.randint(0, 2 * pixels + 1, (len(sides), images.shape[0]), device=images.device)
        return _windows(padded, corners, sides)


@final
class RandomCrop(nn.Module):
    """Cut out a square or a cube at a random place; images become smaller.

    Args:
        size: Pixels along every side; Scholz et al. (2024, B.1.2) take 64³ out of 96³.

    Raises:
        InputError: On use, if images are smaller.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = whole_number("crop", size, low=1, remedy="e.g. 64, or null to see whole images")

    def forward(self, images: Tensor) -> Tensor:
        sides = _check_room(images, self.size)
        corners = torch.stack(
            [
                torch.randint(0, side - self.size + 1, (images.shape[0],), device=images.device)
                for side in sides
            ]
        )
        return _windows(images, corners, (self.size,) * len(sides))


@final
class CentreCrop(nn.Module):
    """Cut out the central square or cube: evaluation uses it where training uses :class:`RandomCrop`.

    Args:
        size: Pixels along every side.

    Raises:
        InputError: On use, if images are smaller.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = whole_number("crop", size, low=1, remedy="e.g. 64, or null to see whole images")

    def forward(self, images: Tensor) -> Tensor:
        sides = _check_room(images, self.size)
        for axis, side in enumerate(sides, start=2):
            images = images.narrow(axis, (side - self.size) // 2, self.size)
        return images


def _check_room(images: Tensor, size: int) -> torch.Size:
    sides = images.shape[2:]
    if min(sides) < size:
        raise InputError(
            f"crop must not be larger than the images, got {size} for {' x '.join(map(str, sides))}; "
            f"raise `data.image_size` or lower `augmentation.crop`"
        )
    return sides


def _windows(images: Tensor, corners: Tensor, sides: tuple[int, ...]) -> Tensor:
    """Cut a window of ``sides`` out of each image, at its own corner, of ``corners`` ``(axes, N)``."""
    device = images.device
    places = []
    for axis, (corner, side) in enumerate(zip(corners, sides, strict=True)):
        place = corner[:, None] + torch.arange(side, device=device)
        shape = [len(images)] + [1] * len(sides)
        shape[1 + axis] = side
        places.append(place.reshape(shape))
    numbers = torch.arange(len(images), device=device).reshape(-1, *(1,) * len(sides))
    # Advanced indices that are separated put their dimensions first: (N, …, channels).
    return images[(numbers, slice(None), *places)].movedim(-1, 1)
