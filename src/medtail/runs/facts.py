"""What later stages need to know about the data a run was trained on."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from medtail.errors import InputError
from medtail.files import write_json
from medtail.runs.run import Run
from medtail.runs.stored_files import damaged, digest_of
from medtail.runs.tasks import Task, task_of

#: Left out of the file where they are None.
_OPTIONAL = (
    "positive",
    "negative",
    "counts_before_subsample",
    "repeated",
    "known_labels",
    "pixels",
    "identity",
    "sequences",
    "weights",
    "hub_network",
)

#: The key of the digest of all other values, and those that may be changed by hand: a data set may move.
_DIGEST = "digest"
_NOT_DIGESTED = ("name", "data")


def positive_class(training_counts: Sequence[int] | np.ndarray, named: str | None = None) -> int:
    """Return the id of the positive class, of two.

    Args:
        training_counts: Training images of each class ``(2,)``.
        named: The class against the rest, where the user named one; it is class 1.

    Returns:
        The class with fewer training images, as in LCT; class 1 of equals.

    Example:
        >>> positive_class([20, 900]), positive_class([900, 20]), positive_class([20, 900], named="melanoma")
        (0, 1, 1)
    """
    return 1 if named is not None else int(training_counts[1] <= training_counts[0])


@final
@dataclass(frozen=True)
class DatasetFacts:
    """The content of ``dataset.json``.

    Attributes:
        name: Short name of the data set.
        data: DATA as the user gave it.
        class_names: C names in class-id order.
        class_counts: For each split, images of each class ``(C,)``; an image with several labels counts for each.
        group_column: The column that names groups, or None where they are unknown.
        image_size: Pixels per side of the decoded images.
        channels: Of the decoded images.
        mean: Of each channel of the training images, values in [0, 1].
        standard_deviation: As ``mean``.
        unreadable: ``id`` and ``reason`` of each image that was left out because it could not be read.
        fingerprint: Hash of ids, labels and splits.
        multi_label: Whether an image may carry any number of labels.
        num_images: Images of each split.
        dimensions: 2 for images, 3 for volumes.
        positive: The class, or classes with ``+`` between, against the rest, where the user named one.
        negative: The class, or classes, that ``positive`` is against, where the user named one.
        counts_before_subsample: Training images of each class before some were left out on purpose.
        repeated: Images that show the same across splits or with different labels: counts and examples.
        known_labels: For each split, images of which each label is known ``(C,)``, where some are unknown.
        pixels: Hash of what the images show: ``pixels:…`` of their decoded pixels or, where these do not fit in memory
            or cache, ``files:…`` of the sizes and modification times of their files. None in runs from before.
        identity: What tells the checkpoints of this run from those of others: a hash of recipe and data. None in runs
            from before.
        sequences: The sequence of a case that each channel is; None if channels are grey or colours, and in runs from
            before.
        weights: What the backbone started from: ``source``, and ``sha256`` of a file. None for random weights.
        hub_network: What a network of the Hugging Face Hub is, so that nobody asks the Hub again. None for others.
    """

    name: str
    data: str
    class_names: list[str]
    class_counts: dict[str, list[int]]
    group_column: str | None
    image_size: int
    channels: int
    mean: list[float]
    standard_deviation: list[float]
    unreadable: list[dict[str, str]]
    fingerprint: str
    multi_label: bool
    num_images: dict[str, int]
    dimensions: int = 2
    positive: str | None = None
    negative: str | None = None
    counts_before_subsample: list[int] | None = None
    repeated: dict[str, Any] | None = None
    known_labels: dict[str, list[int]] | None = None
    pixels: str | None = None
    identity: str | None = None
    sequences: list[str] | None = None
    weights: dict[str, str] | None = None
    hub_network: dict[str, Any] | None = None

    def save(self, run: Run) -> None:
        """Write ``dataset.json``."""
        write_json(run.dataset, {**self._written(), _DIGEST: self._digest()})

    def _written(self) -> dict[str, Any]:
        # Values that later versions add are None for earlier runs, whose digest thus stays right.
        return {
            key: value for key, value in asdict(self).items() if key not in _OPTIONAL or value is not None
        }

    def _digest(self) -> str:
        return digest_of({key: value for key, value in self._written().items() if key not in _NOT_DIGESTED})

    @classmethod
    def load(cls, run: Run) -> "DatasetFacts":
        """Read ``dataset.json``, also of runs from before it named the task.

        Raises:
            InputError: The run is missing, a value is missing from the file, has a wrong type or was changed, or this
                version does not know one.
        """
        content = run.read_dataset()
        written = content.pop(_DIGEST, None)
        known = {field.name for field in fields(cls)}
        unknown = sorted(content.keys() - known)
        if unknown:
            raise InputError(
                f"{run.dataset} must hold values this version of medtail knows, got {', '.join(unknown)}; read the run "
                f"with the medtail that wrote it"
            )
        if "multi_label" not in content:
            # At that time only multi-label runs saved the number of images.
            content["multi_label"] = "num_images" in content
        missing = sorted(known - content.keys() - {"num_images", "dimensions", *_OPTIONAL})
        if missing:
            raise InputError(
                f"{run.dataset} is missing {', '.join(missing)}; restore the file or train the run again"
            )
        facts = cls(**{"num_images": {}, **content})
        problem = facts._problem()
        if problem is None and not facts.num_images:
            images = {split: sum(counts) for split, counts in facts.class_counts.items()}
            facts = replace(facts, num_images=images)
        if problem is None and written is not None and written != facts._digest():
            problem = "was changed after it was written (its values differ from its digest)"
        if problem is not None:
            raise damaged(run.dataset, problem)
        return facts

    def _problem(self) -> str | None:
        """What is wrong with the types and sizes of the values, which a file may get wrong; None for sound ones."""
        classes = len(self.class_names) if _all(str, self.class_names) else 0
        sound = {
            "name": isinstance(self.name, str),
            "data": isinstance(self.data, str),
            "class_names": classes >= 2 and len(set(self.class_names)) == classes,
            "class_counts": isinstance(self.class_counts, dict)
            and {"train", "validation", "test"} <= self.class_counts.keys()
            and all(
                _all(int, counts) and len(counts) == classes and min(counts) >= 0
                for counts in self.class_counts.values()
            ),
            "group_column": self.group_column is None or isinstance(self.group_column, str),
            "image_size": _is(int, self.image_size) and self.image_size > 0,
            "channels": _is(int, self.channels) and self.channels > 0,
            "mean": _all(float, self.mean) and len(self.mean) == self.channels,
            "standard_deviation": _all(float, self.standard_deviation)
            and len(self.standard_deviation) == self.channels
            and min(self.standard_deviation) > 0,
            "unreadable": _all(dict, self.unreadable)
            and all({"id", "reason"} <= image.keys() for image in self.unreadable),
            "fingerprint": isinstance(self.fingerprint, str),
            "multi_label": isinstance(self.multi_label, bool),
            "num_images": isinstance(self.num_images, dict) and _all(int, list(self.num_images.values())),
            "dimensions": self.dimensions in (2, 3),
            "sequences": self.sequences is None
            or (_all(str, self.sequences) and len(self.sequences) == self.channels),
            "positive": self.positive is None or isinstance(self.positive, str),
            "weights": self.weights is None
            or (isinstance(self.weights, dict) and _all(str, list(self.weights.values()))),
            "hub_network": self.hub_network is None
            or (
                isinstance(self.hub_network, dict)
                and self.hub_network.keys() == {"name", "architecture", "config", "arguments"}
            ),
        }
        wrong = [name for name, is_sound in sound.items() if not is_sound]
        return None if not wrong else f"has a wrong {wrong[0]}, {str(getattr(self, wrong[0]))[:80]!r}"

    @property
    def test_images_with_copy(self) -> list[str]:
        """Ids of test images that show the same as a training image, as far as this was looked at."""
        return list((self.repeated or {}).get("test_images_with_copy_in_training", []))

    @property
    def task(self) -> Task:
        """Whether each image has one class or any number of labels, and what follows from that."""
        return task_of(self.multi_label)

    def check_classes(self, path: Path, class_names: Sequence[str]) -> None:
        """Refuse predictions of other classes than the data's.

        Raises:
            InputError: Names or their order differ.
        """
        if list(class_names) != self.class_names:
            raise InputError(
                f"{path} must be of the classes in dataset.json, got {', '.join(class_names)}; restore the files of "
                f"one run"
            )

    def counts(self, split: str) -> np.ndarray:
        """Images of each class in a split ``(C,)``, in class-id order."""
        return np.asarray(self.class_counts[split], dtype=np.int64)

    def known(self, split: str) -> np.ndarray:
        """Images of a split of which each class or label is known ``(C,)``."""
        if self.known_labels is None:
            return np.full(len(self.class_names), self.num_images[split])
        return np.asarray(self.known_labels[split], dtype=np.int64)

    @property
    def has_validation(self) -> bool:
        """Whether some images were kept for validation alone."""
        return self.num_images["validation"] > 0

    @property
    def training_counts(self) -> np.ndarray:
        """``(C,)`` training counts in class-id order."""
        return self.counts("train")

    @property
    def positive_id(self) -> int:
        """Id of the positive class, of two; meaningless with more classes."""
        return positive_class(self.training_counts, self.positive)


def _is(kind: type, value: object) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _all(kind: type, values: object) -> bool:
    return isinstance(values, list) and all(_is(kind, value) for value in values)
