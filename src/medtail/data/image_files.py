"""Image files: finding them, and decoding them without trusting them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from typing import final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from medtail.data.sources import ImageForm, ImageSource, UnreadableImageError
from medtail.errors import InputError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".jp2", ".pgm", ".ppm")

#: Only raster formats that Pillow decodes itself: an EPS file named .jpg would start an interpreter.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "JPEG2000", "PPM")

#: More than any camera delivers; 240 MB as RGB.
MAX_PIXELS = 80_000_000

_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


@cache
def _known_formats() -> tuple[str, ...]:
    """Those of ours that this build of Pillow decodes."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def is_image_name(name: str) -> bool:
    """Whether a file name ends like an image's (and does not begin like a hidden file's)."""
    return name.lower().endswith(EXTENSIONS) and not name.startswith(".")


def walk_images(folder: Path) -> Iterator[str]:
    """Yield every image below ``folder`` as a relative path with ``/``, sorted; hidden folders are left out.

    The folder is listed once; no file is opened. Links to folders are followed, each folder once.
    """
    seen: set[str] = set()
    found = []
    for current, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not is_ignored_folder(name)]
        prefix = PurePosixPath(Path(current).relative_to(folder).as_posix())
        found += [str(prefix / name) for name in names if is_image_name(name)]
    yield from sorted(found)


def is_ignored_folder(name: str) -> bool:
    """Folders that tools leave behind."""
    return name.startswith(".") or name == "__MACOSX"


def image_paths(paths: Sequence[Path]) -> list[Path]:
    """The given files, and every image below the given folders.

    Raises:
        InputError: A path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [path / name for name in walk_images(path)]
            if not inside:
                raise InputError(
                    f"folder {path} must hold at least one image ({', '.join(EXTENSIONS)}), holds none; "
                    f"give another folder"
                )
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"image {path} does not exist; check the path")
    return found


@final
class ImageFiles(ImageSource):
    """One image a file, decoded by Pillow.

    The size in the header is checked before anything is decoded. EXIF orientation is honoured. 16-bit grey is
    scaled by its whole range (65535 becomes 255); palettes become colours; transparent images are laid on black,
    because the colour below a transparent pixel means nothing. Files of several frames and floating-point pixels
    are refused: which frame or which range is meant is not ours to guess.

    Args:
        paths: One a row.
        max_pixels: Larger images (width times height) are refused. Pillow's own limit, one for the whole process,
            is raised to it where it is lower.
    """

    def __init__(self, paths: Iterable[Path], max_pixels: int = MAX_PIXELS) -> None:
        if max_pixels < 1:
            raise InputError(f"max_pixels must be positive, got {max_pixels}; e.g. {MAX_PIXELS}")
        self.paths = list(paths)
        self.max_pixels = max_pixels

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, row: int, *, at_least: int = 0) -> np.ndarray:
        with self._opened(row) as image:
            if at_least:
                image.draft(None, (at_least, at_least))
            ImageOps.exif_transpose(image, in_place=True)
            return _to_bytes(image)

    def form(self, row: int) -> ImageForm:
        with self._opened(row) as image:
            return ImageForm(image.height, image.width, image.mode)

    def files(self, row: int) -> tuple[Path, ...]:
        return (self.paths[row],)

    def select(self, rows: np.ndarray) -> "ImageFiles":
        return ImageFiles([self.paths[row] for row in rows], self.max_pixels)

    @contextmanager
    def _opened(self, row: int) -> Iterator[Image.Image]:
        path = self.paths[row]
        if Image.MAX_IMAGE_PIXELS is not None and self.max_pixels > Image.MAX_IMAGE_PIXELS:
            Image.MAX_IMAGE_PIXELS = self.max_pixels
        try:
            with Image.open(path, formats=_known_formats()) as image:
                _check_header(image, self.max_pixels)
                yield image
        except _RefusedError as error:
            raise UnreadableImageError(str(path), str(error)) from error
        # Decoders raise almost anything on broken bytes: SyntaxError, struct.error, IndexError, ….
        except Exception as error:
            raise UnreadableImageError(str(path), _reason(path, error)) from error


class _RefusedError(Exception):
    """A sound file that we do not take."""


def _check_header(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise _RefusedError(
            f"has {image.width} x {image.height} pixels, more than the limit of {max_pixels} (max_pixels)"
        )
    frames = getattr(image, "n_frames", 1)
    # MPO is a JPEG with a preview behind it, as phones write it.
    if frames > 1 and image.format != "MPO":
        raise _RefusedError(f"holds {frames} frames where one image is expected")
    if image.mode == "F":
        raise _RefusedError("holds floating-point pixels, whose range is unknown (save it with 8 or 16 bits)")


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "may not be read (permission denied)"
    if path.is_dir():
        return "is a folder"
    if path.stat().st_size == 0:
        return "is empty (0 bytes)"
    if isinstance(error, UnidentifiedImageError):
        return "is not an image, or its header is garbled"
    if isinstance(error, Image.DecompressionBombError):
        return "has far more pixels than the limit (max_pixels)"
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return "is truncated"
    return f"is garbled ({str(error) or type(error).__name__})"


def _to_bytes(image: Image.Image) -> np.ndarray:
    """Pixels as uint8 ``(H, W, 1)`` or ``(H, W, 3)``."""
    if image.mode.startswith("I"):
        return _scale_sixteen_bits(np.asarray(image))
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


def _scale_sixteen_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.size and (pixels.min() < 0 or pixels.max() > 65535):
        raise _RefusedError("holds grey values outside 0 to 65535 (save it with 8 or 16 bits)")
    scaled: np.ndarray = (pixels.astype(np.uint32) * 255 + 32767) // 65535
    return scaled.astype(np.uint8)[..., None]
