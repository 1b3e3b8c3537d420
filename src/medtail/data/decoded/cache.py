"""Decoded pixels on disk, so that images are decoded once and need not fit into memory.

An entry is a folder: ``pixels.npy``, uint8 at working resolution, and ``contents.npz``, what it was made from. Its name
is a hash of where the data lies, the ids and the working form. Whether it still holds is decided by the content of the
image files, as git decides it: a file of the same size and time of modification counts as unchanged; of any other the
bytes are hashed and compared with the hash that was taken when it was decoded.

Runs may share a folder: one writes an entry while others that need it wait, and it appears under its name only when it
is whole. Runs that read an entry that is replaced keep the old one until they end.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from medtail.data.formats.sources import ImageSource, UnreadableImageError
from medtail.errors import InputError

#: Of the entries; others are not looked at.
FORMAT = 1

#: Left free on the disk, in bytes, beside what is written.
_MARGIN = 256 * 2**20

_DIGEST_BYTES = 16

#: Bytes of a file that are hashed at a time.
_CHUNK = 2**20

Bad = tuple[int, str]
"""A row that cannot be decoded, and why."""

Decode = Callable[[np.ndarray, Callable[[int], None]], Sequence[Bad]]

Reason = Callable[[int], str | None]


@final
@dataclass(frozen=True)
class CachedPixels:
    """An entry that holds.

    Attributes:
        path: The ``.npy`` file of uint8 images.
        unreadable: Rows without pixels, each with the reason.
    """

    path: Path
    unreadable: Sequence[Bad]


def default_cache_folder() -> Path:
    """``$XDG_CACHE_HOME/medtail``, or ``~/.cache/medtail``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "medtail"


@final
class PixelCache:
    """A folder of decoded pixels.

    Args:
        folder: Made when something is written.
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
        """Open the entry of some images; decode and write it first where there is none that holds.

        Args:
            source: Where the images come from.
            data: DATA as the user gave it.
            ids: Of the images.
            form: What decoded images are made into; entries of different forms are kept side by side.
            shape: ``(channels, *spatial)`` of one decoded image.
            decode: Fills uint8 ``(len(ids), *shape)``, tells its second argument every row it has read, and returns
                the rows it cannot fill, with the reasons.
            reason: Why a row cannot be decoded, None where it can. Asked of rows that could not before: a package may
                have been installed, or a limit raised, since.

        Raises:
            InputError: The folder lies in the data's, or the disk is too small.
        """
        self._check_outside(data)
        entry = self.folder / _name(data, ids, form)
        with _locked(self.folder, entry.name):
            found = _holding(entry, source, (len(ids), *shape), reason)
            return found or self._write(entry, source, (len(ids), *shape), decode)

    def _check_outside(self, data: str) -> None:
        """Pictures of patients are not left where somebody shares them, and a cache is not taken for data."""
        place = Path(data)
        if place.is_dir() and self.folder.resolve().is_relative_to(place.resolve()):
            raise InputError(
                f"the cache must lie outside the data folder {data}, {self.folder} does not; give another folder with "
                f"--cache DIR"
            )

    def _write(
        self,
        entry: Path,
        source: ImageSource,
        shape: tuple[int, ...],
        decode: Decode,
    ) -> CachedPixels:
        size = int(np.prod(shape, dtype=np.int64))
        # What an interrupted run left: whoever holds the lock is the only one who writes.
        for left in self.folder.glob(f".{entry.name}.*"):
            shutil.rmtree(left)
        self._check_space(size)
        print(
            f"decoding {shape[0]} images once into {entry} ({_readable(size)}); later runs read them from there",
            file=sys.stderr,
        )
        temporary = self.folder / f".{entry.name}.new"
        temporary.mkdir()
        try:
            # Before decoding, so that a file that changes meanwhile is noticed next time.
            stamps = _stamps(source)
            images = _allocate(temporary / "pixels.npy", shape)
            digests = np.zeros((shape[0], _DIGEST_BYTES), dtype=np.uint8)

            def visited(row: int) -> None:
                # Right after the file was decoded: its bytes are still in memory.
                digests[row] = np.frombuffer(_content_digest(source, row), dtype=np.uint8)

            unreadable = decode(images, visited)
            images.flush()
            del images
            np.savez(
                temporary / "contents.npz",
                stamps=stamps,
                digests=digests,
                unreadable_rows=np.array([row for row, _ in unreadable], dtype=np.int64),
                reasons=np.array([reason for _, reason in unreadable], dtype=str),
            )
            _replace(entry, temporary)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return CachedPixels(entry / "pixels.npy", tuple(unreadable))

    def _check_space(self, size: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < size + _MARGIN:
            raise _too_small(self.folder, size, free)


def _too_small(folder: Path, size: int, free: int) -> InputError:
    return InputError(
        f"decoded pixels need {_readable(size)} in {folder}, {_readable(free)} are free (and {_readable(_MARGIN)} are "
        f"left so); give another folder with --cache DIR, or decode again in every epoch with --set data.cache=never"
    )


def _readable(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _name(data: str, ids: Sequence[str], form: str) -> str:
    place = Path(data)
    parts = [str(FORMAT), str(place.resolve()) if place.exists() else data, form, *ids]
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        encoded = part.encode()
        # The length in front keeps ("ab", "c") apart from ("a", "bc").
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Let one process at a time look after an entry; the lock ends with its process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows: two runs may then do the same work twice.
            yield
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _allocate(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A file of zeros whose blocks exist: a full disk is an error here, not a crash when a page is written."""
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                size = path.stat().st_size
                raise _too_small(path.parent.parent, size, shutil.disk_usage(path.parent).free) from error
    return images


def _replace(entry: Path, temporary: Path) -> None:
    """Put a whole entry in the place of one that no longer holds; who has that one mapped keeps it."""
    if entry.exists():
        old = entry.with_name(f".{entry.name}.old")
        entry.rename(old)
        shutil.rmtree(old)
    temporary.rename(entry)


def _holding(entry: Path, source: ImageSource, shape: tuple[int, ...], reason: Reason) -> CachedPixels | None:
    """The entry, if there is one and the images are still those it was made from."""
    if not entry.is_dir():
        return None
    try:
        with np.load(entry / "contents.npz", allow_pickle=False) as contents:
            stamps, digests = contents["stamps"], contents["digests"]
            rows, reasons = contents["unreadable_rows"].tolist(), contents["reasons"].tolist()
        if np.load(entry / "pixels.npy", mmap_mode="r").shape != shape or len(digests) != shape[0]:
            return None
    except (OSError, ValueError, KeyError):
        return None  # Damaged: it is written again.
    suspects = np.flatnonzero((_stamps(source) != stamps).any(axis=1) | ~stamps.any(axis=1))
    if any(_content_digest(source, int(row)) != digests[row].tobytes() for row in suspects):
        return None
    unreadable = tuple(zip(rows, reasons, strict=True))
    if any(reason(row) != before for row, before in unreadable):
        return None
    return CachedPixels(entry / "pixels.npy", unreadable)


def _stamps(source: ImageSource) -> np.ndarray:
    """Of each row a hash of sizes and times of its files ``(N, 16)``; zeros where there is no file."""
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
