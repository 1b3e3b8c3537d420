"""Predictions of images with any number of labels: a probability and a decision for each label."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self, final

import numpy as np
import pandas as pd

from medtail import metrics
from medtail.errors import InputError
from medtail.metrics import METRICS, LabelOutcomes, Outcomes
from medtail.metrics.ranking import macro_areas
from medtail.metrics.undefined import mean_over_defined, ratio
from medtail.runs.prediction_files import (
    check_complete,
    image_columns,
    probability_classes,
    read_table,
)
from medtail.runs.predictions import Predictions, SavedPredictions

#: From this probability on, a label is decided to be present.
THRESHOLD = 0.5

_TARGET = "target_"


@final
@dataclass(frozen=True)
class MultiLabelPredictions(SavedPredictions):
    """Label probabilities of N images, with the labels they carry.

    Attributes:
        ids: Names of the images ``(N,)``, unique.
        targets: 0/1 ``(N, C)``; a row may hold any number of ones, and NaN where a label is unknown.
        probabilities: ``(N, C)`` in [0, 1]; rows need not sum to 1.
        class_names: C names in class-id order, unique.
        groups: Patient or lesion of each image ``(N,)``, or None where unknown.
        log_probabilities: Logarithms of the probabilities ``(N, C)``; None where they were not saved.

    Raises:
        InputError: Sizes disagree, an id occurs twice, a target is not 0, 1 or NaN, or a probability is not in [0, 1].

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

    multi_label: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        shapes_agree = self.targets.shape == self.probabilities.shape
        if not shapes_agree or not (np.isin(self.targets, (0, 1)) | ~self.known).all():
            raise InputError(
                f"targets must be 0 or 1, with one row per image and one column per label, {self.probabilities.shape}, "
                f"and NaN where a label is unknown, got {self.targets.dtype} of shape {self.targets.shape}"
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
        """Whether each label is decided to be present ``(N, C)``, 0/1: its probability is at least 0.5."""
        return (self.probabilities >= THRESHOLD).astype(np.int64)

    @property
    def carried(self) -> np.ndarray:
        """Whether each image carries each label ``(N, C)``."""
        carried: np.ndarray = self.targets == 1
        return carried

    @property
    def known(self) -> np.ndarray:
        """Whether each label is known of each image ``(N, C)``."""
        known: np.ndarray = self.targets == self.targets
        return known

    @property
    def scores(self) -> np.ndarray:
        """Log-odds of each label ``(N, C)``, or probabilities."""
        logs = self.log_probabilities
        return self.probabilities if logs is None else metrics.label_log_odds(logs)

    @property
    def right(self) -> np.ndarray:
        """Whether all labels that are known of each image were decided right ``(N,)``."""
        right: np.ndarray = ((self.decisions == self.targets) | ~self.known).all(axis=1)
        return right

    def decided_right(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return, for each label, the images that carry it, then, for each label, those that do not."""
        return [
            (rows, self.decisions[rows, index] == carries)
            for carries in (True, False)
            for index in range(len(self.class_names))
            for rows in [np.flatnonzero(self.known[:, index] & (self.carried[:, index] == carries))]
        ]

    @staticmethod
    def balanced(recalls: np.ndarray) -> np.ndarray:
        """Return the mean over labels of ½ (recall where the label is + where it is not)."""
        carrying, others = np.split(recalls, 2, axis=-1)
        return mean_over_defined((carrying + others) / 2)

    def outcomes(self, weights: np.ndarray | None = None) -> Outcomes:
        """Count the decisions that each label is present, ``(R, C)``."""
        weights = self.once() if weights is None else weights
        return LabelOutcomes.weighted(self.targets, self.decisions, weights).present

    def measure(self, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return every metric of :data:`medtail.metrics.METRICS` ``(R,)``; those not of ``LABEL_METRICS`` are NaN."""
        weights = self.once() if weights is None else weights
        outcomes = LabelOutcomes.weighted(self.targets, self.decisions, weights)
        roc_auc, average_precision = macro_areas(self.ranked, weights)
        values = {
            "accuracy": metrics.exact_match(self.targets, self.decisions, weights=weights),
            "balanced_accuracy": metrics.label_balanced_accuracy(outcomes),
            "macro_f1": metrics.macro_f1(outcomes.present),
            "auc": roc_auc,
            "average_precision": average_precision,
            "brier": self._brier_score(weights),
        }
        undefined = np.full(weights.shape[1], np.nan)
        return {name: np.asarray(values.get(name, undefined)) for name in METRICS}

    def _brier_score(self, weights: np.ndarray) -> np.ndarray:
        """The mean over labels of the squared error, each over the images whose label is known."""
        squared = (self.probabilities - self.carried) ** 2
        # One order in memory, so that predictions read from a file give the same last digit.
        errors = np.ascontiguousarray(np.where(self.known, squared, 0.0))
        return mean_over_defined(ratio(weights.T @ errors, weights.T @ self.known))

    @property
    def target_columns(self) -> pd.DataFrame:
        """``target_<class>`` of each class, empty where a label is unknown."""
        columns = [_TARGET + name for name in self.class_names]
        return pd.DataFrame(self.targets, columns=columns).astype("Int64")

    @classmethod
    def read(cls, path: Path) -> Self:
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
        check_complete(path, table, [], names)
        try:
            return cls(**image_columns(table, names), targets=label_targets(table[targets]))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def read_predictions(path: Path) -> SavedPredictions:
    """Read predictions of either task: ``target_<class>`` columns mark those with several labels per image.

    Raises:
        InputError: As ``read`` of the one or the other.
    """
    columns = [str(name) for name in read_table(path).columns]
    several = "target" not in columns and any(name.startswith(_TARGET) for name in columns)
    return MultiLabelPredictions.read(path) if several else Predictions.read(path)


def label_targets(table: pd.DataFrame) -> np.ndarray:
    """Return columns of labels as int64 ``(N, C)``; as float64 with NaN where some are unknown."""
    unknown = bool(table.isna().to_numpy().any())
    return table.to_numpy(dtype=np.float64, na_value=np.nan) if unknown else table.to_numpy(dtype=np.int64)
