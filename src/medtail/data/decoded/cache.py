"""Decoded pixels on disk, so that images are decoded once and need not fit into memory.

An entry is a folder with ``pixels.npy``, uint8 at working resolution, and ``contents.npz``, which records what it was
made from. Its name is a hash of the place of the data, the ids and the working form. The content of the image files
decides whether an entry is still valid, as it does in git: a file with the same size and modification time counts as
unchanged; any other file is hashed, and the hash compared with the one taken when the file was decoded.

Runs may share a folder: one run writes an entry while others that need it wait, and the entry appears under its name
only when it is complete. Runs that read an entry while it is replaced keep the old one until they end.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from medtail.data.decoded.cache_files import allocated, check_outside_data, check_space, locked, readable_size
from medtail.data.decoded.reading import UnreadableImage
from medtail.data.fingerprint import length_prefixed
from medtail.data.formats.sources import ImageSource, UnreadableImageError

_log = logging.getLogger(__name__)

#: Format of the entries; entries of other formats are never opened.
FORMAT = 1

_DIGEST_BYTES = 16

#: Bytes of a file that are hashed at once.
_CHUNK = 2**20

Decode = Callable[[np.ndarray, Callable[[int], None]], Sequence[UnreadableImage]]

Reason = Callable[[int], str | None]


@final
@dataclass(frozen=True)
class CachedPixels:
    """A valid entry.

    Attributes:
        path: The ``.npy`` file of uint8 images.
        unreadable: Images without pixels.
    """

    path: Path
    unreadable: Sequence[UnreadableImage]


def default_cache_folder() -> Path:
    """``$XDG_CACHE_HOME/medtail``, or ``~/.cache/medtail``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "medtail"


@final
class PixelCache:
    """A folder of decoded pixels.

    Args:
        folder: Created when the first entry is written.
        keeps_all: Whether sets that fit into memory are kept here too, so that the next run need not decode them.
    """

    def __init__(self, folder: Path, *, keeps_all: bool = False) -> None:
        self.folder = folder
        self.keeps_all = keeps_all

    def pixels(
        self,
        source: ImageSource,
        *,
        data: str,
        ids: Sequence[str],
        form: str,
        shape: tuple[int, ...],
        decode: Decode,
        reason: Reason,
    ) -> CachedPixels:
        """Open the entry of some images; if there is no valid one, decode the images and write it first.

        Args:
            source: Where the images come from.
            data: DATA as the user gave it.
            ids: Image ids.
            form: What decoded images are converted to; entries of different forms are kept side by side.
            shape: ``(channels, *spatial)`` of one decoded image.
            decode: Fills uint8 ``(len(ids), *shape)``, calls its second argument with every row it has read, and
                returns the images that cannot be read.
            reason: Says why a row cannot be decoded, or None if it can. It is asked about rows that could not be
                decoded before: since then a package may have been installed or a limit raised.

        Raises:
            InputError: The folder lies in the folder of the data, or the disk is too small.
        """
        check_outside_data(self.folder, data)
        entry = self.folder / _name(data, ids, form)
        with locked(self.folder, entry.name):
            found = _valid(entry, source, ids, (len(ids), *shape), reason)
            return found or self._write(entry, source, (len(ids), *shape), decode)

    def _write(
        self,
        entry: Path,
        source: ImageSource,
        shape: tuple[int, ...],
        decode: Decode,
    ) -> CachedPixels:
        size = int(np.prod(shape, dtype=np.int64))
        # An interrupted run may have left something; whoever holds the lock is the only one who writes.
        for left in self.folder.glob(f".{entry.name}.*"):
            shutil.rmtree(left)
        check_space(self.folder, size, "decoded pixels")
        _log.info(
            f"decoding {shape[0]} images once into {entry} ({readable_size(size)}); later runs read them from there"
        )
        temporary = self.folder / f".{entry.name}.new"
        temporary.mkdir()
        try:
            # Before decoding, so that a file that changes meanwhile is noticed next time.
            stamps = file_stamps(source)
            images = allocated(temporary / "pixels.npy", shape, np.uint8)
            digests = np.zeros((shape[0], _DIGEST_BYTES), dtype=np.uint8)

            def visited(row: int) -> None:
                # Right after decoding, the bytes of the file are still in memory.
                digests[row] = np.frombuffer(_content_digest(source, row), dtype=np.uint8)

            unreadable = decode(images, visited)
            images.flush()
            del images
            np.savez(
                temporary / "contents.npz",
                stamps=stamps,
                digests=digests,
                unreadable_rows=np.array([image.row for image in unreadable], dtype=np.int64),
                reasons=np.array([image.reason for image in unreadable], dtype=str),
            )
            _replace(entry, temporary)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return CachedPixels(entry / "pixels.npy", tuple(unreadable))


