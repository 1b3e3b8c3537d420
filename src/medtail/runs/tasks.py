"""The task: one class per image, or any number of labels; everything that differs between the two."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, final

import numpy as np
import pandas as pd

from medtail import metrics
from medtail.errors import InputError
from medtail.metrics import LABEL_METRICS, METRICS, LabelOutcomes, Metric
from medtail.metrics.arguments import Value
from medtail.naming import listing
from medtail.runs.label_predictions import THRESHOLD, MultiLabelPredictions, label_targets
from medtail.runs.predictions import Predictions, SavedPredictions

if TYPE_CHECKING:
    from torch import Tensor

#: The prefix of the label columns of multi-label data, in the user's tables and in ours.
LABEL_PREFIX = "label_"


class LabelledImages(Protocol):
    """What a task asks of a data set."""

    @property
    def data(self) -> str: ...
    @property
    def class_names(self) -> tuple[str, ...]: ...
    @property
    def multi_label(self) -> bool: ...
    @property
    def label_columns(self) -> list[str]: ...


class OutputReader(Protocol):
    """What a task asks of a method: how its outputs are read as probabilities."""

    def probabilities(self, outputs: "Tensor") -> "Tensor":
        """Return a distribution over classes ``(N, C)``."""

    def label_probabilities(self, outputs: "Tensor") -> "Tensor":
        """Return the probability of each label by itself ``(N, C)``."""

    def log_probabilities(self, outputs: "Tensor") -> "Tensor":
        """Return the logarithms of ``probabilities`` in float64."""

    def label_log_probabilities(self, outputs: "Tensor") -> "Tensor":
        """Return the logarithms of ``label_probabilities`` in float64."""


class Task(ABC):
    """What images are labelled with, and what follows for reading, judging and writing; abstract.

    Attributes:
        multi_label: Whether an image may carry any number of labels.
        noun: What an image is labelled with, in words.
        metrics: The metrics that predictions have, by their keys, in the order they are shown.
    """

    multi_label: ClassVar[bool]
    noun: ClassVar[str]
    metrics: ClassVar[Mapping[str, Metric]]

    @abstractmethod
    def check_classes(self, collection: LabelledImages, class_names: Sequence[str]) -> None:
        """Refuse data that cannot be judged by a model of the given classes."""

    @abstractmethod
    def sampling_targets(self, targets: np.ndarray) -> np.ndarray:
        """Return the class ids ``(N,)`` that a sampler of training images is given."""

    @abstractmethod
    def probabilities(self, reader: OutputReader, outputs: "Tensor") -> "Tensor":
        """Return the probabilities ``(N, C)`` that are saved and decided by."""

    @abstractmethod
    def log_probabilities(self, reader: OutputReader, outputs: "Tensor") -> "Tensor":
        """Return the logarithms of the probabilities ``(N, C)`` in float64, which images are ranked by."""

    @abstractmethod
    def validation_metrics(
        self, probabilities: np.ndarray, targets: np.ndarray, class_names: Sequence[str]
    ) -> dict[str, float]:
        """Return areas, balanced accuracy, accuracy, macro F1 and recalls, by their columns in ``metrics.csv``."""

    @abstractmethod
    def predictions(
        self,
        table: pd.DataFrame,
        probabilities: np.ndarray,
        class_names: Sequence[str],
        log_probabilities: np.ndarray | None = None,
    ) -> SavedPredictions:
        """Return predictions of the images in rows of a collection's table."""

    @abstractmethod
    def read_predictions(self, path: Path) -> SavedPredictions:
        """Read a file of predictions."""

    @abstractmethod
    def decisions(self, probabilities: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
        """Return the decisions on new images, as columns."""

    @abstractmethod
    def columns(self, name: str, class_names: Sequence[str]) -> list[str]:
        """Return the columns of a value per image: one, or one per label where each is a decision of its own."""

    @abstractmethod
    def log_distributions(self, log_probabilities: np.ndarray) -> np.ndarray:
        """Return ``(…, N, D, K)``, the logarithms of D distributions over K outcomes, from ``(…, N, C)``."""

    @abstractmethod
    def log_probabilities_of(self, log_distributions: np.ndarray) -> np.ndarray:
        """Return ``(…, N, C)`` from what :meth:`log_distributions` returned."""

    @abstractmethod
    def caption(self, target: np.ndarray, class_names: Sequence[str]) -> str:
        """Return in words what one image is labelled with."""


@final
class SingleLabel(Task):
    """Every image is of one class."""

    multi_label: ClassVar[bool] = False
    noun: ClassVar[str] = "class"
    metrics: ClassVar[Mapping[str, Metric]] = METRICS

    def check_classes(self, collection: LabelledImages, class_names: Sequence[str]) -> None:
        """Refuse classes that the model does not know."""
        if collection.multi_label:
            raise InputError(
                f"data must name one class per image, as the run was trained, {collection.data} has several label "
                f"columns; give a column label"
            )
        unknown = sorted(set(collection.class_names) - set(class_names))
        if unknown:
            raise InputError(
                f"data must hold only classes the run knows ({', '.join(class_names)}), "
                f"got {', '.join(unknown)}; rename or drop them"
            )

    def sampling_targets(self, targets: np.ndarray) -> np.ndarray:
        """Return the class ids."""
        return targets

    def probabilities(self, reader: OutputReader, outputs: "Tensor") -> "Tensor":
        """Return a distribution over classes."""
        return reader.probabilities(outputs)

    def log_probabilities(self, reader: OutputReader, outputs: "Tensor") -> "Tensor":
        """Return the logarithms of a distribution over classes."""
        return reader.log_probabilities(outputs)

    def validation_metrics(
        self, probabilities: np.ndarray, targets: np.ndarray, class_names: Sequence[str]
    ) -> dict[str, float]:
        """Return metrics of the most probable class."""
        decisions = probabilities.argmax(axis=1)
        confusion = metrics.confusion_matrix(targets, decisions, len(class_names))
        return _validation_columns(
            _if_finite(metrics.roc_auc, targets, probabilities),
            metrics.balanced_accuracy(confusion),
            metrics.accuracy(confusion),
            metrics.macro_f1(confusion),
            metrics.recall_per_class(confusion),
            class_names,
        )

    def predictions(
        self,
        table: pd.DataFrame,
        probabilities: np.ndarray,
        class_names: Sequence[str],
        log_probabilities: np.ndarray | None = None,
    ) -> SavedPredictions:
        """Return predictions, labels mapped to the model's class ids."""
        ids_of_names = {name: index for index, name in enumerate(class_names)}
        return Predictions(
            ids=table["id"].to_numpy(dtype=str),
            targets=table["label"].map(ids_of_names).to_numpy(dtype=np.int64),
            probabilities=probabilities,
            class_names=tuple(class_names),
            groups=_groups(table),
            log_probabilities=log_probabilities,
        )

    def read_predictions(self, path: Path) -> Predictions:
        """Read class probabilities."""
        return Predictions.read(path)

    def decisions(self, probabilities: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
        """Return the most probable class in a column ``decision``."""
        return pd.DataFrame({"decision": np.asarray(class_names)[probabilities.argmax(axis=1)]})

    def columns(self, name: str, class_names: Sequence[str]) -> list[str]:
        """Return the name."""
        return [name]

    def log_distributions(self, log_probabilities: np.ndarray) -> np.ndarray:
        """Return one distribution over the classes per image."""
        return log_probabilities[..., None, :]

    def log_probabilities_of(self, log_distributions: np.ndarray) -> np.ndarray:
        """Return the logarithms of class probabilities."""
        classes: np.ndarray = log_distributions[..., 0, :]
        return classes

    def caption(self, target: np.ndarray, class_names: Sequence[str]) -> str:
        """Return the name of the class."""
        return class_names[int(target)]


@final
class MultiLabel(Task):
    """An image carries any number of labels: each is a decision of its own, yes from probability 0.5 on."""

    multi_label: ClassVar[bool] = True
    noun: ClassVar[str] = "label"
    metrics: ClassVar[Mapping[str, Metric]] = LABEL_METRICS

    def check_classes(self, collection: LabelledImages, class_names: Sequence[str]) -> None:
        """Refuse other labels than the model's: without a column for a label, its truth is unknown."""
        if not collection.multi_label or set(collection.class_names) != set(class_names):
            columns = listing(LABEL_PREFIX + name for name in class_names)
            raise InputError(
                f"data must have the label columns the run was trained with ({columns}) and no others, "
                f"{collection.data} has {listing(collection.label_columns)}; rename, add or drop some"
            )

    def sampling_targets(self, targets: np.ndarray) -> np.ndarray:
        """Return the same id for all images: uniform draws ignore labels."""
        return np.zeros(len(targets), dtype=np.int64)

    def probabilities(self, reader: OutputReader, outputs: "Tensor") -> "Tensor":
        """Return the probability of each label by itself."""
        return reader.label_probabilities(outputs)

    def log_probabilities(self, reader: OutputReader, outputs: "Tensor") -> "Tensor":
        """Return the logarithm of the probability of each label."""
        return reader.label_log_probabilities(outputs)

    def validation_metrics(
        self, probabilities: np.ndarray, targets: np.ndarray, class_names: Sequence[str]
    ) -> dict[str, float]:
        """Return means over labels of what the yes-or-no decisions are worth."""
        decisions = probabilities >= THRESHOLD
        outcomes = LabelOutcomes.of(targets, decisions)
        return _validation_columns(
            _if_finite(metrics.label_roc_auc, targets, probabilities),
            metrics.label_balanced_accuracy(outcomes),
            metrics.exact_match(targets, decisions),
            metrics.macro_f1(outcomes.present),
            metrics.recall_per_class(outcomes.present),
            class_names,
        )

    def predictions(
        self,
        table: pd.DataFrame,
        probabilities: np.ndarray,
        class_names: Sequence[str],
        log_probabilities: np.ndarray | None = None,
    ) -> SavedPredictions:
        """Return predictions, label columns in the order of the model's class ids."""
        return MultiLabelPredictions(
            ids=table["id"].to_numpy(dtype=str),
            targets=label_targets(table[[LABEL_PREFIX + name for name in class_names]]),
            probabilities=probabilities,
            class_names=tuple(class_names),
            groups=_groups(table),
            log_probabilities=log_probabilities,
        )

    def read_predictions(self, path: Path) -> MultiLabelPredictions:
        """Read label probabilities."""
        return MultiLabelPredictions.read(path)

    def decisions(self, probabilities: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
        """Return 0 or 1 for each label in columns ``decision_<class>``."""
        columns = [f"decision_{name}" for name in class_names]
        return pd.DataFrame((probabilities >= THRESHOLD).astype(np.int64), columns=columns)

    def columns(self, name: str, class_names: Sequence[str]) -> list[str]:
        """Return the name of each label behind the name."""
        return [f"{name}_{class_name}" for class_name in class_names]

    def log_distributions(self, log_probabilities: np.ndarray) -> np.ndarray:
        """Return a distribution per label: present, absent."""
        with np.errstate(divide="ignore"):
            absent = np.log(-np.expm1(log_probabilities))
        return np.stack([log_probabilities, absent], axis=-1)

    def log_probabilities_of(self, log_distributions: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities that labels are present."""
        present: np.ndarray = log_distributions[..., 0]
        return present

    def caption(self, target: np.ndarray, class_names: Sequence[str]) -> str:
        """Return the names of all labels the image is known to carry."""
        return (
            ", ".join(name for name, label in zip(class_names, target, strict=True) if label == 1) or "none"
        )


_TASKS: Mapping[bool, Task] = {task.multi_label: task for task in (SingleLabel(), MultiLabel())}


def task_of(multi_label: bool) -> Task:
    """Return the task of images with any number of labels each, or of one class each."""
    return _TASKS[multi_label]


def _groups(table: pd.DataFrame) -> np.ndarray | None:
    return table["group"].to_numpy(dtype=str) if "group" in table else None


def _if_finite(
    area: Callable[[np.ndarray, np.ndarray], Value], targets: np.ndarray, probabilities: np.ndarray
) -> Value:
    """The area, or NaN of a model that diverged, which the end of the epoch reports."""
    return area(targets, probabilities) if np.isfinite(probabilities).all() else float("nan")


def _validation_columns(
    area: Value,
    balanced_accuracy: Value,
    accuracy: Value,
    macro_f1: Value,
    recalls: np.ndarray,
    class_names: Sequence[str],
) -> dict[str, float]:
    return {
        "validation_balanced_accuracy": float(balanced_accuracy),
        "validation_auc": float(area),
        "validation_accuracy": float(accuracy),
        "validation_macro_f1": float(macro_f1),
        **{
            f"validation_recall_{name}": float(recall)
            for name, recall in zip(class_names, recalls, strict=True)
        },
    }
