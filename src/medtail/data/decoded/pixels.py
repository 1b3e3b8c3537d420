"""Pixels of a collection, decoded once to one size."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from medtail.data.collection import ImageCollection
from medtail.data.decoded.cache import PixelCache
from medtail.data.decoded.image_shape import Fit, WorkingForm
from medtail.data.decoded.reading import UnreadableImage, num_threads, read_all
from medtail.data.decoded.stores import Mapped, OnRequest, PixelStore, Resident
from medtail.data.formats.grey_windows import GreyWindow, WholeRange
from medtail.data.formats.sources import ImageSource, UnreadableImageError
from medtail.errors import InputError
from medtail.naming import listing
from medtail.progress import Progress

GIBIBYTE = 2**30

#: How many bad files one sentence names.
_MOST_NAMED = 100


@final
class NoReadableImageError(InputError):
    """No image can be read.

    Attributes:
        unreadable: All of them.
    """

    def __init__(self, data: str, unreadable: Sequence[UnreadableImage]) -> None:
        super().__init__(f"no image of {data} can be read: {_named(unreadable)}; check the files")
        self.unreadable = unreadable


@final
class Pixels:
    """uint8 images by row.

    Attributes:
        form: Size and channels of every image.
        unreadable: Images that have no pixels.
    """

    def __init__(
        self,
        form: WorkingForm,
        store: PixelStore,
        positions: np.ndarray,
        unreadable: tuple[UnreadableImage, ...] = (),
    ) -> None:
        self.form = form
        self.unreadable = unreadable
        self._store = store
        # Where each row's image lies: leaving rows out copies no pixels.
        self._positions = positions
        self._unreadable_rows = {image.row for image in unreadable}

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def image_size(self) -> int:
        return self.form.image_size

    @property
    def channels(self) -> int:
        return self.form.channels

    @property
    def dimensions(self) -> int:
        """2 for images, 3 for volumes."""
        return self.form.dimensions

    @property
    def resident(self) -> bool:
        """Whether :meth:`read` only copies from memory."""
        return self._store.resident

    @property
    def decoded(self) -> bool:
        """Whether :meth:`read` decodes nothing."""
        return self._store.decoded

    @property
    def size_in_bytes(self) -> int:
        """Memory that all images take, those of rows left out included."""
        return self._store.size_in_bytes

    @property
    def device(self) -> torch.device:
        """Where :meth:`read` leaves images."""
        return self._store.device

    @property
    def readable_rows(self) -> np.ndarray:
        """Rows that have pixels, int64, in order."""
        return np.setdiff1d(np.arange(len(self)), list(self._unreadable_rows))

    def read(self, rows: Sequence[int] | np.ndarray) -> Tensor:
        """Images of the given rows, uint8 ``(len(rows), channels, *spatial)``.

        ``spatial`` is ``image_size`` twice, or three times for volumes (depth, height, width).

        Raises:
            InputError: The image of a row is unreadable.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        if not self._unreadable_rows.isdisjoint(wanted.tolist()):
            bad = [image.id for image in self.unreadable if image.row in set(wanted.tolist())]
            raise InputError(
                f"rows must be those of readable images, but {listing(bad)} are not; use readable_rows"
            )
        return self._store.read(self._positions[wanted])

    def to(self, device: torch.device) -> "Pixels":
        """The same rows for work on a device: resident pixels are moved there, once."""
        return Pixels(self.form, self._store.to(device), self._positions, self.unreadable)

    def without(self, rows: np.ndarray) -> "Pixels":
        """All but the given rows, numbered anew; no pixel is copied."""
        kept = np.setdiff1d(np.arange(len(self)), rows)
        row_of = {int(old): new for new, old in enumerate(kept)}
        unreadable = tuple(
            UnreadableImage(row_of[image.row], image.id, image.reason)
            for image in self.unreadable
            if image.row in row_of
        )
        return Pixels(self.form, self._store, self._positions[kept], unreadable)


