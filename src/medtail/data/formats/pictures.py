"""Picture files, through Pillow."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image, ImageOps

from medtail.data.formats.base import FileFormat, RefusedError, check_size
from medtail.data.formats.grey_windows import GreyWindow, WholeRange
from medtail.data.formats.sources import ImageForm

PICTURE_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".jfif",
    ".jpe",
    ".png",
    ".tif",
    ".tiff",
    ".bmp",
    ".webp",
    ".gif",
    ".jp2",
    ".j2k",
    ".pgm",
    ".ppm",
    ".pnm",
    ".dib",
)

#: Only raster formats that Pillow decodes by itself: an EPS file named .jpg would start an interpreter.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "JPEG2000", "PPM")

_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


@cache
def _known_formats() -> tuple[str, ...]:
    """The formats above that this build of Pillow decodes."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@final
@dataclass(frozen=True)
class Picture(FileFormat):
    """One image per file.

    EXIF orientation is respected. 16-bit grey is mapped by a window (by default 65535 becomes 255), palettes become
    colours, and transparent images are put on black, because the colour of a transparent pixel means nothing. Files
    with several frames and floating-point pixels are refused, rather than guessing the frame or the range.
    """

    window: GreyWindow = field(default_factory=WholeRange)

    def windowed(self, window: GreyWindow) -> "Picture":
        return Picture(window)

    def deep_greys(self, path: Path, max_pixels: int) -> np.ndarray | None:
        with _opened(path) as image:
            check_size(image.size, max_pixels)
            return _sixteen_bits(image) if image.mode.startswith("I") else None

    def read(self, path: Path, max_pixels: int, at_least: int) -> np.ndarray:
        # Pillow has a limit of its own for the whole process, which must not be lower.
        if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
            Image.MAX_IMAGE_PIXELS = max_pixels
        with _opened(path) as image:
            check_size(image.size, max_pixels)
            if at_least:
                image.draft(None, (at_least, at_least))
            ImageOps.exif_transpose(image, in_place=True)
            return picture_pixels(image, self.window)

    def form(self, path: Path) -> ImageForm:
        with _opened(path) as image:
            return ImageForm(image.height, image.width, image.mode)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with Image.open(path, formats=_known_formats()) as image:
        frames = getattr(image, "n_frames", 1)
        # MPO is a JPEG followed by a preview, as phones write it.
        if frames > 1 and image.format != "MPO":
            raise RefusedError(f"holds {frames} frames where one image is expected")
        if image.mode == "F":
            raise RefusedError(
                "holds floating-point pixels, whose range is unknown (save it with 8 or 16 bits)"
            )
        yield image


def picture_pixels(image: Image.Image, window: GreyWindow) -> np.ndarray:
    """Return an opened picture as uint8 ``(H, W, 1)`` or ``(H, W, 3)``; 16-bit grey as the window says.

    Raises:
        RefusedError: Its grey values are out of range.
    """
    if image.mode.startswith("I"):
        return window.apply(_sixteen_bits(image))[..., None]
    return _to_bytes(image)


def _to_bytes(image: Image.Image) -> np.ndarray:
    """Pixels of 8 bits as uint8 ``(H, W, 1)`` or ``(H, W, 3)``."""
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        colours = image.convert("RGBA")
        flat = Image.new("RGBA", colours.size, (0, 0, 0, 255))
        flat.alpha_composite(colours)
        image = flat.convert("L" if image.mode in ("LA", "La", "L") else "RGB")
    elif image.mode in ("1", "L"):
        image = image.convert("L")
    else:
        image = image.convert("RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _sixteen_bits(image: Image.Image) -> np.ndarray:
    """Grey values ``(H, W)``."""
    pixels = np.asarray(image)
    if pixels.size and (pixels.min() < 0 or pixels.max() > 65535):
        raise RefusedError("holds grey values outside 0 to 65535 (save it with 8 or 16 bits)")
    return pixels
