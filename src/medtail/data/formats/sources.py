"""Sources of pixels: one class per way of storing them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from medtail.data.formats.grey_windows import GreyWindow, WholeRange
from medtail.errors import InputError


class UnreadableImageError(InputError):
    """One image cannot be read; ``reason`` completes the sentence "the file …"."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"image {name} {reason}; fix or remove it")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type["UnreadableImageError"], tuple[str, str]]:
        # Exceptions are pickled when a loader decodes in worker processes.
        return type(self), (self.name, self.reason)


@final
@dataclass(frozen=True)
class ImageForm:
    """What a header says about an image or a volume.

    Attributes:
        height: Pixels from top to bottom.
        width: Pixels from left to right.
        mode: How a pixel is stored: Pillow's name (``L``, ``RGB``, ``I;16``, …), DICOM's photometric interpretation,
            or the number type of a volume.
        depth: Slices of a volume; None for an image.
        spacing: Millimetres from one pixel to the next along (depth,) height, width; None if unknown.
        channels: Number of channels, if each is a quantity of its own, such as an MRI sequence; None for grey and
            colour, which are converted to each other on request.
    """

    height: int
    width: int
    mode: str
    depth: int | None = None
    spacing: tuple[float, ...] | None = None
    channels: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """``(H, W)`` or ``(D, H, W)``."""
        return (self.height, self.width) if self.depth is None else (self.depth, self.height, self.width)

    @property
    def pixels(self) -> int:
        """Number of pixels, or voxels."""
        return math.prod(self.shape)

    @property
    def size(self) -> str:
        """The shape as text.

        Example:
            >>> ImageForm(28, 30, "L").size, ImageForm(28, 28, "L", depth=9).size
            ('28 x 30', '9 x 28 x 28')
        """
        return " x ".join(map(str, self.shape))


class ImageSource(ABC):
    """Pixels by row.

    Attributes:
        max_pixels: Images with more pixels are refused when they are read; None if nothing is decoded.
        window: How 16-bit grey pictures become 8-bit ones.
        channel_names: The sequence that each channel is; empty if channels are grey or colours, or have no names.
    """

    max_pixels: int | None = None
    window: GreyWindow = WholeRange()
    channel_names: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, row: int, *, at_least: int = 0) -> np.ndarray:
        """Decode one image to uint8 ``(H, W, channels)``, one volume to uint8 ``(D, H, W, channels)``.

        Args:
            row: Position in the table.
            at_least: If the format allows it, decode at a lower resolution that still has this many pixels along both
                sides, which is faster; 0 decodes all pixels.

        Raises:
            UnreadableImageError: The image cannot be read; the error says why.
        """

    @abstractmethod
    def form(self, row: int) -> ImageForm:
        """Size and pixel format, without decoding.

        Raises:
            UnreadableImageError: The header cannot be read; the error says why.
        """

    def files(self, row: int) -> tuple[Path, ...]:
        """The files that an image is read from, whose changes are noticed; none for images in memory."""
        return ()

    def deep_greys(self, row: int) -> np.ndarray | None:
        """Stored grey values of a picture of more than 8 bits; None for everything else.

        Raises:
            UnreadableImageError: The image cannot be read; the error says why.
        """
        return None

    @abstractmethod
    def select(self, rows: np.ndarray) -> "ImageSource":
        """The same pixels, for only the given rows, in the given order."""

    def limited(self, max_pixels: int) -> "ImageSource":
        """The same source with another limit on pixels; the source itself if its pixels are already in memory."""
        return self

    def windowed(self, window: GreyWindow) -> "ImageSource":
        """The same source with another window for 16-bit grey pictures; the source itself if it can hold none."""
        return self


@final
class ImageArray(ImageSource):
    """Images or volumes of one size that are already decoded.

    Four axes are ambiguous. A last axis of length 1 or 3 is taken for channels, because colour images are far more
    common than volumes that are one or three voxels wide; such volumes must be given with five axes.

    Args:
        images: uint8 images ``(N, H, W)``, ``(N, H, W, 1)`` or ``(N, H, W, 3)``, or volumes ``(N, D, H, W)`` or
            ``(N, D, H, W, channels)`` with any number of channels.
        rows: Positions to use, in this order; all of them if None. Nothing is copied.

    Raises:
        InputError: The type or the shape is wrong.
    """

    def __init__(self, images: np.ndarray, rows: np.ndarray | None = None) -> None:
        if images.dtype != np.uint8:
            raise InputError(
                f"images must be uint8 (0 to 255), got {images.dtype}; scale and convert them first"
            )
        self.images = images if has_channel_axis(images.shape) else images[..., None]
        if self.images.ndim not in (4, 5) or 0 in self.images.shape[1:]:
            raise InputError(f"images must have shape {ARRAY_SHAPES}, got {images.shape}; reshape them")
        self.positions = np.arange(len(images)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.positions)

    def read(self, row: int, *, at_least: int = 0) -> np.ndarray:
        image: np.ndarray = self.images[self.positions[row]]
        return image

    def form(self, row: int) -> ImageForm:
        return _array_form(self.images.shape[1:])

    def select(self, rows: np.ndarray) -> "ImageArray":
        return ImageArray(self.images, self.positions[rows])


@final
class ImageList(ImageSource):
    """Images or volumes of any sizes that are already decoded.

    Args:
        images: uint8 images ``(H, W, channels)``, or volumes ``(D, H, W, channels)``.
    """

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def read(self, row: int, *, at_least: int = 0) -> np.ndarray:
        return self.images[row]

    def form(self, row: int) -> ImageForm:
        return _array_form(self.images[row].shape)

    def select(self, rows: np.ndarray) -> "ImageList":
        return ImageList([self.images[row] for row in rows])


def _array_form(shape: Sequence[int]) -> ImageForm:
    """The form of an array ``(H, W, channels)`` or ``(D, H, W, channels)``."""
    *depth, height, width, channels = shape
    names = {1: "L", 3: "RGB"}
    return ImageForm(
        height,
        width,
        names.get(channels, f"{channels} channels"),
        depth=depth[0] if depth else None,
        channels=None if channels in names else channels,
    )


#: Shapes that an array of images may have, for messages.
ARRAY_SHAPES = "(N, H, W), (N, H, W, 3), (N, D, H, W) or (N, D, H, W, channels)"


def has_channel_axis(shape: Sequence[int]) -> bool:
    """Whether the last axis of an array of images holds channels.

    Example:
        >>> has_channel_axis((9, 28, 28)), has_channel_axis((9, 28, 28, 3)), has_channel_axis((9, 28, 28, 28))
        (False, True, False)
    """
    return len(shape) == 5 or (len(shape) == 4 and shape[3] in (1, 3))
