"""A look at the data before training on it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from medtail.data.collection import SPLITS, ImageCollection, listing
from medtail.data.pixels import Progress, UnreadableImage, num_threads
from medtail.data.similarity import THUMBNAIL_SIZE, near_duplicates, thumbnail
from medtail.data.sources import ImageForm, UnreadableImageError
from medtail.data.splits import shared_groups
from medtail.data.suggestion import Suggestion, suggest

_CHUNK = 32


@final
@dataclass(frozen=True)
class NearDuplicate:
    """Two different images that look the same."""

    ids: tuple[str, ...]
    splits: tuple[str, ...]
    correlation: float


@final
@dataclass(frozen=True)
class Duplicate:
    """Images with the same pixels."""

    ids: tuple[str, ...]
    splits: tuple[str, ...]

    @property
    def crosses_splits(self) -> bool:
        return len(set(self.splits)) > 1


@final
@dataclass(frozen=True)
class LabelsPerImage:
    """What counts of labels do not say where an image may carry several of them, or none.

    Attributes:
        images: Images by split, or under ``all``.
        mean: Labels an image, on average.
        without: Images that carry none.
    """

    images: Mapping[str, int]
    mean: float
    without: int


@final
@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        name: Of the collection.
        data: DATA as the user gave it.
        num_images: All, readable or not.
        class_names: In class-id order.
        counts: Images of each class by split, or under ``all`` when the data brings no splits.
        imbalance_ratio: Largest over smallest class that has images, in training (in all without splits).
        group_column: Where groups come from; None when unknown.
        num_groups: How many there are; None when unknown.
        sizes: Images by ``height x width`` (``depth x height x width``), the most frequent first.
        modes: Images by Pillow's pixel format.
        unreadable: Bad files, each with the reason.
        shared_groups: Groups in more than one split, with their splits.
        duplicates: Images with the same pixels, whatever their files.
        near_duplicates: Images that look the same: of different splits, or any two when there are no splits.
        suggestion: What to try first; None when no image can be read.
        several_labels: Where an image may carry several labels; None, and not in :meth:`to_dict`, otherwise.
    """

    name: str
    data: str
    num_images: int
    class_names: tuple[str, ...]
    counts: Mapping[str, Sequence[int]]
    imbalance_ratio: float | None
    group_column: str | None
    num_groups: int | None
    sizes: Mapping[str, int]
    modes: Mapping[str, int]
    unreadable: Sequence[UnreadableImage]
    shared_groups: Mapping[str, Sequence[str]]
    duplicates: Sequence[Duplicate]
    near_duplicates: Sequence[NearDuplicate]
    suggestion: Suggestion | None
    several_labels: LabelsPerImage | None = None

    @property
    def duplicates_across_splits(self) -> list[Duplicate]:
        """Repeated images that stand in several splits."""
        return [duplicate for duplicate in self.duplicates if duplicate.crosses_splits]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        content = asdict(self)
        if self.several_labels is None:
            del content["several_labels"]
        return content

    def lines(self) -> list[str]:
        """The findings as text."""
        return [
            f"{self.name}: {self.num_images} images of {len(self.class_names)} classes",
            "",
            *self._count_lines(),
            "",
            *self._several_labels_lines(),
            f"imbalance ratio: {'undefined' if self.imbalance_ratio is None else f'{self.imbalance_ratio:.4g}'}",
            f"sizes: {_tally(self.sizes)}",
            f"pixel formats: {_tally(self.modes)}",
            self._group_line(),
            *self._trouble_lines(),
            *self._suggestion_lines(),
        ]

    def _count_lines(self) -> list[str]:
        width = max(len("total"), *(len(name) for name in self.class_names))
        columns = list(self.counts)
        lines = [" ".join([f"{'class':<{width}}", *(f"{column:>10}" for column in columns)])]
        for target, name in enumerate(self.class_names):
            counts = (self.counts[column][target] for column in columns)
            lines.append(" ".join([f"{name:<{width}}", *(f"{count:>10}" for count in counts)]))
        images = {} if self.several_labels is None else self.several_labels.images
        totals = (images.get(column, sum(self.counts[column])) for column in columns)
        lines.append(" ".join([f"{'total':<{width}}", *(f"{total:>10}" for total in totals)]))
        return lines

    def _several_labels_lines(self) -> list[str]:
        several = self.several_labels
        if several is None:
            return []
        return [f"labels an image: {several.mean:.2f} on average, {several.without} images carry none"]

    def _group_line(self) -> str:
        if self.group_column is None:
            return "groups: unknown, so images of one patient may cross splits"
        return f"groups: {self.num_groups} by {self.group_column}"

    def _trouble_lines(self) -> list[str]:
        named = [f"{image.id} {image.reason}" for image in self.unreadable]
        crossing = [f"{group} ({' and '.join(splits)})" for group, splits in self.shared_groups.items()]
        within = [" = ".join(found.ids) for found in self.duplicates if not found.crosses_splits]
        across = [_with_splits(found.ids, found.splits) for found in self.duplicates_across_splits]
        near = [
            f"{_with_splits(pair.ids, pair.splits, '~')}, correlation {pair.correlation:.3f}"
            for pair in self.near_duplicates
        ]
        place = "across splits" if "all" not in self.counts else "(none given a split yet)"
        return [
            *_section("unreadable images", named),
            *_section("groups in several splits", crossing),
            *_section("images repeated across splits", across),
            *_section("images repeated, no split crossed", within),
            *_section(f"images that look the same {place}", near),
        ]

    def _suggestion_lines(self) -> list[str]:
        if self.suggestion is None:
            return []
        return [
            "",
            f"try first: medtail train {self.data} --method {self.suggestion.method} --out RUN "
            f"(recipe {self.suggestion.recipe})",
            *(f"  because {reason}" for reason in self.suggestion.reasons),
        ]


