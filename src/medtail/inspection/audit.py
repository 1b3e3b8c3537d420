"""An audit of a data set: counts, sizes, unreadable files, leaks between splits, and a suggested recipe."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, final

import numpy as np

from medtail.data.collection import SPLITS, ImageCollection
from medtail.data.decoded.grey_levels import GreyLevels, grey_levels
from medtail.data.decoded.reading import UnreadableImage, read_all
from medtail.data.formats.sources import ImageForm
from medtail.data.splitting.class_shares import ShareDifference, share_differences
from medtail.data.splitting.joined_groups import joined
from medtail.data.splitting.splits import shared_groups, small_classes
from medtail.inspection.copies import (
    Copies,
    Duplicate,
    NearDuplicate,
    duplicates,
    near_duplicates,
    rows_by_content,
)
from medtail.inspection.look_alikes import Look, LookAlikes, likenesses_of
from medtail.inspection.shortcuts import Clue, clues, sampled_rows
from medtail.inspection.suggestion import Suggestion, suggest
from medtail.inspection.traits import Traits
from medtail.naming import listing
from medtail.progress import Progress
from medtail.runs.run import EVALUATED_SPLITS

#: With fewer images of a class to judge on, its recall has at most five possible values.
FEW_TO_JUDGE = 5


@final
@dataclass(frozen=True)
class LabelsPerImage:
    """What label counts do not say about images that may carry several labels, or none.

    Attributes:
        images: Number of images by split, or under ``all``.
        mean: Average number of labels per image.
        without: Number of images without any label.
    """

    images: Mapping[str, int]
    mean: float
    without: int


@final
@dataclass(frozen=True)
class Audit:
    """The findings of an audit.

    Attributes:
        name: Name of the collection.
        data: DATA as the user gave it.
        num_images: Number of images, readable or not.
        class_names: In class-id order.
        counts: Images of each class by split, or under ``all`` if the data has no splits.
        imbalance_ratio: Largest over smallest count of the classes that have images, in training (or in all images
            if there are no splits).
        group_column: Column that the groups come from; None if unknown.
        num_groups: Number of groups; None if unknown.
        sizes: Images by ``height x width`` (``depth x height x width``), the most frequent size first.
        modes: Images by Pillow's pixel format, or by the name that the reader of another format gives it.
        channels: Images by number of channels.
        unreadable: Bad files, each with its reason.
        constant: Images whose pixels are all the same.
        shared_groups: Groups in more than one split, with their splits.
        duplicates: Images with the same pixels, whatever their files.
        near_duplicates: Images that look the same, within splits and across.
        suggestion: What to try first; None if no image can be read.
        groups: Group of each image, in the order of the table; images that show the same share one. Left out of
            :meth:`to_dict`.
        several_labels: For multi-label data; None for single-label data, and then left out of :meth:`to_dict`.
        small_classes: Classes with too few groups (images, if groups are unknown) to be in every split that is drawn.
        grey_levels: Of a sample of 16-bit grey pictures; None if there are none, and then left out of :meth:`to_dict`.
        clues: How well the label can be told from things beside the picture.
        share_differences: Classes whose share of the test images is not that of the training images.
        skipped: Number of files by extension that may be images, but are in no format that is read.
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
    groups: Sequence[str]
    several_labels: LabelsPerImage | None = None
    small_classes: Sequence[str] = ()
    grey_levels: GreyLevels | None = None
    clues: Sequence[Clue] = ()
    share_differences: Sequence[ShareDifference] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def duplicates_across_splits(self) -> list[Duplicate]:
        """Repeated images that are in several splits."""
        return [duplicate for duplicate in self.duplicates if duplicate.crosses_splits]

    @property
    def label_conflicts(self) -> list[Copies]:
        """Images that show the same but have different labels."""
        return [copies for copies in (*self.duplicates, *self.near_duplicates) if copies.labels_conflict]

    @property
    def crossing_groups(self) -> list[str]:
        """Groups in more than one split as text, each with its splits."""
        return [f"{group} ({' and '.join(splits)})" for group, splits in self.shared_groups.items()]

    @property
    def empty_classes(self) -> dict[str, list[str]]:
        """Classes without an image, by split; splits without any image are left out."""
        empty = {
            place: [name for name, count in zip(self.class_names, counts, strict=True) if not count]
            for place, counts in self.counts.items()
            if sum(counts)
        }
        return {place: names for place, names in empty.items() if names}

    @property
    def rare_classes(self) -> dict[str, dict[str, int]]:
        """Classes with too few validation or test images to judge their recall, each with its number of images."""
        rare = {
            place: {
                name: count
                for name, count in zip(self.class_names, self.counts[place], strict=True)
                if 0 < count < FEW_TO_JUDGE
            }
            for place in EVALUATED_SPLITS
            if place in self.counts
        }
        return {place: counts for place, counts in rare.items() if counts}

    @property
    def shortcuts(self) -> list[Clue]:
        """Things beside the picture from which the label can be told."""
        return [clue for clue in self.clues if clue.is_shortcut]

    @property
    def problems(self) -> list[str]:
        """What is wrong with the data, one line per kind; empty if it is sound to train and evaluate on."""
        leaks = [copies for copies in self.duplicates if copies.leak]
        near_leaks = [copies for copies in self.near_duplicates if copies.leak]
        place = "across splits" if "all" not in self.counts else "that a drawn split may separate"
        found: list[tuple[Sequence[object], str]] = [
            ([f"{image.id} {image.reason}" for image in self.unreadable], "unreadable images"),
            (self.constant, "images of one colour"),
            (self.crossing_groups, f"{self.group_column} groups in several splits"),
            ([copies.text for copies in leaks], f"images repeated {place}"),
            ([copies.text for copies in near_leaks], f"pairs of images that look the same {place}"),
            ([copies.text for copies in self.label_conflicts], "images repeated with different labels"),
            (
                [f"{name} ({place})" for place, names in self.empty_classes.items() for name in names],
                "classes without images",
            ),
        ]
        lines = [f"{what}: {len(entries)} ({listing(entries, most=3)})" for entries, what in found if entries]
        if self.skipped:
            by_extension = listing(f"{extension}: {count}" for extension, count in self.skipped.items())
            lines.append(
                f"files with extensions that are not read: {sum(self.skipped.values())} ({by_extension})"
            )
        return lines

    @property
    def warnings(self) -> list[str]:
        """What is worth knowing although it need not be wrong, one line per kind."""
        lines = [
            f"classes with fewer than {FEW_TO_JUDGE} {place} images, too few to judge their recall: {len(counts)} "
            f"({listing(f'{name}: {count}' for name, count in counts.items())})"
            for place, counts in self.rare_classes.items()
        ]
        if self.small_classes:
            lines.append(
                f"classes too small for the splits that are drawn: {len(self.small_classes)} "
                f"({listing(self.small_classes)}); leave them out or merge them"
            )
        repeated = sum(not copies.leak for copies in (*self.duplicates, *self.near_duplicates))
        if repeated:
            lines.append(
                f"images repeated where no split can separate them, so that they count more often: {repeated}"
            )
        if self.grey_levels is not None and self.grey_levels.few:
            lines.append(self.grey_levels.sentence(self.name))
        if self.shortcuts:
            lines.append(
                f"things beside the picture that tell the label, so that a model may learn them in its place: "
                f"{len(self.shortcuts)} ({listing(clue.name for clue in self.shortcuts)})"
            )
        if self.share_differences:
            lines.append(
                f"classes whose share of test is not that of training: {len(self.share_differences)} "
                f"({listing(difference.text for difference in self.share_differences)})"
            )
        if self.group_column is None:
            lines.append("groups are unknown, so images of one patient may cross splits")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """All findings, ready for JSON."""
        content = asdict(self)
        del content["groups"]
        for name in ("several_labels", "grey_levels"):
            if content[name] is None:
                del content[name]
        return content | {
            "label_conflicts": [
                {"ids": copies.ids, "labels": copies.labels} for copies in self.label_conflicts
            ],
            "empty_classes": self.empty_classes,
            "rare_classes": self.rare_classes,
            "shortcuts": [clue.name for clue in self.shortcuts],
            "problems": self.problems,
            "warnings": self.warnings,
        }


