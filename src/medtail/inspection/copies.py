"""Images that occur more than once: the same pixels, or pixels that look the same."""

import hashlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from typing import final

import numpy as np

from medtail.data.collection import ImageCollection
from medtail.inspection.near_copies import Likeness
from medtail.inspection.search.forest import Forest

#: How many kinds (split, label, group) of images with equal pixels are paired with those that look the same.
_MOST_KINDS = 16


@dataclass(frozen=True)
class Copies(ABC):
    """Images that show the same; abstract, because copies differ in how alike they are.

    Attributes:
        ids: Image ids.
        splits: Split of each image; empty if there are no splits yet.
        labels: Label of each image: its class, or its classes joined by ``+``.
        leak: Whether a model may learn from one of them and be judged on another: they are in different splits or, if
            splits are still to be drawn, share no group that would keep them together.
    """

    ids: tuple[str, ...]
    splits: tuple[str, ...]
    labels: tuple[str, ...]
    leak: bool

    @property
    @abstractmethod
    def text(self) -> str:
        """The images in one line."""

    @property
    def crosses_splits(self) -> bool:
        """Whether they are in different splits."""
        return len(set(self.splits)) > 1

    def _joined(self, sign: str) -> str:
        places = [f" ({split})" for split in self.splits] or [""] * len(self.ids)
        return sign.join(f"{name}{place}" for name, place in zip(self.ids, places, strict=True))

    @property
    def labels_conflict(self) -> bool:
        """Whether they have different labels."""
        return len(set(self.labels)) > 1


@final
@dataclass(frozen=True)
class Duplicate(Copies):
    """Images with the same pixels, whatever their files."""

    @property
    def text(self) -> str:
        return self._joined(" = ")


@final
@dataclass(frozen=True)
class NearDuplicate(Copies):
    """Two images with different pixels that look the same.

    Attributes:
        correlation: Correlation of their thumbnails, after undoing the change.
        change: How the second differs from the first, e.g. ``mirrored left to right``; empty if it is neither turned,
            mirrored nor cropped.
    """

    correlation: float
    change: str

    @property
    def text(self) -> str:
        change = f", {self.change}" if self.change else ""
        return f"{self._joined(' ~ ')}, correlation {self.correlation:.3f}{change}"


def content_digest(image: np.ndarray) -> bytes:
    """16 bytes that are equal only for equal pixels of equal shape."""
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


@final
class _RowDescriptions:
    """What a table says about its rows."""

    def __init__(self, collection: ImageCollection) -> None:
        table = collection.table
        self.ids = table["id"].astype(str).tolist()
        self.splits = table["split"].astype(str).tolist() if "split" in table else None
        self.groups = table["group"].astype(str).tolist() if "group" in table else None
        if collection.multi_label:
            names = np.array(collection.class_names, dtype=object)
            self.labels = ["+".join(names[carried]) or "no label" for carried in collection.targets == 1]
        else:
            self.labels = table["label"].astype(str).tolist()

    def kind(self, row: int) -> tuple[str | None, str, str | None]:
        """What reports on copies depend on: rows of one kind are interchangeable."""
        return (
            self.splits[row] if self.splits else None,
            self.labels[row],
            self.groups[row] if self.groups else None,
        )

    def fields(self, rows: Sequence[int]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], bool]:
        """The attributes of :class:`Copies`."""
        if self.splits is not None:
            leak = len({self.splits[row] for row in rows}) > 1
        elif self.groups is not None:
            leak = len({self.groups[row] for row in rows}) > 1
        else:
            leak = True
        return (
            tuple(self.ids[row] for row in rows),
            () if self.splits is None else tuple(self.splits[row] for row in rows),
            tuple(self.labels[row] for row in rows),
            leak,
        )


def rows_by_content(digests: Iterable[bytes]) -> list[list[int]]:
    """The rows with each content, in the order of their first rows."""
    rows_of: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(digests):
        rows_of[digest].append(row)
    return list(rows_of.values())


def duplicates(collection: ImageCollection, contents: Sequence[Sequence[int]]) -> list[Duplicate]:
    """Contents that several rows share.

    Args:
        collection: The collection of the rows.
        contents: The rows with each content, from :func:`rows_by_content`.
    """
    described = _RowDescriptions(collection)
    return [Duplicate(*described.fields(rows)) for rows in contents if len(rows) > 1]


def near_duplicates(
    collection: ImageCollection, contents: Sequence[Sequence[int]], likenesses: Iterable[Likeness]
) -> list[NearDuplicate]:
    """Pairs of images that look the same, the most alike first.

    If many images all look the same, only enough pairs are reported to connect them, where all pairs would be
    millions: at least one pair for each image that leaks or whose label conflicts, and at most four pairs per image.
    Likenesses that :class:`medtail.inspection.search.crowds.Crowds` left out are not among them.

    Args:
        collection: The collection of the rows.
        contents: The rows with each content.
        likenesses: Likenesses between positions in ``contents``.
    """
    described = _RowDescriptions(collection)
    joined: dict[tuple[bool, bool], Forest] = defaultdict(partial(Forest, len(collection)))
    found = []
    for likeness in likenesses:
        sides = (_one_of_each_kind(described, contents[side]) for side in (likeness.first, likeness.second))
        for pair in product(*sides):
            copies = NearDuplicate(*described.fields(pair), likeness.correlation, likeness.change)
            if joined[copies.leak, copies.labels_conflict].join(*pair):
                found.append(copies)
    return sorted(found, key=lambda pair: -pair.correlation)


def _one_of_each_kind(described: _RowDescriptions, rows: Sequence[int]) -> Iterator[int]:
    first_of: dict[Hashable, int] = {}
    for row in rows:
        first_of.setdefault(described.kind(row), row)
    return islice(first_of.values(), _MOST_KINDS)
