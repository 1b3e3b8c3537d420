"""Image files of every format: finding them and decoding them without trusting them."""

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar, final

import numpy as np
from PIL import Image, UnidentifiedImageError

from medtail.checks import whole_number
from medtail.data.formats.base import MAX_PIXELS, FileFormat, RefusedError, most_pixels
from medtail.data.formats.dicom import DICOM_EXTENSIONS, Dicom, DicomSeries, is_dicom, is_series, slice_files
from medtail.data.formats.grey_windows import GreyWindow, WholeRange
from medtail.data.formats.nifti import NIFTI_EXTENSIONS, Nifti
from medtail.data.formats.pictures import PICTURE_EXTENSIONS, Picture
from medtail.data.formats.sources import ImageForm, ImageSource, UnreadableImageError
from medtail.errors import InputError
from medtail.naming import is_plain, listing, one_line

EXTENSIONS = (*PICTURE_EXTENSIONS, *DICOM_EXTENSIONS, *NIFTI_EXTENSIONS)

_FORMAT_OF: dict[str, FileFormat] = {
    **dict.fromkeys(PICTURE_EXTENSIONS, Picture()),
    **dict.fromkeys(DICOM_EXTENSIONS, Dicom()),
    **dict.fromkeys(NIFTI_EXTENSIONS, Nifti()),
}

#: What lies beside images and is none.
_NO_IMAGES = (
    *(".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".html", ".pdf", ".yaml", ".yml", ".parquet", ".xlsx"),
    *(".db", ".ini", ".log", ".py", ".zip", ".gz", ".tar"),
)

#: Longest part of a library's message that is passed on.
_LONGEST = 200

_Answer = TypeVar("_Answer")


def _extension(name: str) -> str | None:
    """The known extension that a file name ends with; ``.nii.gz`` counts as one."""
    lower = name.lower()
    # One test for all of them first: a folder may hold a million names.
    if not lower.endswith(EXTENSIONS):
        return None
    return next(extension for extension in EXTENSIONS if lower.endswith(extension))


def _may_be_bare_dicom(name: str) -> bool:
    """Whether a name has no extension, as in exports of clinics: ``IM000001``, ``1.2.840.113619.2``."""
    suffix = PurePosixPath(name).suffix[1:]
    return (not suffix or suffix.isdecimal()) and not name.startswith(".") and name != "DICOMDIR"


def may_be_dicom(name: str) -> bool:
    """Whether the name of an image is one that a DICOM file may have."""
    extension = _extension(name)
    return extension is None or extension in DICOM_EXTENSIONS


def is_image_name(name: str) -> bool:
    """Whether a file name has the extension of an image (and is not that of a hidden file)."""
    return _extension(name) is not None and not name.startswith(".")


def without_extension(path: str) -> str:
    """A path without its extension, if that is the extension of an image.

    Example:
        >>> without_extension("a/t1.nii.gz"), without_extension("1.2.840")
        ('a/t1', '1.2.840')
    """
    extension = _extension(path)
    return path if extension is None else path[: -len(extension)]


def file_format(path: Path) -> FileFormat:
    """The format of a path: by its extension or, without one, by its content; a folder is a DICOM series."""
    extension = _extension(path.name)
    if extension is not None:
        return _FORMAT_OF[extension]
    if path.is_dir():
        return DicomSeries()
    return Dicom() if is_dicom(path) else Picture()


def walk_images(folder: Path) -> Iterator[str]:
    """Yield every image below ``folder`` as a relative path with ``/``, sorted; hidden folders are left out.

    The folder is listed once, and only files without an extension are opened, to see whether they are DICOM. Links to
    folders are followed, but no folder is listed twice.
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
        here = Path(current)
        below = here.relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        found += [
            prefix + name
            for name in names
            if is_image_name(name) or (_may_be_bare_dicom(name) and is_dicom(here / name))
        ]
    yield from sorted(found)


def unknown_extensions(folder: Path) -> Counter[str]:
    """Count the files below ``folder`` that may be images, but whose extension is not that of a format we read."""
    return Counter(
        suffix
        for current, _, names in os.walk(folder)
        if not any(is_ignored_folder(part) for part in Path(current).relative_to(folder).parts)
        for name in names
        if (suffix := PurePosixPath(name).suffix.lower())
        and not name.startswith(".")
        and _extension(name) is None
        and not suffix[1:].isdecimal()
        and suffix not in _NO_IMAGES
    )


def is_ignored_folder(name: str) -> bool:
    """Whether a folder is hidden or left behind by a tool."""
    return name.startswith(".") or name == "__MACOSX"


def image_paths(paths: Sequence[Path], *, volumes: bool = False) -> list[Path]:
    """The given files, and every image below the given folders.

    Args:
        paths: Files and folders.
        volumes: Whether a folder of single DICOM slices counts as one image, in place of its files.

    Raises:
        InputError: A path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [path / name for name in walk_images(path)]
            if not inside:
                raise InputError(
                    f"folder {path} must hold at least one image ({', '.join(EXTENSIONS)}), but holds none; "
                    f"give another folder"
                )
            found += _series_as_one(inside) if volumes else inside
        elif _exists(path):
            found.append(path)
        else:
            raise InputError(f"image {path} does not exist; check the path")
    strange = [path for path in found if not is_plain(str(path))]
    if strange:
        raise InputError(
            f"names of images must be text in UTF-8, {len(strange)} are not: {listing(map(repr, strange), most=3)}; "
            f"rename the files"
        )
    return found


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, or a NUL in it
        return False


def _series_as_one(files: Sequence[Path]) -> list[Path]:
    has_series = {folder: is_series(folder) for folder in {file.parent for file in files}}
    return list(
        dict.fromkeys(
            file.parent if has_series[file.parent] and isinstance(file_format(file), Dicom) else file
            for file in files
        )
    )


@final
class ImageFiles(ImageSource):
    """One image or volume per file (or per folder, for a DICOM series), in the format that its name says.

    The size in the header is checked before anything is decoded.

    Args:
        paths: One path per row.
        max_pixels: Images with more pixels (slices and samples counted) are refused; None takes the usual limit.
        window: How 16-bit grey pictures become 8-bit ones.

    Raises:
        InputError: The limit is not positive.
    """

    max_pixels: int

    def __init__(
        self, paths: Iterable[Path], max_pixels: int | None = None, window: GreyWindow | None = None
    ) -> None:
        self.paths = list(paths)
        self.window = WholeRange() if window is None else window
        max_pixels = most_pixels() if max_pixels is None else max_pixels
        self.max_pixels = whole_number("max_pixels", max_pixels, low=1, remedy=f"e.g. {MAX_PIXELS}")

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, row: int, *, at_least: int = 0) -> np.ndarray:
        path = self.paths[row]
        return answer(path, lambda: self._format(path).read(path, self.max_pixels, at_least))

    def mask(self, row: int) -> np.ndarray:
        """Which pixels are not 0 ``(H, W)``, or ``(D, H, W)`` in volumes.

        Raises:
            UnreadableImageError: The file cannot be read; the error says why.
        """
        path = self.paths[row]
        return answer(path, lambda: file_format(path).mask(path, self.max_pixels))

    def deep_greys(self, row: int) -> np.ndarray | None:
        path = self.paths[row]
        return answer(path, lambda: self._format(path).deep_greys(path, self.max_pixels))

    def _format(self, path: Path) -> FileFormat:
        return file_format(path).windowed(self.window)

    def form(self, row: int) -> ImageForm:
        path = self.paths[row]
        return answer(path, lambda: file_format(path).form(path))

    def files(self, row: int) -> tuple[Path, ...]:
        path = self.paths[row]
        # Most names have an extension; only for the others the disk is asked.
        is_series = _extension(path.name) is None and path.is_dir()
        return tuple(slice_files(path)) if is_series else (path,)

    def select(self, rows: np.ndarray) -> "ImageFiles":
        return ImageFiles([self.paths[row] for row in rows], self.max_pixels, self.window)

    def limited(self, max_pixels: int) -> "ImageFiles":
        return ImageFiles(self.paths, max_pixels, self.window)

    def windowed(self, window: GreyWindow) -> "ImageFiles":
        return ImageFiles(self.paths, self.max_pixels, window)


