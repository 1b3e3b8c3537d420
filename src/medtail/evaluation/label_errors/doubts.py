"""Which labels the predictions of models doubt that were not trained on the images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from medtail.errors import InputError
from medtail.runs.facts import DatasetFacts
from medtail.runs.label_predictions import read_predictions
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import EVALUATED_SPLITS, Run

if TYPE_CHECKING:
    import pandas as pd


@final
@dataclass(frozen=True)
class Doubt:
    """An image whose label is probably wrong.

    Attributes:
        image: Id of the image.
        label: What it is labelled with: a class, or of several labels per image one label and "yes" or "no".
        suggestion: What the model takes it for, in the same words.
        label_probability: Of the label.
        suggestion_probability: Of the suggestion.
    """

    image: str
    label: str
    suggestion: str
    label_probability: float
    suggestion_probability: float


@final
@dataclass(frozen=True)
class LabelDoubts:
    """The labels of a run's images that are in doubt, the most doubtful first.

    Attributes:
        predictions: Of the images that were judged.
        out_of_fold: Whether these are all images of a cross-validation; otherwise validation and test.
        doubts: The labels.
    """

    predictions: SavedPredictions
    out_of_fold: bool
    doubts: Sequence[Doubt]

    @property
    def table(self) -> "pd.DataFrame":
        """One row per doubt: ``image``, ``label``, ``suggestion`` and the probabilities of both."""
        import pandas as pd

        return pd.DataFrame([vars(doubt) for doubt in self.doubts], columns=list(Doubt.__dataclass_fields__))


def doubted_labels(run: Run) -> LabelDoubts:
    """Find labels of a run's images that are probably wrong.

    Confident learning counts an image as of class j where its probability of j is at least the mean that images
    labelled j have, so that rare classes are held to their own standard. From these counts it estimates how many labels
    are wrong, and doubts as many: those with the lowest probability below that of the most probable class. Of several
    labels per image, each label is judged by itself, where it is known.

    Only predictions of models that were not trained on an image can doubt its label: all images of a cross-validation,
    or validation and test of a single run.

    Raises:
        InputError: cleanlab is missing, or the run is not finished.

    Source: Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021; its authors' library
    cleanlab does the counting.
    """
    check_cleanlab()
    predictions = _held_out(run)
    ranked = sorted(
        _doubts_of_labels(predictions) if predictions.multi_label else _doubts_of_classes(predictions),
        key=lambda doubt: doubt.label_probability - doubt.suggestion_probability,
    )
    return LabelDoubts(predictions, run.folds.is_file(), ranked)


def check_cleanlab() -> None:
    """Refuse to go on without cleanlab.

    Raises:
        InputError: It is missing.
    """
    try:
        import cleanlab  # noqa: F401
    except ImportError as error:
        raise InputError(
            "doubts about labels need the package cleanlab, which is not installed; pip install "
            "'medtail[label-errors]'"
        ) from error


def _held_out(run: Run) -> SavedPredictions:
    run.require(run.summary)
    if run.folds.is_file():
        return read_predictions(run.require(run.out_of_fold))
    facts = DatasetFacts.load(run)
    splits = EVALUATED_SPLITS if facts.has_validation else ("test",)
    first, *others = [facts.task.read_predictions(run.require(run.predictions(split))) for split in splits]
    return first.joined(others)


def _doubts_of_classes(predictions: SavedPredictions) -> list[Doubt]:
    names, probabilities = predictions.class_names, predictions.probabilities
    # Whatever an operating point decided: labels are doubted by probabilities.
    suggestions = probabilities.argmax(axis=1)
    return [
        Doubt(
            image=str(predictions.ids[row]),
            label=names[label],
            suggestion=names[suggestion],
            label_probability=float(probabilities[row, label]),
            suggestion_probability=float(probabilities[row, suggestion]),
        )
        for row in _doubted(predictions.targets, probabilities)
        if (label := int(predictions.targets[row])) != (suggestion := int(suggestions[row]))
    ]


def _doubts_of_labels(predictions: SavedPredictions) -> list[Doubt]:
    doubts = []
    for class_id, name in enumerate(predictions.class_names):
        rows = np.flatnonzero(predictions.known[:, class_id])
        carried = predictions.carried[rows, class_id].astype(np.int64)
        present = predictions.probabilities[rows, class_id]
        both = np.stack([1 - present, present], axis=1)
        if len(np.unique(carried)) < 2:
            continue
        for place in _doubted(carried, both):
            label = int(carried[place])
            doubts.append(
                Doubt(
                    image=str(predictions.ids[rows[place]]),
                    label=f"{name}: {_YES[label]}",
                    suggestion=f"{name}: {_YES[1 - label]}",
                    label_probability=float(both[place, label]),
                    suggestion_probability=float(both[place, 1 - label]),
                )
            )
    return doubts


_YES = ("no", "yes")


def _doubted(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The rows that confident learning doubts ``(K,)``."""
    from cleanlab.filter import find_label_issues

    # It takes distributions only; half precision sums to one within a thousandth.
    exact = probabilities.astype(np.float64) / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
    rows: np.ndarray = np.flatnonzero(
        find_label_issues(targets, exact, filter_by="low_normalized_margin", n_jobs=1)
    )
    return rows
