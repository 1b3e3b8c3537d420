"""A set of labelled images: one table, one source of pixels."""

import hashlib
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, final

import numpy as np
import pandas as pd

from medtail.checks import choice
from medtail.data.fingerprint import length_prefixed
from medtail.data.formats.grey_windows import grey_window
from medtail.data.formats.sources import ImageForm, ImageSource, UnreadableImageError
from medtail.errors import InputError
from medtail.naming import is_plain, listing
from medtail.runs.tasks import LABEL_PREFIX

#: What images are for.
Split = Literal["train", "validation", "test"]

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")

#: All splits, in the order in which tables show them.
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

#: Other names of the splits.
_SPLIT_ALIASES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "validate": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


#: Headers that are read to tell how large the images are.
_SAMPLED_FORMS = 25

#: A name of a class is written into tables, pages and names of columns.
_LONGEST_NAME = 255


class DataWarning(UserWarning):
    """The data can be used, but something in it is probably not what its owner intended."""


def split_name(text: str) -> Split | None:
    """Our name for a split, however it is written; None if the text names no split.

    Example:
        >>> split_name(" Val"), split_name("holdout")
        ('validation', None)
    """
    return _SPLIT_ALIASES.get(text.strip(" _-").casefold())


@final
@dataclass(frozen=True, eq=False)
class ImageCollection:
    """Images with their labels, and with patients and splits where they are known.

    Attributes:
        name: Short name, e.g. that of the folder.
        data: DATA as the user gave it.
        table: One row per image, index 0, 1, …; columns ``id`` (unique), ``label`` (class name), ``target`` (class
            id), ``group`` (only if known; images of one group never cross splits) and ``split`` (only if known:
            train, validation or test). A multi-label table has a column ``label_<class>`` of 0/1 for each class in
            place of ``label`` and ``target``; where a label is unknown it holds NaN, and such columns are float64.
        class_names: In class-id order: by number if all labels are numbers, else alphabetically.
        source: Pixels of each row.
        group_column: Column that the groups come from, e.g. ``patient_id``.
        class_choice: What :func:`medtail.data.choose_classes` was asked for; None if all classes are as they came.
        acquisition: Columns that tell where, when or with what each image was made (site, scanner, date), one row per
            image; None if there are none.
        attributes: Columns that are used for nothing, one row per image; None if there are none.
        skipped: Number of files by extension that may be images, but are in no format that is read.

    Collections are immutable: methods return new ones.
    """

    name: str
    data: str
    table: pd.DataFrame
    class_names: tuple[str, ...]
    source: ImageSource
    group_column: str | None
    class_choice: tuple[object, ...] | None = None
    acquisition: pd.DataFrame | None = None
    attributes: pd.DataFrame | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        *,
        name: str,
        data: str,
        ids: Sequence[str],
        labels: Sequence[str],
        source: ImageSource,
        class_names: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        group_column: str | None = None,
        splits: Sequence[Split] | None = None,
    ) -> "ImageCollection":
        """Assemble a single-label collection.

        Args:
            name: Short name.
            data: DATA as the user gave it.
            ids: Image ids ``(N,)``.
            labels: Class name of each image.
            source: Pixels of each row.
            class_names: In class-id order; those of the labels, sorted, if None.
            groups: Group of each image.
            group_column: Column that the groups come from.
            splits: Split of each image.

        Raises:
            InputError: There is no image, or an id occurs twice.
        """
        names = tuple(sort_labels(set(labels)) if class_names is None else class_names)
        target_of = {label: target for target, label in enumerate(names)}
        columns = {
            "label": list(labels),
            "target": np.array([target_of[label] for label in labels], dtype=np.int64),
        }
        table = _table(data, ids, columns, groups, splits)
        _warn_about_similar(names)
        return cls(name, data, table, names, source, group_column)

    @classmethod
    def build_multi_label(
        cls,
        *,
        name: str,
        data: str,
        ids: Sequence[str],
        labels: Mapping[str, np.ndarray],
        source: ImageSource,
        groups: Sequence[str] | None = None,
        group_column: str | None = None,
        splits: Sequence[Split] | None = None,
    ) -> "ImageCollection":
        """Assemble a multi-label collection: images carry any number of labels.

        Args:
            name: Short name.
            data: DATA as the user gave it.
            ids: Image ids ``(N,)``.
            labels: From the name of each class to whether each image carries it: 0/1 ``(N,)``, NaN where unknown.
            source: Pixels of each row.
            groups: Group of each image.
            group_column: Column that the groups come from.
            splits: Split of each image.

        Raises:
            InputError: There is no image, or an id occurs twice.
        """
        names = tuple(sort_labels(labels))
        columns = {LABEL_PREFIX + label: _whole_if_known(labels[label]) for label in names}
        table = _table(data, ids, columns, groups, splits)
        _warn_about_similar(names)
        return cls(name, data, table, names, source, group_column)

    @property
    def multi_label(self) -> bool:
        """Whether an image may carry several labels, or none."""
        return LABEL_PREFIX + self.class_names[0] in self.table

    @property
    def label_columns(self) -> list[str]:
        """The columns that hold the labels."""
        return [LABEL_PREFIX + name for name in self.class_names] if self.multi_label else ["label"]

    @property
    def targets(self) -> np.ndarray:
        """Targets for a loss, int64: class ids ``(N,)``, or 0/1 labels ``(N, C)``.

        Where the table has unknown labels, they are float64 with NaN for those.
        """
        columns = self.label_columns if self.multi_label else "target"
        targets: np.ndarray = self.table[columns].to_numpy()
        return targets

    def __len__(self) -> int:
        return len(self.table)

    def rows(self, split: str) -> np.ndarray:
        """Row positions of one split, int64, in table order.

        Raises:
            InputError: There is no such split, or splits are not assigned yet.
        """
        choice("split", split, SPLITS)
        if "split" not in self.table:
            raise InputError(f"{self.data} has no splits yet; call assign_splits first")
        return np.flatnonzero(self.table["split"].to_numpy() == split)

    def known_counts(self, split: str | None = None) -> np.ndarray:
        """Number of images of which each class or label is known ``(C,)``, int64, in one split, or in all if None."""
        chosen = self.targets if split is None else self.targets[self.rows(split)]
        known = np.isfinite(chosen).sum(axis=0, dtype=np.int64)
        return np.broadcast_to(known, len(self.class_names))

    def class_counts(self, split: str | None = None) -> np.ndarray:
        """Number of images of each class ``(C,)``, int64, in one split, or in all of them if None.

        An image with several labels counts for each of them.
        """
        chosen = self.targets if split is None else self.targets[self.rows(split)]
        _, classes = memberships(chosen)
        return np.bincount(classes, minlength=len(self.class_names)).astype(np.int64)

    def first_form(self) -> ImageForm:
        """Size and pixel format of the first image whose header can be read.

        Raises:
            UnreadableImageError: No header can be read; it says why the first one cannot.
        """
        first_error: UnreadableImageError | None = None
        for row in range(len(self)):
            try:
                return self.source.form(row)
            except UnreadableImageError as error:
                first_error = first_error or error
        raise first_error or InputError(
            f"DATA must hold at least one image, but {self.data} holds none; check the path"
        )

    def typical_form(self) -> ImageForm:
        """The form of median size among some images, evenly spread over the table, whose headers can be read.

        Raises:
            UnreadableImageError: No header can be read; it says why the first one cannot.
        """
        forms = []
        for row in np.unique(np.linspace(0, len(self) - 1, _SAMPLED_FORMS).astype(int)).tolist():
            try:
                forms.append(self.source.form(row))
            except UnreadableImageError:
                continue
        return sorted(forms, key=lambda form: form.pixels)[len(forms) // 2] if forms else self.first_form()

    def form_or_none(self) -> ImageForm | None:
        """As :meth:`first_form`; None if no header can be read."""
        try:
            return self.first_form()
        except UnreadableImageError:
            return None

    @property
    def dimensions(self) -> int:
        """3 if the first readable image is a volume, else 2."""
        form = self.form_or_none()
        return 2 if form is None else len(form.shape)

    def with_splits(self, splits: "pd.Series[str]") -> "ImageCollection":
        """The same images, with the given split for each row."""
        return replace(self, table=self.table.assign(split=splits.to_numpy()))

    def with_groups(self, groups: np.ndarray | None) -> "ImageCollection":
        """The same images, with the given group for each row; None keeps the groups."""
        return self if groups is None else replace(self, table=self.table.assign(group=groups))

    @property
    def groups(self) -> np.ndarray:
        """Group of each image ``(N,)``; an image without a group is a group of its own."""
        return self.table["group" if "group" in self.table else "id"].to_numpy(dtype=str)

    def limited(self, max_pixels: int | None) -> "ImageCollection":
        """The same images with another limit for the pixels of a file; None keeps the limit."""
        return self if max_pixels is None else replace(self, source=self.source.limited(max_pixels))

    def windowed(self, window: Sequence[int] | Literal["auto"] | None) -> "ImageCollection":
        """The same images with a window for 16-bit grey pictures, as ``data.window`` gives it."""
        return replace(self, source=self.source.windowed(grey_window(window)))

    def select(self, rows: np.ndarray) -> "ImageCollection":
        """Only the given rows, in the given order; classes keep their ids even if they lose all images."""
        table = self.table.iloc[rows].reset_index(drop=True)
        made, others = (
            None if columns is None else columns.iloc[rows].reset_index(drop=True)
            for columns in (self.acquisition, self.attributes)
        )
        return replace(
            self, table=table, source=self.source.select(rows), acquisition=made, attributes=others
        )

    def without(self, rows: np.ndarray) -> "ImageCollection":
        """All but the given rows."""
        return self.select(np.setdiff1d(np.arange(len(self)), rows))

    def fingerprint(self) -> str:
        """SHA-256 of ids, labels and splits in table order: equal if training would see the same table."""
        columns = ("id", *self.label_columns, "split")
        values = (self.table[column] if column in self.table else [""] * len(self) for column in columns)
        return hashlib.sha256(
            length_prefixed(str(value) for column in values for value in column)
        ).hexdigest()


def memberships(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of an image and a class that it belongs to: positions and class ids, sorted by position.

    Args:
        targets: Class ids ``(N,)``, or 0/1 labels ``(N, C)``, NaN where unknown.

    Example:
        >>> memberships(np.array([[1, 1], [0, np.nan], [0, 1]]))
        (array([0, 0, 2]), array([0, 1, 1]))
    """
    if targets.ndim == 1:
        return np.arange(len(targets)), targets
    positions, classes = np.nonzero(targets == 1)
    return positions, classes


def _table(
    data: str,
    ids: Sequence[str],
    labels: Mapping[str, object],
    groups: Sequence[str] | None,
    splits: Sequence[Split] | None,
) -> pd.DataFrame:
    _check_ids(ids, data)
    columns: dict[str, object] = {"id": list(ids), **labels}
    if groups is not None:
        columns["group"] = list(groups)
    if splits is not None:
        columns["split"] = list(splits)
    return pd.DataFrame(columns)


def _check_ids(ids: Sequence[str], data: str) -> None:
    if not len(ids):
        raise InputError(f"DATA must hold at least one image, but {data} holds none; check the path")
    strange = [identity for identity in ids if not is_plain(identity)]
    if strange:
        raise InputError(
            f"image ids must be text in UTF-8, {len(strange)} of {data} are not: {listing(map(repr, strange))}; rename "
            f"the files"
        )
    repeated = [identity for identity, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(
            f"image ids must be unique, {len(repeated)} of {data} occur more than once: {listing(repeated)}; "
            f"remove the repeated rows"
        )


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Labels in class-id order: by number if all are numbers, else alphabetically.

    Raises:
        InputError: A label is too long for a name, or no text in UTF-8.

    Example:
        >>> sort_labels(["10", "9"]), sort_labels(["2.5", "-1", "10"]), sort_labels(["nv", "10", "9"])
        (['9', '10'], ['-1', '2.5', '10'], ['10', '9', 'nv'])
    """
    texts = list(labels)
    for text in texts:
        if len(text) > _LONGEST_NAME or not is_plain(text):
            raise InputError(
                f"names of classes must be text in UTF-8 of at most {_LONGEST_NAME} characters, got {text[:40]!r}"
                f"{'…' if len(text) > 40 else ''} ({len(text)} characters); rename the class"
            )
    if all(_NUMBER.fullmatch(text) for text in texts):
        return sorted(texts, key=lambda text: (float(text), text))
    return sorted(texts)


def _whole_if_known(labels: np.ndarray) -> np.ndarray:
    values = np.asarray(labels)
    return values if np.isnan(values).any() else values.astype(np.int64)


def _warn_about_similar(names: Iterable[str]) -> None:
    written: dict[str, list[str]] = defaultdict(list)
    for name in names:
        written["".join(name.split()).casefold()].append(name)
    similar = [" and ".join(map(repr, group)) for group in written.values() if len(group) > 1]
    if similar:
        warnings.warn(
            f"labels that differ only by case or spaces are kept as different classes: {'; '.join(similar)}; "
            f"spell them alike if they are one class",
            DataWarning,
            stacklevel=4,
        )