@final
@dataclass(frozen=True)
class _Read:
    """A row that can be read, with what its header and its pixels say."""

    row: int
    form: ImageForm
    look: Look
    traits: Traits | None


def audit(collection: ImageCollection, *, progress: Progress | None = None) -> Audit:
    """Read every image once and report on it; nothing is refused or changed.

    Args:
        collection: A collection as opened; it may have no splits yet.
        progress: Called after every few images.
    """
    images, unreadable = _read_images(collection, progress)
    looks = [image.look for image in images]
    readable = collection.select(np.array([image.row for image in images], dtype=np.int64))
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
    alike = list(likenesses_of(looks, contents, progress))
    groups = _groups(collection, images, LookAlikes(contents, alike))
    return Audit(
        name=collection.name,
        data=collection.data,
        num_images=len(collection),
        class_names=collection.class_names,
        counts=counts,
        imbalance_ratio=float(present.max() / present.min()) if len(present) else None,
        group_column=collection.group_column,
        num_groups=int(table["group"].nunique()) if "group" in table else None,
        sizes=dict(Counter(image.form.size for image in images).most_common()),
        modes=dict(Counter(image.form.mode for image in images).most_common()),
        channels=dict(Counter(str(look.shape[-1]) for look in looks).most_common()),
        unreadable=unreadable,
        constant=[str(readable.table["id"].iloc[row]) for row, look in enumerate(looks) if look.constant],
        shared_groups=shared_groups(collection),
        duplicates=duplicates(readable, contents),
        near_duplicates=near_duplicates(readable, contents, alike),
        groups=groups,
        suggestion=suggest(readable, training) if looks and len(present) else None,
        several_labels=_several_labels(collection) if collection.multi_label else None,
        small_classes=small_classes(collection),
        grey_levels=grey_levels(collection),
        clues=_clues(collection, images, groups),
        share_differences=share_differences(collection),
        skipped=collection.skipped,
    )


