"""Predictions of several labels an image: a probability and a decision for each."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.runs.predictions import (
    Predictions,
    check_complete,
    check_images,
    image_columns,
    probability_classes,
    read_table,
    write_table,
)

#: A label is decided to be there from this probability on.
THRESHOLD = 0.5

_TARGET = "target_"


@final
@dataclass(frozen=True)
class MultiLabelPredictions:
    """Label probabilities of N images, with the labels they carry.

    Attributes:
        ids: Names of the images ``(N,)``, unique.
        targets: 0/1 ``(N, C)``; a row may hold any number of ones.
        probabilities: ``(N, C)`` in [0, 1]; each column stands for itself.
        class_names: C names in class-id order, unique.
        groups: Patient or lesion of each image ``(N,)``, or None where unknown.

    Raises:
        InputError: Sizes disagree, an id occurs twice, a target is not 0 or 1, or a probability is none.

    Example:
        >>> predictions = MultiLabelPredictions(
        ...     ids=np.array(["a", "b"]),
        ...     targets=np.array([[1, 1], [0, 0]]),
        ...     probabilities=np.array([[0.9, 0.6], [0.2, 0.7]]),
        ...     class_names=("edema", "effusion"),
        ...     groups=None,
        ... )
        >>> predictions.decisions.tolist()
        [[1, 1], [0, 1]]
    """

    ids: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    groups: np.ndarray | None

    def __post_init__(self) -> None:
        check_images(self.ids, self.probabilities, self.class_names, self.groups)
        if self.targets.shape != self.probabilities.shape or not np.isin(self.targets, (0, 1)).all():
            raise InputError(
                f"targets must be 0 or 1, a row an image and a column a label, {self.probabilities.shape}, "
                f"got {self.targets.dtype} of shape {self.targets.shape}"
            )
        in_range = (self.probabilities >= 0) & (self.probabilities <= 1)
        for row, column in np.argwhere(~in_range)[:1]:
            raise InputError(
                f"probabilities must lie in [0, 1], got {self.probabilities[row, column]:g} for label "
                f"{self.class_names[column]} of image {str(self.ids[row])!r}; "
                f"pass loss.label_probabilities(outputs), not outputs"
            )

    @property
    def decisions(self) -> np.ndarray:
        """Whether each label is decided to be there ``(N, C)``, 0/1: its probability is at least 0.5."""
        return (self.probabilities >= THRESHOLD).astype(np.int64)

    @property
    def units(self) -> np.ndarray:
        """What a bootstrap draws: the group of each image, or the image itself where none is known."""
        return np.arange(len(self.ids)) if self.groups is None else self.groups

    def write(self, path: Path) -> None:
        """Save as Parquet: ``id``, ``patient`` if known, ``target_<class>`` and ``probability_<class>`` columns."""
        columns = [_TARGET + name for name in self.class_names]
        targets = pd.DataFrame(self.targets.astype(np.int64), columns=columns)
        write_table(path, self.ids, self.groups, targets, self.probabilities, self.class_names)

    @classmethod
    def read(cls, path: Path) -> "MultiLabelPredictions":
        """Read what :meth:`write` saved.

        Raises:
            InputError: The file is missing, is no Parquet, lacks a column, or holds what predictions must not.
        """
        table = read_table(path)
        names = probability_classes(table)
        targets = [_TARGET + name for name in names]
        if not {"id", *targets} <= set(table.columns) or not names:
            raise InputError(
                f"{path} must have the columns id, and target_<class> and probability_<class> of each class, "
                f"got {', '.join(map(str, table.columns)) or 'none'}"
            )
        check_complete(path, table, targets, names)
        try:
            return cls(**image_columns(table, names), targets=table[targets].to_numpy())
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


AnyPredictions: TypeAlias = Predictions | MultiLabelPredictions


def read_predictions(path: Path) -> AnyPredictions:
    """Read predictions of either kind: those with ``target_<class>`` columns are of several labels.

    Raises:
        InputError: As ``read`` of the one or the other.
    """
    columns = [str(name) for name in read_table(path).columns]
    several = "target" not in columns and any(name.startswith(_TARGET) for name in columns)
    return MultiLabelPredictions.read(path) if several else Predictions.read(path)
