"""The interface of every format of image files."""

import math
import os
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from medtail.data.formats.grey_windows import GreyWindow
from medtail.data.formats.sources import ImageForm
from medtail.errors import InputError

#: More than any camera has, and as much as a computed tomography of 300 slices; 240 MB as RGB.
MAX_PIXELS = 80_000_000


#: Bytes that an archive may unpack to, unless it is only :data:`USUAL_COMPRESSION` times smaller.
MAX_UNPACKED = 2**30

#: Images compress to a hundredth at most; more is a bomb, or nothing but zeros.
USUAL_COMPRESSION = 100


def most_pixels() -> int:
    """Return the limit on the pixels of one image: ``$MEDTAIL_MAX_PIXELS``, or :data:`MAX_PIXELS`.

    Raises:
        InputError: The variable holds no whole number.
    """
    return _limit("MEDTAIL_MAX_PIXELS", MAX_PIXELS)


def most_unpacked() -> int:
    """Return the limit on the bytes of an unpacked archive: ``$MEDTAIL_MAX_UNPACKED``, or :data:`MAX_UNPACKED`.

    Raises:
        InputError: The variable holds no whole number.
    """
    return _limit("MEDTAIL_MAX_UNPACKED", MAX_UNPACKED)


def _limit(variable: str, usual: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text) > 0):
        raise InputError(f"the variable {variable} must be a whole number from 1, got {text!r}; e.g. {usual}")
    return int(text)


class RefusedError(Exception):
    """A file that is not supported; the message completes the sentence "the file …"."""


class FileFormat(ABC):
    """Reads one image or volume from a path."""

    @abstractmethod
    def read(self, path: Path, max_pixels: int, at_least: int) -> np.ndarray:
        """Decode to uint8 ``(H, W, channels)`` or ``(D, H, W, channels)``.

        Args:
            path: The file.
            max_pixels: Refuse more pixels (all slices and samples counted) before any of them is decoded.
            at_least: See :meth:`medtail.data.ImageSource.read`.

        Raises:
            RefusedError: The file is intact, but not supported.
            Exception: The file is broken; libraries raise almost anything.
        """

    @abstractmethod
    def form(self, path: Path) -> ImageForm:
        """Size and storage, from the header alone; raises as :meth:`read` does."""

    def mask(self, path: Path, max_pixels: int) -> np.ndarray:
        """Which pixels are marked, that is not 0 ``(H, W)``, or ``(D, H, W)``; raises as :meth:`read` does."""
        return np.asarray(self.read(path, max_pixels, 0).any(axis=-1))

    def deep_greys(self, path: Path, max_pixels: int) -> np.ndarray | None:
        """Stored grey values of a picture of more than 8 bits ``(H, W)``; None for everything else.

        Raises as :meth:`read` does.
        """
        return None

    def windowed(self, window: GreyWindow) -> "FileFormat":
        """The format with another window for 16-bit grey pictures; itself if it holds none."""
        return self

    def affine(self, path: Path) -> np.ndarray | None:
        """Where voxels lie in the patient, ``(4, 4)``; None if the format does not say."""
        return None


def check_size(shape: tuple[int, ...], max_pixels: int) -> None:
    """Refuse an image by the size in its header.

    Raises:
        RefusedError: There are more pixels than the limit.
    """
    if math.prod(shape) > max_pixels:
        raise RefusedError(
            f"has {' x '.join(map(str, shape))} pixels, more than the limit of {max_pixels} (max_pixels)"
        )
