"""From an image of any size to what a network is given: one size, one number of channels."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from PIL import Image

from medtail.data.formats.sources import UnreadableImageError
from medtail.errors import InputError

Fit = Literal["resize", "crop"]

#: What images and volumes are made of.
UNITS = {2: "pixels", 3: "voxels"}


@final
@dataclass(frozen=True)
class WorkingForm:
    """Size and channels of the images of a run.

    Attributes:
        image_size: Pixels of a side.
        channels: Of the result. Grey (1) and colour (3) are turned into each other, other numbers are not.
        dimensions: 2 for images, 3 for volumes.
        fit: ``resize`` brings the whole image to the size (:func:`resize`); ``crop`` takes the central part without
            resampling, and refuses smaller images.
    """

    image_size: int
    channels: int
    dimensions: int = 2
    fit: Fit = "resize"

    def __post_init__(self) -> None:
        if self.image_size < 1:
            raise InputError(f"image_size must be positive, got {self.image_size}; e.g. 128")
        if self.channels < 1:
            raise InputError(f"channels must be positive, got {self.channels}; e.g. 1 (grey) or 3 (colour)")
        if self.dimensions not in UNITS:
            raise InputError(
                f"dimensions must be 2 (images) or 3 (volumes), got {self.dimensions}; use one of them"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """``(channels, image_size, image_size)``, one more ``image_size`` for volumes."""
        return (self.channels, *(self.image_size,) * self.dimensions)

    @property
    def at_least(self) -> int:
        """The resolution below which a decoder must not go; 0 when it must decode every pixel."""
        return self.image_size if self.fit == "resize" else 0

    def bring(self, image: np.ndarray, name: str) -> np.ndarray:
        """Bring one decoded image to :attr:`shape`.

        Args:
            image: uint8 ``(H, W, channels)`` or ``(D, H, W, channels)``.
            name: What to call it in messages.

        Raises:
            UnreadableImageError: It is a volume among images (or an image among volumes), has channels that cannot
                be turned into those asked for, or is smaller than the crop.
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
        # One channel becomes three by broadcasting, after the work on pixels.
        if found == self.channels or (found, self.channels) == (1, 3):
            return image
        if (found, self.channels) == (3, 1):
            return luminance(image)
        raise UnreadableImageError(
            name,
            f"has {found} channel{'s' if found > 1 else ''} where data.channels is {self.channels} (only grey and "
            f"colour, 1 and 3, are turned into each other)",
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
    """Grey of colour, ITU-R 601: 0.299 R + 0.587 G + 0.114 B; ``(…, 3)`` to ``(…, 1)``."""
    flat = image.reshape(-1, image.shape[-2], 3)
    return np.asarray(Image.fromarray(flat).convert("L")).reshape(*image.shape[:-1], 1)


def resize(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Resize the whole image or volume; nothing is cropped, so the aspect ratio may change.

    Images: Pillow's antialiased bicubic filter, as MedMNIST has it. Volumes: the antialiased linear filter along
    each axis in turn (height, width, depth), in floating point, rounded once; unlike the cubic one it does not
    overshoot, so a mask keeps to its range. An axis that has the size already is not filtered.

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
    # Pillow knows one and three channels of eight bits; others go one by one.
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
    """A picture ``(H, W, 3)`` of an image or of a volume's central slice; of other than 3 channels, the first."""
    flat = image if image.ndim == 3 else image[len(image) // 2]
    return flat if flat.shape[2] == 3 else np.broadcast_to(flat[..., :1], (*flat.shape[:2], 3))
