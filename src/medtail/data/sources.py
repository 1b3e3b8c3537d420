"""Where pixels come from: one class for each way of keeping them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from medtail.errors import InputError


class UnreadableImageError(InputError):
    """One image cannot be read; ``reason`` completes the sentence "the file …"."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"image {name} {reason}; mend or remove it")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type["UnreadableImageError"], tuple[str, str]]:
        # Exceptions cross process borders when a loader decodes in workers.
        return type(self), (self.name, self.reason)


@final
@dataclass(frozen=True)
class ImageForm:
    """What a header says of an image: pixels and Pillow's name of the pixel format (``L``, ``RGB``, ``I;16``, …)."""

    height: int
    width: int
    mode: str


class ImageSource(ABC):
    """Pixels by row."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, row: int, *, at_least: int = 0) -> np.ndarray:
        """Decode one image to uint8 ``(H, W, channels)`` with 1 or 3 channels.

        Args:
            row: Position in the table.
            at_least: Where the format allows it, decode at a lower resolution that still has this many pixels on
                both sides (faster); 0 decodes all pixels.

        Raises:
            UnreadableImageError: Saying why.
        """

    @abstractmethod
    def form(self, row: int) -> ImageForm:
        """Size and pixel format, without decoding.

        Raises:
            UnreadableImageError: Saying why.
        """

    @abstractmethod
    def select(self, rows: np.ndarray) -> "ImageSource":
        """The same pixels for only the given rows, in the given order."""


@final
class ImageArray(ImageSource):
    """Images of one size that are already decoded.

    Args:
        images: uint8 ``(N, H, W)`` or ``(N, H, W, channels)`` with 1 or 3 channels.
        rows: Which of them, in which order; all when None. Nothing is copied.
    """

    def __init__(self, images: np.ndarray, rows: np.ndarray | None = None) -> None:
        if images.dtype != np.uint8:
            raise InputError(
                f"images must be uint8 (0 to 255), got {images.dtype}; scale and convert them first"
            )
        self.images = images[..., None] if images.ndim == 3 else images
        if self.images.ndim != 4 or self.images.shape[3] not in (1, 3):
            raise InputError(
                f"images must have shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), got {images.shape}; reshape them"
            )
        self.positions = np.arange(len(images)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.positions)

    def read(self, row: int, *, at_least: int = 0) -> np.ndarray:
        image: np.ndarray = self.images[self.positions[row]]
        return image

    def form(self, row: int) -> ImageForm:
        _, height, width, channels = self.images.shape
        return ImageForm(height, width, "L" if channels == 1 else "RGB")

    def select(self, rows: np.ndarray) -> "ImageArray":
        return ImageArray(self.images, self.positions[rows])