def _tally(counts: Mapping[str, int]) -> str:
    return listing((f"{name} ({count})" for name, count in counts.items()), most=5) or "none"


def _section(title: str, entries: Sequence[str], most: int = 10) -> list[str]:
    shown = [f"  {entry}" for entry in entries[:most]]
    rest = [f"  and {len(entries) - most} more (--json lists all)"] if len(entries) > most else []
    return [f"{title}: {len(entries)}", *shown, *rest]


def _with_splits(ids: Sequence[str], splits: Sequence[str], sign: str = "=") -> str:
    if not splits:
        return f" {sign} ".join(ids)
    return f" {sign} ".join(f"{name} ({split})" for name, split in zip(ids, splits, strict=True))


@final
@dataclass(frozen=True)
class _Look:
    """What one decoded image contributes."""

    row: int
    form: ImageForm
    content: bytes
    thumbnail: np.ndarray


def audit(collection: ImageCollection, *, progress: Progress | None = None) -> Audit:
    """Read every image once and report; nothing is refused, nothing is changed.

    Args:
        collection: As opened; splits need not be given.
        progress: Told about every few images.
    """
    looks, unreadable = _look_at_all(collection, progress)
    readable = collection.select(np.array([look.row for look in looks], dtype=np.int64))
    has_splits = "split" in collection.table
    counts: dict[str, list[int]] = (
        {split: collection.class_counts(split).tolist() for split in SPLITS}
        if has_splits
        else {"all": collection.class_counts().tolist()}
    )
    training = np.array(counts["train" if has_splits else "all"])
    present = training[training > 0]
    table = collection.table
    return Audit(
        name=collection.name,
        data=collection.data,
        num_images=len(collection),
        class_names=collection.class_names,
        counts=counts,
        imbalance_ratio=float(present.max() / present.min()) if len(present) else None,
        group_column=collection.group_column,
        num_groups=int(table["group"].nunique()) if "group" in table else None,
        sizes=dict(Counter(look.form.size for look in looks).most_common()),
        modes=dict(Counter(look.form.mode for look in looks).most_common()),
        unreadable=unreadable,
        shared_groups=shared_groups(collection),
        duplicates=_duplicates(readable, looks),
        near_duplicates=_near_duplicates(readable, looks, progress),
        suggestion=suggest(readable, training) if looks and len(present) else None,
        several_labels=_several_labels(collection) if collection.multi_label else None,
    )


def _several_labels(collection: ImageCollection) -> LabelsPerImage:
    sizes = collection.targets.sum(axis=1)
    images: dict[str, int] = (
        {str(split): len(collection.rows(split)) for split in SPLITS}
        if "split" in collection.table
        else {"all": len(collection)}
    )
    return LabelsPerImage(images, float(sizes.mean()), int((sizes == 0).sum()))


def _look_at_all(
    collection: ImageCollection, progress: Progress | None
) -> tuple[list[_Look], list[UnreadableImage]]:
    source, ids = collection.source, collection.table["id"].tolist()

    def look_at(start: int) -> list[_Look | UnreadableImage]:
        found: list[_Look | UnreadableImage] = []
        for row in range(start, min(start + _CHUNK, len(ids))):
            try:
                image, form = source.read(row), source.form(row)
            except UnreadableImageError as error:
                found.append(UnreadableImage(row, ids[row], error.reason))
                continue
            digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
            digest.update(np.ascontiguousarray(image).data)
            found.append(_Look(row, form, digest.digest(), thumbnail(image)))
        return found

    looks: list[_Look] = []
    unreadable: list[UnreadableImage] = []
    starts = range(0, len(ids), _CHUNK)
    pool = ThreadPoolExecutor(num_threads())
    try:
        for start, found in zip(starts, pool.map(look_at, starts), strict=True):
            looks += [look for look in found if isinstance(look, _Look)]
            unreadable += [image for image in found if isinstance(image, UnreadableImage)]
            if progress is not None:
                progress("reading images", min(start + _CHUNK, len(ids)), len(ids))
    finally:
        pool.shutdown(cancel_futures=True)
    return looks, unreadable


def _splits(readable: ImageCollection, rows: Sequence[int]) -> tuple[str, ...]:
    if "split" not in readable.table:
        return ()
    return tuple(str(readable.table["split"].iloc[row]) for row in rows)


def _ids(readable: ImageCollection, rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(str(readable.table["id"].iloc[row]) for row in rows)


def _duplicates(readable: ImageCollection, looks: Sequence[_Look]) -> list[Duplicate]:
    rows_of: dict[bytes, list[int]] = defaultdict(list)
    for row, look in enumerate(looks):
        rows_of[look.content].append(row)
    return [
        Duplicate(_ids(readable, rows), _splits(readable, rows)) for rows in rows_of.values() if len(rows) > 1
    ]


def _near_duplicates(
    readable: ImageCollection, looks: Sequence[_Look], progress: Progress | None
) -> list[NearDuplicate]:
    thumbnails = np.array([look.thumbnail for look in looks], dtype=np.uint8)
    thumbnails = thumbnails.reshape(-1, THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    parts = readable.table["split"].map(SPLITS.index).to_numpy() if "split" in readable.table else None
    found = [
        NearDuplicate(_ids(readable, (one, other)), _splits(readable, (one, other)), correlation)
        for one, other, correlation in near_duplicates(thumbnails, parts, progress)
        if looks[one].content != looks[other].content
    ]
    return sorted(found, key=lambda pair: -pair.correlation)
