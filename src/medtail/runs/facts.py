"""What later stages need to know about the data a run was trained on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, final

import numpy as np

from medtail.errors import InputError
from medtail.files import write_json
from medtail.runs.run import Run
from medtail.runs.tasks import Task, task_of

#: Left out of the file where they are None.
_OPTIONAL = ("positive", "negative", "counts_before_subsample", "repeated", "known_labels")


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
        repeated: Counts of images with the same pixels, where pixels were at hand.
        known_labels: For each split, images of which each label is known ``(C,)``, where some are unknown.
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

    def save(self, run: Run) -> None:
        """Write ``dataset.json``."""
        content = asdict(self)
        write_json(
            run.dataset,
            {key: value for key, value in content.items() if key not in _OPTIONAL or value is not None},
        )

    @classmethod
    def load(cls, run: Run) -> "DatasetFacts":
        """Read ``dataset.json``, also of runs from before it named the task.

        Raises:
            InputError: The run is missing, a value is missing from the file, or this version does not know one.
        """
        content = run.read_dataset()
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
        if "num_images" not in content and "class_counts" in content:
            content["num_images"] = {split: sum(counts) for split, counts in content["class_counts"].items()}
        try:
            return cls(**content)
        except TypeError as error:
            missing = sorted(known - content.keys() - {"dimensions", *_OPTIONAL})
            raise InputError(
                f"{run.dataset} is missing {', '.join(missing)}; restore the file or train the run again"
            ) from error

    @property
    def task(self) -> Task:
        """Whether each image has one class or any number of labels, and what follows from that."""
        return task_of(self.multi_label)

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
