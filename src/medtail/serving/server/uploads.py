"""From uploaded files to decoded images, in a folder that lives as long as the request."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

import numpy as np

from medtail.data.formats.dicom import is_dicom, is_series
from medtail.data.formats.image_files import without_extension
from medtail.data.formats.sources import UnreadableImageError
from medtail.naming import one_line
from medtail.serving.server.predictor import Predictor

#: The longest name that is repeated in an answer.
_LONGEST = 200


@final
@dataclass(frozen=True)
class Upload:
    """One file of a request.

    Attributes:
        name: As the sender calls it; it chooses the format by its extension, and is never used as a path.
        content: At its beginning.
    """

    name: str
    content: BinaryIO

    @property
    def shown(self) -> str:
        """The name as answers repeat it: one line, without folders."""
        return one_line(self.name.replace("\\", "/").rpartition("/")[2])[:_LONGEST]


@final
class UploadError(Exception):
    """An upload that gets no answer.

    Attributes:
        status: Of the HTTP response.
        reason: A sentence without any path of this machine.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def decode(predictor: Predictor, uploads: Sequence[Upload]) -> list[tuple[str, np.ndarray]]:
    """Return name and pixels of each image; slices of one DICOM series are one image of a model of volumes.

    Raises:
        UploadError: 413 for an image with too many pixels, 422 for one that cannot be read; all of them are named.
    """
    with tempfile.TemporaryDirectory(prefix="medtail-") as folder:
        paths = [_written(Path(folder), number, upload) for number, upload in enumerate(uploads)]
        names = [upload.shown for upload in uploads]
        if predictor.volumes and len(paths) > 1 and all(map(is_dicom, paths)) and is_series(Path(folder)):
            paths, names = [Path(folder)], [f"series of {len(uploads)} slices"]
        decoded, refused = [], []
        for path, name in zip(paths, names, strict=True):
            try:
                decoded.append((name, predictor.decode(path, name)))
            except UnreadableImageError as error:
                refused.append((name, error.reason.replace(str(path), name).replace(folder, "")))
    if refused:
        too_large = all("max_pixels" in reason for _, reason in refused)
        raise UploadError(
            413 if too_large else 422, "; ".join(f"image {name!r} {reason}" for name, reason in refused)
        )
    return decoded


def _written(folder: Path, number: int, upload: Upload) -> Path:
    """The file in the folder, under a name of our own with the extension that it came with."""
    shown = upload.shown
    path = folder / f"{number:05d}{shown[len(without_extension(shown)) :].lower()}"
    with path.open("wb") as file:
        shutil.copyfileobj(upload.content, file)
    return path
