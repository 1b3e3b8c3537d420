"""What every cache on disk needs: one writer at a time, room for its arrays, and a place outside the data."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from medtail.errors import InputError

#: Bytes that are left free on the disk after an entry is written.
_MARGIN = 256 * 2**20


def check_outside_data(folder: Path, data: str) -> None:
    """Refuse to put what shows patients where somebody may share it, or where it would be taken for data.

    Args:
        folder: Of the cache.
        data: DATA as the user gave it.

    Raises:
        InputError: The folder lies in the folder of the data.
    """
    place = Path(data)
    if place.is_dir() and folder.resolve().is_relative_to(place.resolve()):
        raise InputError(
            f"`cache` must lie outside the data folder {data}, got {folder}; choose another folder"
        )


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Let one process at a time handle an entry; the lock ends with its process, however the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows: two runs may then do the same work twice.
            yield
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def check_space(folder: Path, size: int, what: str) -> None:
    """Refuse to start what the disk has no room for.

    Args:
        folder: Of the cache.
        size: Bytes.
        what: What is kept there, for the message.

    Raises:
        InputError: There is too little room.
    """
    free = shutil.disk_usage(folder).free
    if free < size + _MARGIN:
        raise _too_small(folder, size, free, what)


def allocated(path: Path, shape: tuple[int, ...], dtype: Any, what: str = "decoded pixels") -> np.memmap:
    """Return an array in a file with all its blocks: a full disk is an error here, not a crash when a page is written.

    Args:
        path: An ``.npy`` file in a folder of an entry, or in that of the cache.
        shape: Of the array, zeros.
        dtype: Of the array.
        what: What is kept there, for the message.

    Raises:
        InputError: The disk is full.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                size = path.stat().st_size
                raise _too_small(path.parent, size, shutil.disk_usage(path.parent).free, what) from error
    return array


def readable_size(size: int) -> str:
    """Return a number of bytes in words.

    Example:
        >>> readable_size(3 * 2**20)
        '3.0 MiB'
    """
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _too_small(folder: Path, size: int, free: int, what: str) -> InputError:
    return InputError(
        f"{what} need {readable_size(size)} in {folder} beside {readable_size(_MARGIN)} that stay free, but only "
        f"{readable_size(free)} are free; choose another folder for `cache`, or keep nothing with `data.cache=never`"
    )
