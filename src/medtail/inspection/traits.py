"""What an image carries beside what it shows: its form, its file, its metadata, its edge."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import final

import numpy as np

from medtail.data.formats.image_files import without_extension
from medtail.data.formats.pictures import PICTURE_EXTENSIONS
from medtail.data.formats.sources import ImageForm

#: Pixels of a frame may differ from its corner by this much, because JPEG changes them.
_FRAME_TOLERANCE = 8

#: A corner is a patch of these shares of the shorter side.
_CORNERS = (1 / 32, 1 / 16)

#: Longer values of metadata are texts or pixels, not names.
_LONGEST_VALUE = 60

_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.:/]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")

#: Metadata that only repeat the size and the pixel format.
_GEOMETRY = ("ImageWidth", "ImageLength", "Rows", "Columns", "BitsPerSample", "jfif_unit", "StripOffsets")


@final
@dataclass(frozen=True)
class Traits:
    """What one image carries beside what it shows.

    Attributes:
        name: Name of the file without folders and extension, or the id.
        extension: Extension of the file, lower case; empty for images in memory.
        form: What the header says.
        grey: Whether all channels are the same.
        metadata: Keys, and ``key=value`` for short values.
        frame: Width of a frame of one colour at the top, bottom, left and right, as a share of the side, and its grey
            level ``(5,)``, -1 where there is no frame.
        corners: How the corners differ from what lies around them ``(36,)``.
        inner_corners: The same of the image without an eighth at each side, to compare with.
    """

    name: str
    extension: str
    form: ImageForm
    grey: bool
    metadata: tuple[str, ...]
    frame: np.ndarray
    corners: np.ndarray
    inner_corners: np.ndarray

    @classmethod
    def of(cls, identity: str, files: tuple[Path, ...], form: ImageForm, image: np.ndarray) -> "Traits":
        """Look at a uint8 image ``(H, W, channels)`` or the central slice of a volume ``(D, H, W, channels)``."""
        picture = image if image.ndim == 3 else image[len(image) // 2]
        height, width = (side // 8 for side in picture.shape[:2])
        path = files[0] if files else Path(identity)
        return cls(
            name=without_extension(path.name),
            extension=path.suffix.lower() if files else "",
            form=form,
            grey=bool((picture == picture[..., :1]).all()),
            metadata=tuple(_metadata(files[0])) if files else (),
            frame=frame(picture),
            corners=corners(picture),
            inner_corners=corners(picture[height : -height or None, width : -width or None]),
        )

    @property
    def dates(self) -> list[date]:
        """Dates in the name of the file and in the metadata."""
        return [found for text in (self.name, *self.metadata) if (found := date_in(text)) is not None]


def date_in(text: str) -> date | None:
    """The first date in a text, year first; None if there is none.

    Example:
        >>> date_in("scan_20190521_03"), date_in("ISIC_0024306")
        (datetime.date(2019, 5, 21), None)
    """
    found = _DATE.search(text)
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None


def frame(picture: np.ndarray) -> np.ndarray:
    """Width of a frame of one colour at each side, as a share of the side, and its grey level ``(5,)``.

    Args:
        picture: uint8 ``(H, W, channels)``.

    Example:
        >>> picture = np.zeros((10, 10, 1), np.uint8)
        >>> picture[1:, 2:] = np.arange(72, dtype=np.uint8).reshape(9, 8, 1) * 3 + 20
        >>> frame(picture)
        array([0.1, 0. , 0.2, 0. , 0. ])
    """

    def width(lines: np.ndarray) -> float:
        same = np.asarray(lines.all(axis=1))
        return 0.5 if same.all() else min(int(same.argmin()) / len(same), 0.5)

    first, last = (
        np.abs(picture.astype(np.int16) - picture[at, at]).max(axis=-1) <= _FRAME_TOLERANCE for at in (0, -1)
    )
    widths = [width(first), width(last[::-1]), width(first.T), width(last.T[::-1])]
    return np.array([*widths, picture[0, 0].mean() if max(widths[0], widths[2]) > 0 else -1.0])


def corners(picture: np.ndarray) -> np.ndarray:
    """How the corners differ from what lies around them, in three channels ``(36,)``.

    What an image shows reaches into its corners too, but goes on around them. So the mean of each of three patches in
    each corner (one pixel, 1/32 and 1/16 of the shorter side) is taken less that of the patch thrice as wide.

    Args:
        picture: uint8 ``(H, W, channels)``.
    """
    colours = picture[..., :3] if picture.shape[-1] >= 3 else np.repeat(picture[..., :1], 3, axis=-1)
    sides = [max(1, round(min(picture.shape[:2]) * share)) for share in (0, *_CORNERS)]
    return np.concatenate(
        [
            turned[:side, :side].mean(axis=(0, 1)) - turned[: 3 * side, : 3 * side].mean(axis=(0, 1))
            for turned in (np.rot90(colours, turns) for turns in range(4))
            for side in sides
        ]
    )


def _metadata(path: Path) -> Iterator[str]:
    """Keys of a file's metadata, and ``key=value`` for short values; nothing where they cannot be read."""
    try:
        content = dict(_of_picture(path) if path.suffix.lower() in PICTURE_EXTENSIONS else _of_dicom(path))
    except Exception:  # the pixels could be read, and metadata may be garbled in any way
        return
    for key, value in content.items():
        if key in _GEOMETRY:
            continue
        yield key
        text = str(value).strip()
        if isinstance(value, str | int | float | tuple) and 0 < len(text) <= _LONGEST_VALUE:
            yield f"{key}={text}"


def _of_picture(path: Path) -> Iterator[tuple[str, object]]:
    from PIL import ExifTags, Image

    with Image.open(path) as picture:
        yield from ((str(key), value) for key, value in picture.info.items())
        exif = picture.getexif()
        for content in (exif, exif.get_ifd(ExifTags.IFD.Exif)):
            for tag, value in content.items():
                name = ExifTags.TAGS.get(tag, str(tag))
                yield name, value if isinstance(value, int | bytes) else str(value)


def _of_dicom(path: Path) -> Iterator[tuple[str, object]]:
    from medtail.data.formats.dicom import is_dicom
    from medtail.data.formats.dicom_elements import pydicom_package

    if is_dicom(path):
        for element in pydicom_package().dcmread(path, stop_before_pixels=True):
            if element.VR not in ("UI", "SQ", "OB", "OW"):
                yield element.keyword or str(element.tag), str(element.value)
