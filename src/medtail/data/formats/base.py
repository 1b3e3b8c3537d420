"""What every format of image files has to answer."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from medtail.data.formats.sources import ImageForm

#: More than any camera delivers, and a computed tomography of 300 slices; 240 MB as RGB.
MAX_PIXELS = 80_000_000


class RefusedError(Exception):
    """A file that we do not take; the message completes the sentence "the file …"."""


class FileFormat(ABC):
    """Reads one image or volume from a path."""

    @abstractmethod
    def read(self, path: Path, max_pixels: int, at_least: int) -> np.ndarray:
        """Decode to uint8 ``(H, W, channels)`` or ``(D, H, W, channels)``.

        Args:
            path: The file.
            max_pixels: Refuse more pixels (all slices and samples counted) before any is decoded.
            at_least: See :meth:`medtail.data.ImageSource.read`.

        Raises:
            RefusedError: It is sound, but not something we take.
            Exception: It is broken; libraries raise almost anything.
        """

    @abstractmethod
    def form(self, path: Path) -> ImageForm:
        """Size and storage, from the header alone; raises as :meth:`read` does."""

    def affine(self, path: Path) -> np.ndarray | None:
        """Where voxels lie in the patient, ``(4, 4)``; None where the format does not say."""
        return None


def check_size(shape: tuple[int, ...], max_pixels: int) -> None:
    """Refuse by the size in the header.

    Raises:
        RefusedError: There are more pixels than the limit.
    """
    count = 1
    for side in shape:
        count *= side
    if count > max_pixels:
        raise RefusedError(
            f"has {' x '.join(map(str, shape))} pixels, more than the limit of {max_pixels} (max_pixels)"
        )


def scale_whole_range(values: np.ndarray, bits: int) -> np.ndarray:
    """Unsigned numbers of so many bits as uint8, the largest possible one becoming 255."""
    largest = 2**bits - 1
    scaled: np.ndarray = (values.astype(np.uint64) * 255 + largest // 2) // largest
    return scaled.astype(np.uint8)