def _several_labels(collection: ImageCollection) -> LabelsPerImage:
    sizes = (collection.targets == 1).sum(axis=1)
    images: dict[str, int] = (
        {str(split): len(collection.rows(split)) for split in SPLITS}
        if "split" in collection.table
        else {"all": len(collection)}
    )
    return LabelsPerImage(images, float(sizes.mean()), int((sizes == 0).sum()))


def _read_images(
    collection: ImageCollection, progress: Progress | None
) -> tuple[list[_Read], list[UnreadableImage]]:
    source, ids = collection.source, collection.table["id"].tolist()
    sampled = set(sampled_rows(collection).tolist())

    def read(row: int) -> _Read:
        form, image = source.form(row), source.read(row)
        traits = Traits.of(ids[row], source.files(row), form, image) if row in sampled else None
        return _Read(row, form, Look.at(image), traits)

    return read_all(ids, read, progress)


def _clues(collection: ImageCollection, images: Sequence[_Read], groups: Sequence[str]) -> list[Clue]:
    known = [(image.row, image.traits) for image in images if image.traits is not None]
    rows = np.array([row for row, _ in known], dtype=np.int64)
    return clues(collection.select(rows), [traits for _, traits in known], [groups[row] for row in rows])


def _groups(collection: ImageCollection, images: Sequence[_Read], alike: LookAlikes) -> tuple[str, ...]:
    """Group of every image, readable or not, with images that show the same in one."""
    sets = [
        [images[position].row for position in positions]
        for positions in alike.sets
        if not images[positions[0]].look.constant
    ]
    return tuple(joined(collection.groups, sets).tolist())