def answer(path: Path, ask: Callable[[], _Answer]) -> _Answer:
    """Ask a format about a file, and turn every failure into its reason.

    Raises:
        UnreadableImageError: The file cannot be read; the error says why.
        InputError: The package that reads this format is missing.
    """
    try:
        _check_kind(path)
        return ask()
    except InputError:
        raise
    except RefusedError as error:
        raise UnreadableImageError(str(path), str(error)) from error
    # Decoders raise almost anything on broken bytes: SyntaxError, struct.error, IndexError, ….
    except Exception as error:
        raise UnreadableImageError(str(path), _reason(path, error)) from error


def _check_kind(path: Path) -> None:
    """Refuse pipes and devices, which would be waited for, and names that no file system takes."""
    if not is_plain(str(path)):
        raise RefusedError("has a name that is not text in UTF-8 (rename it)")
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise RefusedError("is a pipe, socket or device, not a file")


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "cannot be read (permission denied)"
    if path.is_dir():
        return "is a folder"
    if path.stat().st_size == 0:
        return "is empty (0 bytes)"
    if isinstance(error, UnidentifiedImageError):
        return "is not an image, or its header is garbled"
    if isinstance(error, Image.DecompressionBombError):
        return "has far more pixels than the limit (max_pixels)"
    message = one_line(" ".join(str(error).split()))
    if isinstance(error, EOFError) or any(
        word in message.lower() for word in ("truncated", "less than expected")
    ):
        return "is truncated"
    return f"is garbled ({message[:_LONGEST] or type(error).__name__})"
