"""Converts images of any size to what a network is given: one size and one number of channels."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from PIL import Image

from medtail.checks import whole_number
from medtail.data.formats.sources import UnreadableImageError
from medtail.errors import InputError

Fit = Literal["resize", "crop"]

#: What an image and a volume consist of.
UNITS = {2: "pixels", 3: "voxels"}


@final
@dataclass(frozen=True)
class WorkingForm:
    """Size and channels of the images of a run.

    Attributes:
        image_size: Pixels along each side.
        channels: Channels of the result. Grey (1) and colour (3) are converted to each other, other numbers are not.
        dimensions: 2 for images, 3 for volumes.
        fit: ``resize`` resizes the whole image (:func:`resize`); ``crop`` takes the central part without resampling,
            and refuses smaller images.

    Raises:
        InputError: A value is out of range.
    """

    image_size: int
    channels: int
    dimensions: int = 2
    fit: Fit = "resize"

    def __post_init__(self) -> None:
        whole_number("image_size", self.image_size, low=1, remedy="e.g. 128")
        whole_number("channels", self.channels, low=1, remedy="e.g. 1 (grey) or 3 (colour)")
        if self.dimensions not in UNITS:
            raise InputError(
                f"dimensions must be 2 (images) or 3 (volumes), got {self.dimensions}; use one of them"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """``(channels, image_size, image_size)``, with one more ``image_size`` for volumes."""
        return (self.channels, *(self.image_size,) * self.dimensions)

    @property
    def at_least(self) -> int:
        """The resolution below which a decoder must not go; 0 if it must decode every pixel."""
        return self.image_size if self.fit == "resize" else 0

    def convert(self, image: np.ndarray, name: str) -> np.ndarray:
        """Convert one decoded image to uint8 of :attr:`shape`.

        Args:
            image: uint8 ``(H, W, channels)`` or ``(D, H, W, channels)``.
            name: What messages call it.

        Raises:
            UnreadableImageError: It is a volume among images (or an image among volumes), its channels cannot be
                converted to those asked for, or it is smaller than the crop.
        """
        if image.ndim - 1 != self.dimensions:
            found, expected = ("a volume", "images") if image.ndim == 4 else ("an image", "volumes")
            raise UnreadableImageError(name, f"is {found} among {expected}")
        image = self._convert_channels(image, name)
        size = (self.image_size,) * self.dimensions
        fitted = resize(image, size) if self.fit == "resize" else self._crop(image, name)
        return np.broadcast_to(np.moveaxis(fitted, -1, 0), self.shape)

    def _convert_channels(self, image: np.ndarray, name: str) -> np.ndarray:
        found = image.shape[-1]
        # Broadcasting makes three channels of one at the end, after the work on pixels.
        if found == self.channels or (found, self.channels) == (1, 3):
            return image
        if (found, self.channels) == (3, 1):
            return luminance(image)
        raise UnreadableImageError(
            name,
            f"has {found} channel{'s' if found > 1 else ''} where data.channels is {self.channels} (only grey and "
            f"colour, 1 and 3, are converted to each other)",
        )

    def _crop(self, image: np.ndarray, name: str) -> np.ndarray:
        sides = image.shape[:-1]
        if min(sides) < self.image_size:
            raise UnreadableImageError(
                name,
                f"has {' x '.join(map(str, sides))} {UNITS[self.dimensions]}, fewer than the crop of "
                f"{self.image_size} (data.image_size with data.fit: crop)",
            )
        starts = [(side - self.image_size) // 2 for side in sides]
        return image[tuple(slice(start, start + self.image_size) for start in starts)]


def luminance(image: np.ndarray) -> np.ndarray:
    """Grey from colour, ITU-R 601: 0.299 R + 0.587 G + 0.114 B; ``(…, 3)`` to ``(…, 1)``."""
    flat = image.reshape(-1, image.shape[-2], 3)
    return np.asarray(Image.fromarray(flat).convert("L")).reshape(*image.shape[:-1], 1)


def resize(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Resize the whole image or volume; nothing is cropped, so the aspect ratio may change.

    Images are resized by Pillow's antialiased bicubic filter, as in MedMNIST. Volumes are resized by the antialiased
    linear filter along each axis in turn (height, width, depth), in floating point, and rounded once; unlike the cubic
    filter it does not overshoot, so a mask stays in its range. An axis that already has the size is not filtered.

    Args:
        image: uint8 ``(H, W, channels)`` or ``(D, H, W, channels)``.
        size: ``(H, W)`` or ``(D, H, W)`` of the result.

    Example:
        >>> resize(np.full((4, 6, 8, 1), 7, dtype=np.uint8), (2, 3, 4)).shape
        (2, 3, 4, 1)
    """
    if image.shape[:-1] == size:
        return image
    resize_planes = _resize_slices if len(size) == 3 else _resize_pictures
    return resize_planes(image, size)


def _resize_pictures(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    height, width = size
    # Pillow resizes one or three channels of eight bits; other numbers are resized one by one.
    parts = [image] if image.shape[-1] == 3 else np.split(image, image.shape[-1], axis=-1)
    resized = []
    for part in parts:
        picture = Image.fromarray(part[..., 0] if part.shape[-1] == 1 else part)
        pixels = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
        resized.append(pixels.reshape(height, width, -1))
    return np.concatenate(resized, axis=-1)


def _resize_slices(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    depth, height, width = size
    volumes = []
    for volume in np.moveaxis(image, -1, 0):
        # One slice in floating point at a time: a whole scan takes a gigabyte.
        slices = np.stack([_linear(part, height, width) for part in volume])
        flat = _linear(slices.reshape(len(slices), height * width), depth, height * width)
        volumes.append(flat.reshape(depth, height, width))
    rounded: np.ndarray = np.rint(np.stack(volumes, axis=-1)).clip(0, 255)
    return rounded.astype(np.uint8)


def _linear(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    picture = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def viewable(image: np.ndarray) -> np.ndarray:
    """A picture ``(H, W, 3)`` of an image or of the central slice of a volume; without 3 channels, of the first one."""
    flat = image if image.ndim == 3 else image[len(image) // 2]
    return flat if flat.shape[2] == 3 else np.broadcast_to(flat[..., :1], (*flat.shape[:2], 3))
