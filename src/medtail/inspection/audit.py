"""A look at the data before training on it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from medtail.data.collection import SPLITS, ImageCollection
from medtail.data.decoded.pixels import UnreadableImage, num_threads
from medtail.data.formats.sources import ImageForm, UnreadableImageError
from medtail.data.splitting.splits import shared_groups
from medtail.inspection.copies import (
    Copies,
    Duplicate,
    NearDuplicate,
    content_digest,
    duplicates,
    near_duplicates,
    rows_by_content,
)
from medtail.inspection.near_copies import LEAST_SIDE, likenesses, thumbnail
from medtail.inspection.suggestion import Suggestion, suggest
from medtail.naming import listing
from medtail.progress import Progress

#: With fewer images of a class to judge on, its recall is one of at most five values.
FEW_TO_JUDGE = 5

_CHUNK = 32


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
        modes: Images by Pillow's pixel format, or what the reader of another format calls it.
        channels: Images by number of channels.
        unreadable: Bad files, each with the reason.
        constant: Images whose pixels are all the same.
        shared_groups: Groups in more than one split, with their splits.
        duplicates: Images with the same pixels, whatever their files.
        near_duplicates: Images that look the same, within splits and across.
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
    channels: Mapping[str, int]
    unreadable: Sequence[UnreadableImage]
    constant: Sequence[str]
    shared_groups: Mapping[str, Sequence[str]]
    duplicates: Sequence[Duplicate]
    near_duplicates: Sequence[NearDuplicate]
    suggestion: Suggestion | None
    several_labels: LabelsPerImage | None = None

    @property
    def duplicates_across_splits(self) -> list[Duplicate]:
        """Repeated images that stand in several splits."""
        return [duplicate for duplicate in self.duplicates if duplicate.crosses_splits]

    @property
    def label_conflicts(self) -> list[Copies]:
        """Images that show the same and are called differently."""
        return [copies for copies in (*self.duplicates, *self.near_duplicates) if copies.labels_conflict]

    @property
    def empty_classes(self) -> dict[str, list[str]]:
        """Classes without an image, by split that has any images."""
        empty = {
            place: [name for name, count in zip(self.class_names, counts, strict=True) if not count]
            for place, counts in self.counts.items()
            if sum(counts)
        }
        return {place: names for place, names in empty.items() if names}

    @property
    def rare_classes(self) -> dict[str, dict[str, int]]:
        """Classes with too few validation or test images to judge their recall, with how many they have."""
        rare = {
            place: {
                name: count
                for name, count in zip(self.class_names, self.counts[place], strict=True)
                if 0 < count < FEW_TO_JUDGE
            }
            for place in SPLITS[1:]
            if place in self.counts
        }
        return {place: counts for place, counts in rare.items() if counts}

    @property
    def problems(self) -> list[str]:
        """What is wrong with the data, a line each; empty when training and judging on it is sound."""
        leaks = [copies for copies in self.duplicates if copies.leak]
        near_leaks = [copies for copies in self.near_duplicates if copies.leak]
        place = "across splits" if "all" not in self.counts else "that a drawn split may separate"
        found: list[tuple[Sequence[object], str]] = [
            ([f"{image.id} {image.reason}" for image in self.unreadable], "unreadable images"),
            (self.constant, "images of one colour"),
            (_crossing_groups(self.shared_groups), f"{self.group_column} groups in several splits"),
            (_texts(leaks), f"images repeated {place}"),
            (_texts(near_leaks), f"pairs of images that look the same {place}"),
            (_texts(self.label_conflicts), "images repeated with different labels"),
            (
                [f"{name} ({place})" for place, names in self.empty_classes.items() for name in names],
                "classes without images",
            ),
        ]
        return [f"{what}: {len(entries)} ({listing(entries, most=3)})" for entries, what in found if entries]

    @property
    def warnings(self) -> list[str]:
        """What is worth knowing and need not be wrong, a line each."""
        lines = [
            f"classes with fewer than {FEW_TO_JUDGE} {place} images, which cannot judge their recall: {len(counts)} "
            f"({listing(f'{name}: {count}' for name, count in counts.items())})"
            for place, counts in self.rare_classes.items()
        ]
        repeated = sum(not copies.leak for copies in (*self.duplicates, *self.near_duplicates))
        if repeated:
            lines.append(
                f"images repeated where no split can separate them, so that they count more often: {repeated}"
            )
        if self.group_column is None:
            lines.append("groups are unknown, so images of one patient may cross splits")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        content = asdict(self)
        if self.several_labels is None:
            del content["several_labels"]
        return content | {
            "label_conflicts": [
                {"ids": copies.ids, "labels": copies.labels} for copies in self.label_conflicts
            ],
            "empty_classes": self.empty_classes,
            "rare_classes": self.rare_classes,
            "problems": self.problems,
            "warnings": self.warnings,
        }

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
            f"channels: {_tally(self.channels)}",
            self._group_line(),
            *self._trouble_lines(),
            *_section("wrong", self.problems),
            *_section("worth knowing", self.warnings),
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
            return "groups: unknown"
        return f"groups: {self.num_groups} by {self.group_column}"

    def _trouble_lines(self) -> list[str]:
        within = [copies for copies in self.duplicates if not copies.crosses_splits]
        near_across = [copies for copies in self.near_duplicates if copies.crosses_splits]
        near_within = [copies for copies in self.near_duplicates if not copies.crosses_splits]
        return [
            *_section("unreadable images", [f"{image.id} {image.reason}" for image in self.unreadable]),
            *_section("images of one colour", self.constant),
            *_section("groups in several splits", _crossing_groups(self.shared_groups)),
            *_section("images repeated across splits", _texts(self.duplicates_across_splits)),
            *_section("images repeated, no split crossed", _texts(within)),
            *_section("images that look the same across splits", _texts(near_across)),
            *_section("images that look the same, no split crossed", _texts(near_within)),
            *_section(
                "images repeated with different labels",
                [f"{copies.text}: {listing(copies.labels)}" for copies in self.label_conflicts],
            ),
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


def _crossing_groups(groups: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{group} ({' and '.join(splits)})" for group, splits in groups.items()]


def _texts(copies: Sequence[Copies]) -> list[str]:
    return [one.text for one in copies]


@final
@dataclass(frozen=True)
class _Look:
    """What one decoded image contributes."""

    row: int
    form: ImageForm
    shape: tuple[int, ...]
    constant: bool
    content: bytes
    thumbnail: np.ndarray

    @property
    def has_details(self) -> bool:
        return not self.constant and min(self.shape[:-1]) >= LEAST_SIDE


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
    contents = rows_by_content(look.content for look in looks)
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
        channels=dict(Counter(str(look.shape[-1]) for look in looks).most_common()),
        unreadable=unreadable,
        constant=[str(readable.table["id"].iloc[row]) for row, look in enumerate(looks) if look.constant],
        shared_groups=shared_groups(collection),
        duplicates=duplicates(readable, contents),
        near_duplicates=_near_duplicates(readable, looks, contents, progress),
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
            constant = bool((image == image.reshape(-1, image.shape[-1])[0]).all())
            found.append(_Look(row, form, image.shape, constant, content_digest(image), thumbnail(image)))
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


def _near_duplicates(
    readable: ImageCollection,
    looks: Sequence[_Look],
    contents: Sequence[Sequence[int]],
    progress: Progress | None,
) -> list[NearDuplicate]:
    """Compare one image of each content; a volume and an image have nothing to compare."""
    compared = [rows for rows in contents if looks[rows[0]].has_details]
    found = []
    for planes in sorted({len(looks[rows[0]].thumbnail) for rows in compared}):
        alike = [rows for rows in compared if len(looks[rows[0]].thumbnail) == planes]
        thumbnails = np.array([looks[rows[0]].thumbnail for rows in alike], dtype=np.uint8)
        found += near_duplicates(readable, alike, likenesses(thumbnails, progress))
    return found
