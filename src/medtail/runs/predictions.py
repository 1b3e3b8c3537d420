"""A saved table of probabilities: what every number after training is computed from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np
import pandas as pd

from medtail import metrics
from medtail.errors import InputError
from medtail.metrics import Outcomes
from medtail.metrics.calibration import CalibrationGaps, squared_errors, weighted_mean
from medtail.metrics.ranking import macro_areas, ranked_columns
from medtail.metrics.thresholds import RankedScores
from medtail.metrics.undefined import mean_over_defined
from medtail.runs.prediction_files import (
    check_complete,
    image_columns,
    probability_classes,
    read_table,
    write_table,
)

#: How far a row of probabilities may be from summing to 1: half precision, rounded to four digits in a file.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class SavedPredictions(ABC):
    """Probabilities of N images, with what they are labelled; abstract: the task decides what targets are.

    Attributes:
        ids: Names of the images ``(N,)``, unique.
        targets: Class ids ``(N,)``, or 0/1 for each label ``(N, C)``.
        probabilities: ``(N, C)``.
        class_names: C names in class-id order, unique.
        groups: Patient or lesion of each image ``(N,)``, or None where unknown.
        log_probabilities: Logarithms of the probabilities ``(N, C)``, which tell images apart whose probabilities are
            rounded to the same number; None where they were not saved.
        multi_label: Whether an image may carry any number of labels.
    """

    multi_label: ClassVar[bool]

    ids: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    groups: np.ndarray | None
    log_probabilities: np.ndarray | None = None

    def __post_init__(self) -> None:
        size, classes = len(self.ids), len(self.class_names)
        if classes < 2 or len(set(self.class_names)) != classes:
            raise InputError(f"class_names must be two or more different names, got {list(self.class_names)}")
        if self.probabilities.shape != (size, classes):
            raise InputError(
                f"probabilities must have one row per image and one column per class, ({size}, {classes}), "
                f"got {self.probabilities.shape}"
            )
        logs = self.log_probabilities
        if logs is not None and (
            logs.shape != (size, classes)
            or not np.allclose(np.exp(logs), self.probabilities, atol=_TOLERANCE)
        ):
            raise InputError(
                f"log_probabilities must be the logarithms of the probabilities, ({size}, {classes}), got other values "
                f"of shape {logs.shape}; leave them out where probabilities were changed"
            )
        if self.groups is not None and self.groups.shape != (size,):
            raise InputError(f"groups must name one group for each of {size} images, got {len(self.groups)}")
        if len(np.unique(self.ids)) != size:
            names, occurrences = np.unique(self.ids, return_counts=True)
            raise InputError(f"ids must be unique, {str(names[occurrences > 1][0])!r} occurs more than once")

    @property
    @abstractmethod
    def decisions(self) -> np.ndarray:
        """What is decided of each image, in the form of ``targets``."""

    @property
    @abstractmethod
    def carried(self) -> np.ndarray:
        """Whether each class or label is true of each image ``(N, C)``, boolean."""

    @property
    @abstractmethod
    def known(self) -> np.ndarray:
        """Whether it is known if each class or label is true of each image ``(N, C)``, boolean."""

    @property
    @abstractmethod
    def scores(self) -> np.ndarray:
        """What each class or label ranks the images by ``(N, C)``: log-odds, or probabilities without logarithms."""

    @property
    @abstractmethod
    def right(self) -> np.ndarray:
        """Whether all that is known of each image was decided as it is ``(N,)``."""

    @abstractmethod
    def decided_right(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return, for each of the K recalls in balanced accuracy, its images and whether each was decided right."""

    @staticmethod
    @abstractmethod
    def balanced(recalls: np.ndarray) -> np.ndarray:
        """Return balanced accuracy ``(…,)`` of the recalls ``(…, K)`` of :meth:`decided_right`."""

    @abstractmethod
    def outcomes(self, weights: np.ndarray | None = None) -> Outcomes:
        """Count the decisions for each class, ``(R, C)``.

        Args:
            weights: ``(N, R)``, one column for each weighting; every image counts once when left out, and R is 1.
        """

    @abstractmethod
    def measure(self, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return every metric of :data:`medtail.metrics.METRICS` ``(R,)``; NaN where it is undefined.

        Args:
            weights: ``(N, R)``, one column for each weighting; every image counts once when left out, and R is 1.
        """

    @property
    @abstractmethod
    def target_columns(self) -> pd.DataFrame:
        """The columns of a file that say what images are labelled with, and what else was decided."""

    def write(self, path: Path) -> None:
        """Save as Parquet: ``id``, ``patient`` if groups are known, the target and ``probability_<class>`` columns.

        Also ``log_probability_<class>`` where these are known.
        """
        write_table(
            path,
            self.ids,
            self.groups,
            self.target_columns,
            self.probabilities,
            self.log_probabilities,
            self.class_names,
        )

    @classmethod
    @abstractmethod
    def read(cls, path: Path) -> Self:
        """Read what :meth:`write` saved."""

    @property
    def binary(self) -> bool:
        """Whether every image is of one of two classes."""
        return not self.multi_label and len(self.class_names) == 2

    @property
    def units(self) -> np.ndarray:
        """What a bootstrap draws: the group of each image, or the image itself where none is known."""
        return np.arange(len(self.ids)) if self.groups is None else self.groups

    @cached_property
    def ranked(self) -> tuple[RankedScores, ...]:
        """The images ranked by the scores of each class, once for all resamples of a bootstrap."""
        return ranked_columns(self.carried, self.scores, None if self.known.all() else self.known)

    @property
    def num_groups(self) -> int | None:
        """How many groups a bootstrap draws from; None where it draws images."""
        return None if self.groups is None else len(np.unique(self.groups))

    def once(self) -> np.ndarray:
        """Return the weights ``(N, 1)`` that count every image once."""
        return np.ones((len(self.ids), 1))

    def rows(self, rows: np.ndarray) -> Self:
        """Return the predictions of the images at some rows, in their order."""
        changes: dict[str, Any] = {name: values[rows] for name, values in self._arrays.items()}
        return replace(self, **changes)

    def joined(self, others: Sequence[Self]) -> Self:
        """Return these predictions and others of the same classes, one after the other.

        Log-probabilities are kept where all of them have some.
        """
        all_logs = all(each.log_probabilities is not None for each in (self, *others))
        first = self if all_logs else replace(self, log_probabilities=None)
        changes: dict[str, Any] = {
            name: np.concatenate([values, *(getattr(other, name) for other in others)])
            for name, values in first._arrays.items()
        }
        return replace(first, **changes)

    @property
    def _arrays(self) -> dict[str, np.ndarray]:
        """The fields with one row per image."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


@final
@dataclass(frozen=True)
class Predictions(SavedPredictions):
    """Class probabilities of N images, with their true classes.

    Attributes:
        ids: Names of the images ``(N,)``, unique.
        targets: True class ids ``(N,)``.
        probabilities: ``(N, C)``; rows sum to 1.
        class_names: C names in class-id order, unique.
        groups: Patient or lesion of each image ``(N,)``, or None where unknown.
        log_probabilities: Logarithms of the probabilities ``(N, C)``; None where they were not saved.
        decided: Class ids ``(N,)`` where another rule than the highest probability decided, or None.

    Raises:
        InputError: Sizes disagree, an id occurs twice, a target or decision is no class, or a row is no distribution.

    Example:
        >>> predictions = Predictions(
        ...     ids=np.array(["a", "b"]),
        ...     targets=np.array([0, 1]),
        ...     probabilities=np.array([[0.9, 0.1], [0.6, 0.4]]),
        ...     class_names=("nevus", "melanoma"),
        ...     groups=None,
        ... )
        >>> predictions.decisions
        array([0, 0])
    """

    multi_label: ClassVar[bool] = False

    decided: np.ndarray | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_class_ids("target", self.targets)
        if self.decided is not None:
            self._check_class_ids("decision", self.decided)
        in_range = ((self.probabilities >= 0) & (self.probabilities <= 1 + _TOLERANCE)).all(axis=1)
        sums_to_one = np.abs(self.probabilities.sum(axis=1) - 1) <= _TOLERANCE
        for row in np.flatnonzero(~(in_range & sums_to_one))[:1]:
            raise InputError(
                f"probabilities must lie in [0, 1] and sum to 1, got {np.round(self.probabilities[row], 4).tolist()} "
                f"for image {str(self.ids[row])!r}; pass loss.probabilities(outputs), not outputs"
            )

    def _check_class_ids(self, name: str, values: np.ndarray) -> None:
        size, classes = len(self.ids), len(self.class_names)
        if values.shape != (size,) or not np.issubdtype(values.dtype, np.integer):
            raise InputError(
                f"{name}s must be {size} integer class ids, got {values.dtype} of shape {values.shape}"
            )
        for row in np.flatnonzero((values < 0) | (values >= classes))[:1]:
            raise InputError(
                f"{name} must be a class id from 0 to {classes - 1}, got {values[row]} "
                f"for image {str(self.ids[row])!r}"
            )

    @cached_property
    def decisions(self) -> np.ndarray:
        """The decided class id of each image ``(N,)``: the most probable, the lowest of equals, unless ``decided``."""
        return self.probabilities.argmax(axis=1) if self.decided is None else self.decided

    @property
    def carried(self) -> np.ndarray:
        """Whether each image is of each class ``(N, C)``."""
        carried: np.ndarray = self.targets[:, None] == np.arange(len(self.class_names))
        return carried

    @property
    def known(self) -> np.ndarray:
        """Always true ``(N, C)``."""
        return np.ones(self.probabilities.shape, dtype=bool)

    @property
    def scores(self) -> np.ndarray:
        """Log-odds of each class against the others ``(N, C)``, or probabilities."""
        logs = self.log_probabilities
        return self.probabilities if logs is None else metrics.log_odds(logs)

    @property
    def right(self) -> np.ndarray:
        """Whether the class of each image was decided ``(N,)``."""
        right: np.ndarray = self.decisions == self.targets
        return right

    def decided_right(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the images of each class, and whether each was decided to be of it."""
        rows = [np.flatnonzero(self.targets == index) for index in range(len(self.class_names))]
        return [(own, self.right[own]) for own in rows]

    @staticmethod
    def balanced(recalls: np.ndarray) -> np.ndarray:
        """Return the mean recall of the classes that have images."""
        return mean_over_defined(recalls)

    @cached_property
    def _squared_errors(self) -> np.ndarray:
        return squared_errors(self.targets, self.probabilities)

    @cached_property
    def _calibration_gaps(self) -> CalibrationGaps:
        return CalibrationGaps.of(self.targets, self.probabilities)

    def outcomes(self, weights: np.ndarray | None = None) -> Outcomes:
        """Count the decisions for each class, ``(R, C)``."""
        weights = self.once() if weights is None else weights
        return Outcomes.weighted(self.targets, self.decisions, len(self.class_names), weights)

    def measure(self, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return every metric of :data:`medtail.metrics.METRICS` ``(R,)``."""
        weights = self.once() if weights is None else weights
        outcomes = self.outcomes(weights)
        roc_auc, average_precision = macro_areas(self.ranked, weights)
        values = {
            "accuracy": metrics.accuracy(outcomes),
            "balanced_accuracy": metrics.balanced_accuracy(outcomes),
            "macro_f1": metrics.macro_f1(outcomes),
            "geometric_mean": metrics.geometric_mean(outcomes),
            "mcc": metrics.matthews_correlation(outcomes),
            "iba_0.1": metrics.index_balanced_accuracy(outcomes, 0.1),
            "iba_0.5": metrics.index_balanced_accuracy(outcomes, 0.5),
            "iba_1.0": metrics.index_balanced_accuracy(outcomes, 1.0),
            "cov": metrics.recall_variation(outcomes),
            "auc": roc_auc,
            "average_precision": average_precision,
            "brier": weighted_mean(self._squared_errors, weights),
            "ece": self._calibration_gaps.error(weights),
        }
        return {name: np.asarray(value) for name, value in values.items()}

    @property
    def target_columns(self) -> pd.DataFrame:
        """``target``, and ``decision``, a class id, where another rule than the highest probability decided."""
        targets = pd.DataFrame({"target": self.targets.astype(np.int64)})
        if self.decided is not None:
            targets["decision"] = self.decided.astype(np.int64)
        return targets

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what :meth:`write` saved; the order of the probability columns is that of the class ids.

        Raises:
            InputError: The file is missing, is no Parquet, lacks a column, or holds what predictions must not.
        """
        table = read_table(path)
        names = probability_classes(table)
        if "target" not in table and any(str(name).startswith("target_") for name in table.columns):
            raise InputError(
                f"{path} holds several labels per image, which only `train()`, `evaluate()` and `predict()` take; "
                f"give a run with one class per image"
            )
        if not {"id", "target"} <= set(table.columns) or not names:
            raise InputError(
                f"{path} must have the columns id, target and probability_<class>, "
                f"got {', '.join(map(str, table.columns)) or 'none'}"
            )
        decided = ["decision"] if "decision" in table else []
        check_complete(path, table, ["target", *decided], names)
        try:
            return cls(
                **image_columns(table, names),
                targets=table["target"].to_numpy(),
                decided=table["decision"].to_numpy() if decided else None,
            )
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
