"""Sensitivity, specificity and predictive values: the rates of a decision between two classes, by their names."""

from dataclasses import dataclass
from typing import final

import numpy as np

from medtail import metrics
from medtail.evaluation.summaries.json_values import defined_interval
from medtail.runs.predictions import SavedPredictions


@final
@dataclass(frozen=True)
class Rate:
    """A share of images, with Wilson's 95 % interval.

    Attributes:
        title: Its name.
        tells: Of which images it is the share.
        hits: Images that count for it.
        images: Images it is a share of.
    """

    title: str
    tells: str
    hits: int
    images: int

    @property
    def value(self) -> float | None:
        """The share; None of no images."""
        return self.hits / self.images if self.images else None

    @property
    def interval(self) -> list[float] | None:
        """Wilson's 95 % interval; None of no images."""
        return defined_interval(metrics.wilson_interval(self.hits, self.images))


def clinical_rates(predictions: SavedPredictions, positive: int) -> list[Rate]:
    """Return sensitivity, specificity, positive and negative predictive value.

    Predictive values hold at the share of the positive class in these images: where it is rarer, the positive one is
    lower.

    Args:
        predictions: Of two classes.
        positive: Id of the positive class.

    Example:
        >>> from medtail.runs.predictions import Predictions
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
        >>> ids, targets = np.array(["a", "b", "c", "d"]), np.array([0, 0, 1, 1])
        >>> predictions = Predictions(ids, targets, probabilities, ("nevus", "melanoma"), None)
        >>> [(rate.title, rate.hits, rate.images) for rate in clinical_rates(predictions, positive=1)]
        [('Sensitivity', 1, 2), ('Specificity', 1, 2), ('Positive predictive value', 1, 2), ('Negative predictive value', 1, 2)]
    """  # noqa: E501
    name = predictions.class_names[positive]
    truth, decided = predictions.targets == positive, predictions.decisions == positive
    found, spared = int((truth & decided).sum()), int((~truth & ~decided).sum())
    return [
        Rate("Sensitivity", f"of the images of {name}, those decided as such", found, int(truth.sum())),
        Rate("Specificity", "of the other images, those decided as others", spared, int((~truth).sum())),
        Rate(
            "Positive predictive value",
            f"of decisions for {name}, those that are right",
            found,
            int(decided.sum()),
        ),
        Rate(
            "Negative predictive value",
            "of the other decisions, those that are right",
            spared,
            int((~decided).sum()),
        ),
    ]


def stated_and_observed(
    probabilities: np.ndarray, truth: np.ndarray, groups: int = 10
) -> list[dict[str, float]]:
    """Return how often images are positive beside the probability that was stated, in groups of equal size.

    A rare class has most of its images at low probabilities, so that bins of equal width would leave most bins empty.

    Args:
        probabilities: Of the positive class ``(N,)``.
        truth: Whether each image is positive ``(N,)``.
        groups: Of images in order of their probability; fewer where there are few images.

    Returns:
        ``images``, ``stated`` (mean probability), ``observed`` (share of positives), ``low`` and ``high`` (Wilson's
        95 % interval), by group.

    Example:
        >>> stated_and_observed(np.array([0.1, 0.2, 0.8, 0.6]), np.array([False, True, True, True]), groups=2)[0]
        {'images': 2, 'stated': 0.15, 'observed': 0.5, 'low': 0.0945, 'high': 0.9055}
    """
    order = np.argsort(probabilities, kind="stable")
    rows = []
    for part in np.array_split(order, max(1, min(groups, len(order)))):
        low, high = metrics.wilson_interval(int(truth[part].sum()), len(part))
        values = {
            "stated": probabilities[part].mean(),
            "observed": truth[part].mean(),
            "low": low,
            "high": high,
        }
        rows.append({"images": len(part), **{name: round(float(value), 4) for name, value in values.items()}})
    return rows