def load_pixels(
    collection: ImageCollection,
    *,
    image_size: int,
    channels: int,
    dimensions: int | None = None,
    fit: Fit = "resize",
    skip_unreadable: bool = False,
    progress: Progress | None = None,
    memory_limit: int = 4 * GIBIBYTE,
    cache: PixelCache | None = None,
) -> Pixels:
    """Decode every image once, to uint8 at working resolution (:class:`WorkingForm`).

    Args:
        collection: The images.
        image_size: Pixels along each side.
        channels: Channels of every image.
        dimensions: 2 for images, 3 for volumes; None takes those of the first readable image.
        fit: Resize the whole image, or crop its centre.
        skip_unreadable: List bad files in ``Pixels.unreadable`` instead of refusing them.
        progress: Called after every few images.
        memory_limit: Bytes. Larger sets stay on disk.
        cache: Where the decoded pixels of larger sets are kept. If None, their images are checked now and decoded
            again whenever they are read.

    Raises:
        InputError: A size is wrong; some images cannot be read (all are named, each with its reason); no image can
            be read; or the cache has no room.
    """
    form = WorkingForm(image_size, channels, collection.dimensions if dimensions is None else dimensions, fit)
    _check_own_channels(collection, channels)
    count = len(collection)
    fits = count * math.prod(form.shape) <= memory_limit
    store: PixelStore
    if cache is not None and (cache.keeps_all or not fits):
        mapped, unreadable = _cached(collection, form, cache, progress)
        store = mapped.loaded() if fits else mapped
    elif fits:
        images = torch.empty((count, *form.shape), dtype=torch.uint8)
        unreadable = _decode_all(collection, form, images.numpy(), progress)
        store = Resident(images)
    else:
        unreadable = _decode_all(collection, form, None, progress)
        store = OnRequest(_Decoder(collection.source, form))
    pixels = Pixels(form, store, np.arange(count), tuple(unreadable))
    if unreadable and not skip_unreadable:
        raise InputError(unreadable_sentence(unreadable, count))
    if count and len(unreadable) == count:
        raise NoReadableImageError(collection.data, unreadable)
    return pixels


def _check_own_channels(collection: ImageCollection, channels: int) -> None:
    """Refuse to convert the channels of sequences: they are not red, green and blue, so no rule makes them grey."""
    form = collection.form_or_none()
    if form is not None and form.channels not in (None, channels):
        raise InputError(
            f"data.channels must be {form.channels}, the number of channels of {collection.data}, got {channels}; "
            f"set `data.channels={form.channels}`"
        )


def unreadable_sentence(unreadable: Sequence[UnreadableImage], count: int) -> str:
    """The sentence that names every bad file."""
    return (
        f"{len(unreadable)} of {count} images cannot be read: {_named(unreadable)}; fix or remove them, or leave them "
        f"out with `skip_unreadable=True`"
    )


def _named(unreadable: Sequence[UnreadableImage]) -> str:
    return listing((f"{image.id} {image.reason}" for image in unreadable), most=_MOST_NAMED)


def _cached(
    collection: ImageCollection, form: WorkingForm, cache: PixelCache, progress: Progress | None
) -> tuple[Mapped, list[UnreadableImage]]:
    ids = collection.table["id"].tolist()

    def decode(target: np.ndarray, visited: Callable[[int], None]) -> list[UnreadableImage]:
        return _decode_all(collection, form, target, progress, visited)

    def reason(row: int) -> str | None:
        try:
            _decode(collection.source, form, row, ids[row])
        except UnreadableImageError as error:
            return error.reason
        return None

    entry = cache.pixels(
        collection.source,
        data=collection.data,
        ids=ids,
        # Which images are refused depends on the limit.
        form=repr((form, collection.source.max_pixels, *_window(collection.source))),
        shape=form.shape,
        decode=decode,
        reason=reason,
    )
    return Mapped(entry.path), list(entry.unreadable)


def _window(source: ImageSource) -> tuple[GreyWindow, ...]:
    """The window, unless it is that of entries from before there were windows."""
    return () if source.window == WholeRange() else (source.window,)


def _decode(source: ImageSource, form: WorkingForm, row: int, name: str) -> np.ndarray:
    """One image at working resolution, uint8 ``(channels, *spatial)``."""
    return form.convert(source.read(row, at_least=form.at_least), name)


@final
@dataclass(frozen=True)
class _Decoder:
    """Decodes images by position."""

    source: ImageSource
    form: WorkingForm

    def __call__(self, positions: np.ndarray) -> Tensor:
        images = np.empty((len(positions), *self.form.shape), dtype=np.uint8)

        def decode(place: int) -> None:
            row = int(positions[place])
            images[place] = _decode(self.source, self.form, row, f"in position {row}")

        # A worker of a loader is already one of several processes.
        with ThreadPoolExecutor(num_threads() if get_worker_info() is None else 1) as pool:
            for _ in pool.map(decode, range(len(positions))):
                pass
        return torch.from_numpy(images)


def _decode_all(
    collection: ImageCollection,
    form: WorkingForm,
    target: np.ndarray | None,
    progress: Progress | None,
    visited: Callable[[int], None] = lambda row: None,
) -> list[UnreadableImage]:
    """Decode every image into ``target`` (None: only try to), and return those that cannot be read.

    ``visited`` is called with every row, readable or not, by the thread that decoded it.
    """
    ids = collection.table["id"].tolist()

    def decode(row: int) -> None:
        try:
            image = _decode(collection.source, form, row, ids[row])
            if target is not None:
                target[row] = image
        finally:
            visited(row)

    return read_all(ids, decode, progress)[1]
