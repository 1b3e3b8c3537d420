"""What each metric is called, which way is better, and what it tells: every table and page asks here."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np


@final
@dataclass(frozen=True)
class Metric:
    """A number with a name.

    Attributes:
        key: Its name in files.
        title: Its name for people.
        tells: What it says, in one line.
        undefined: When it is NaN.
        better: Which values are better.
        raised_by_noise: Whether chance can only raise it, so that its bootstrap resamples lie too high.

    Example:
        >>> METRICS["brier"].heading, METRICS["brier"].best([0.2, float("nan"), 0.1])
        ('Brier score ↓', 2)
    """

    key: str
    title: str
    tells: str
    undefined: str
    better: Literal["higher", "lower"] = "higher"
    raised_by_noise: bool = False

    @property
    def heading(self) -> str:
        """The title, with an arrow where lower is better."""
        return f"{self.title} ↓" if self.better == "lower" else self.title

    def best(self, values: Iterable[float] | np.ndarray) -> int | None:
        """Return the index of the best of some values, the first of equals; None where all are NaN."""
        known = np.asarray(values, dtype=np.float64)
        if np.isnan(known).all():
            return None
        return int(np.nanargmin(known) if self.better == "lower" else np.nanargmax(known))


def _by_key(*metrics: Metric) -> dict[str, Metric]:
    return {metric.key: metric for metric in metrics}


_NO_TARGETS = "no class has targets"
_ONE_SIDED = "no class has both targets and others"
_NO_IMAGE = "there is no image"

#: The metrics over all classes, in the order they are shown.
METRICS = _by_key(
    Metric(
        "accuracy",
        "Accuracy",
        "share of images decided correctly; the frequent classes dominate it",
        _NO_IMAGE,
    ),
    Metric(
        "balanced_accuracy",
        "Balanced accuracy",
        "mean recall of the classes; each class counts the same",
        _NO_TARGETS,
    ),
    Metric(
        "macro_f1",
        "Macro F1",
        "mean over classes of the balance between finding a class and not claiming others for it",
        "no class has targets or decisions",
    ),
    Metric(
        "geometric_mean",
        "Geometric mean of recalls",
        "product of the recalls, to the power 1/C; one class that is never found makes it 0",
        _NO_TARGETS,
    ),
    Metric(
        "mcc",
        "Matthews correlation",
        "correlation of decision and truth; 0 for a constant answer, 1 for a perfect one",
        "only one class occurs, or only one is ever decided",
    ),
    Metric(
        "iba_0.1",
        "Index of balanced accuracy, α = 0.1",
        "recall × specificity, favouring recall by α",
        _ONE_SIDED,
    ),
    Metric(
        "iba_0.5", "Index of balanced accuracy, α = 0.5", "the same with more weight on recall", _ONE_SIDED
    ),
    Metric("iba_1.0", "Index of balanced accuracy, α = 1", "the same with full weight on recall", _ONE_SIDED),
    Metric(
        "cov",
        "Variation of recall (σ/μ)",
        "how uneven the recalls are, relative to their mean",
        "no class is ever found",
        better="lower",
        raised_by_noise=True,
    ),
    Metric(
        "auc",
        "Area under ROC, macro",
        "chance that an image of a class is ranked above one of another; needs no threshold",
        _ONE_SIDED,
    ),
    Metric(
        "average_precision",
        "Average precision, macro",
        "area under the precision-recall curve; hard to raise for rare classes",
        _NO_TARGETS,
    ),
    Metric("brier", "Brier score", "mean squared error of the probabilities", _NO_IMAGE, better="lower"),
    Metric(
        "ece",
        "Expected calibration error",
        "mean gap between stated confidence and actual accuracy",
        _NO_IMAGE,
        better="lower",
        raised_by_noise=True,
    ),
)

#: Those that tell most, where there is no room for all.
HEADLINE_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "auc", "average_precision", "brier", "ece")

#: Those that images with several labels have, with what they tell there.
LABEL_METRICS = {
    key: replace(METRICS[key], tells=tells)
    for key, tells in {
        "accuracy": "share of images with every label correct; falls with the number of labels",
        "balanced_accuracy": "mean over labels of ½ (recall where the label is + where it is not); "
        "guessing gives ½",
        "macro_f1": "mean over labels of the balance between finding a label and not claiming it where it is not",
        "auc": "mean over labels of the chance that an image with it is ranked above one without",
        "average_precision": "mean over labels of the area under the precision-recall curve",
        "brier": "mean over labels of the squared error of the probabilities",
    }.items()
}

_NO_POSITIVE = "no image is of the positive class"
_NOT_BOTH = "not every one of the two classes has images"

#: The recalls at which precision is measured (LCT Fig. 1).
RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)

#: The precision of the positive class at each of :data:`RECALLS`.
PRECISION_METRICS = _by_key(
    *(
        Metric(
            f"precision_at_recall_{recall:g}",
            f"Precision at recall ≥ {recall:g}",
            f"highest precision of any threshold that finds {100 * recall:g} % of the positive class",
            _NO_POSITIVE,
        )
        for recall in RECALLS
    )
)

#: The metrics of the positive class of two (LCT, appendix A), in the order they are shown.
POSITIVE_CLASS_METRICS = _by_key(
    Metric(
        "auc",
        "Area under ROC",
        "chance that an image of the positive class is ranked above one of the other",
        _NOT_BOTH,
    ),
    Metric("average_precision", "Average precision", "area under the precision-recall curve", _NO_POSITIVE),
    METRICS["brier"],
    Metric(
        "max_f1",
        "Highest F1 of any threshold",
        "F1 at the threshold that is best on the very images it is judged on",
        _NO_POSITIVE,
    ),
    Metric(
        "max_balanced_accuracy",
        "Highest balanced accuracy of any threshold",
        "balanced accuracy at the threshold that is best on the very images it is judged on",
        _NOT_BOTH,
    ),
    PRECISION_METRICS["precision_at_recall_0.99"],
)

LOWEST_RECALL = Metric(
    "lowest_recall", "Lowest recall of a class", "recall of the class that is recognised worst", _NO_TARGETS
)

EXPECTED_COST = Metric(
    "expected_cost",
    "Cost of a decision",
    "mean cost of the decisions under the costs that were given",
    _NO_IMAGE,
    better="lower",
)
