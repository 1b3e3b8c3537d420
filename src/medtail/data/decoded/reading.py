"""Reading every image of a collection once, in threads, and collecting the bad ones."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar, final

from medtail.data.formats.sources import UnreadableImageError
from medtail.progress import Progress

#: Images that a thread reads before it reports.
_CHUNK = 32

_Answer = TypeVar("_Answer")


@final
@dataclass(frozen=True)
class UnreadableImage:
    """An image that cannot be read, and why."""

    row: int
    id: str
    reason: str


def num_threads() -> int:
    """Threads for decoding: as many as there are processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_all(
    ids: Sequence[str], read: Callable[[int], _Answer], progress: Progress | None
) -> tuple[list[_Answer], list[UnreadableImage]]:
    """Call ``read`` with every row, in threads: Pillow decodes without Python's lock.

    Args:
        ids: Image ids, one per row.
        read: Called with the position of a row; raises :class:`UnreadableImageError` where the image is bad.
        progress: Called after every few images.

    Returns:
        What ``read`` returned for the readable rows, and the unreadable images, both in the order of rows.
    """

    def read_chunk(start: int) -> tuple[list[_Answer], list[UnreadableImage]]:
        answers: list[_Answer] = []
        bad: list[UnreadableImage] = []
        for row in range(start, min(start + _CHUNK, len(ids))):
            try:
                answers.append(read(row))
            except UnreadableImageError as error:
                bad.append(UnreadableImage(row, ids[row], error.reason))
        return answers, bad

    answers: list[_Answer] = []
    unreadable: list[UnreadableImage] = []
    starts = range(0, len(ids), _CHUNK)
    pool = ThreadPoolExecutor(num_threads())
    try:
        for start, (more, bad) in zip(starts, pool.map(read_chunk, starts), strict=True):
            answers += more
            unreadable += bad
            if progress is not None:
                progress("reading images", min(start + _CHUNK, len(ids)), len(ids))
    finally:
        pool.shutdown(cancel_futures=True)
    return answers, unreadable