def _name(data: str, ids: Sequence[str], form: str) -> str:
    place = Path(data)
    parts = [str(FORMAT), str(place.resolve()) if place.exists() else data, form, *ids]
    return hashlib.blake2b(length_prefixed(parts), digest_size=_DIGEST_BYTES).hexdigest()


def _replace(entry: Path, temporary: Path) -> None:
    """Put a complete entry in the place of an outdated one; whoever has mapped the old one keeps it."""
    if entry.exists():
        old = entry.with_name(f".{entry.name}.old")
        entry.rename(old)
        shutil.rmtree(old)
    temporary.rename(entry)


def _valid(
    entry: Path, source: ImageSource, ids: Sequence[str], shape: tuple[int, ...], reason: Reason
) -> CachedPixels | None:
    """The entry, if there is one and the images are still those it was made from."""
    if not entry.is_dir():
        return None
    try:
        with np.load(entry / "contents.npz", allow_pickle=False) as contents:
            stamps, digests = contents["stamps"], contents["digests"]
            rows, reasons = contents["unreadable_rows"].tolist(), contents["reasons"].tolist()
            unreadable = tuple(
                UnreadableImage(row, ids[row], why) for row, why in zip(rows, reasons, strict=True)
            )
        if np.load(entry / "pixels.npy", mmap_mode="r").shape != shape or len(digests) != shape[0]:
            return None
        if stamps.shape != digests.shape or digests.shape[1:] != (_DIGEST_BYTES,):
            return None
    # Decoders raise almost anything on broken bytes. A damaged entry is written again.
    except Exception:
        return None
    suspects = np.flatnonzero((file_stamps(source) != stamps).any(axis=1) | ~stamps.any(axis=1))
    if any(_content_digest(source, int(row)) != digests[row].tobytes() for row in suspects):
        return None
    if any(reason(image.row) != image.reason for image in unreadable):
        return None
    return CachedPixels(entry / "pixels.npy", unreadable)


def file_stamps(source: ImageSource) -> np.ndarray:
    """A hash of the sizes and times of the files of each row ``(N, 16)``; zeros where a row has no file."""
    stamps = np.zeros((len(source), _DIGEST_BYTES), dtype=np.uint8)
    for row in range(len(source)):
        stats = [_stat(path) for path in source.files(row)]
        if stats:
            digest = hashlib.blake2b(repr(stats).encode(), digest_size=_DIGEST_BYTES).digest()
            stamps[row] = np.frombuffer(digest, dtype=np.uint8)
    return stamps


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _content_digest(source: ImageSource, row: int) -> bytes:
    """A hash of the bytes of a row's files, or of its pixels where it comes from no file."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    files = source.files(row)
    for path in files:
        try:
            if not path.is_file():  # A pipe would be waited for.
                raise FileNotFoundError
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            digest.update(type(error).__name__.encode())
        digest.update(b"\0")
    if not files:
        try:
            digest.update(np.ascontiguousarray(source.read(row)).data)
        except UnreadableImageError as error:
            digest.update(error.reason.encode())
    return digest.digest()
