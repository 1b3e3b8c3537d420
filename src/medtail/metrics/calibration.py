"""Metrics of probabilities: are they as often right as they claim?"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks
from medtail.metrics.arguments import (
    Value,
    one_or_many,
    probabilities_and_ids,
    sample_weights,
    sums_by_id,
)
from medtail.metrics.undefined import ratio

#: The number of bins of Guo et al. (2017), and torchmetrics' default.
BINS = 15


def brier_score(targets: ArrayLike, probabilities: ArrayLike, *, weights: ArrayLike | None = None) -> Value:
    """Return the mean over samples of the squared error of the probabilities; 0 is perfect.

    It is Σ_c (p_c − [y = c])² for three or more classes, in [0, 2] (Brier 1950), and (p_1 − y)² for two, in [0, 1] (as
    LCT reports it). scikit-learn's ``brier_score_loss`` makes the same distinction. NaN without samples.

    Args:
        targets: Class ids ``(N,)``.
        probabilities: ``(N, C)``, or ``(N,)`` for class 1 of two.
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Raises:
        InputError: A probability is outside [0, 1].

    Example:
        >>> round(brier_score([0, 1], [0.1, 0.8]), 3)
        0.025
    """
    errors = squared_errors(targets, probabilities)
    return one_or_many(weighted_mean(errors, sample_weights(weights, len(errors))), weights)


def squared_errors(targets: ArrayLike, probabilities: ArrayLike) -> np.ndarray:
    """Return what each sample contributes to :func:`brier_score` ``(N,)``."""
    table, ids = probabilities_and_ids(targets, probabilities)
    classes = table.shape[1]
    errors: np.ndarray = ((table - (ids[:, None] == np.arange(classes))) ** 2).sum(axis=1)
    return errors / 2 if classes == 2 else errors


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean of values ``(N,)`` with each column of weights ``(N, R)``, ``(R,)``; NaN without weight."""
    return ratio(values @ weights, weights.sum(axis=0))


def expected_calibration_error(
    targets: ArrayLike, probabilities: ArrayLike, *, bins: int = BINS, weights: ArrayLike | None = None
) -> Value:
    """Return Σ_b (n_b / n) · |accuracy_b − confidence_b| over equal bins of the confidence (Guo et al. 2017).

    The confidence of a sample is its largest probability. Bin b is ((b−1)/B, b/B]. On few samples the error is biased
    upwards: even a perfectly calibrated model does not reach 0. NaN without samples.

    Args:
        targets: Class ids ``(N,)``.
        probabilities: ``(N, C)``, or ``(N,)`` for class 1 of two.
        bins: B, 15 as in Guo et al.
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Raises:
        InputError: A probability is outside [0, 1], or ``bins`` is not positive.

    Example:
        >>> round(expected_calibration_error([0, 1, 1, 1], [0.2, 0.9, 0.9, 0.9], bins=10), 3)
        0.125
    """
    gaps = CalibrationGaps.of(targets, probabilities, bins)
    return one_or_many(gaps.error(sample_weights(weights, len(gaps.gaps))), weights)


@final
@dataclass(frozen=True)
class CalibrationGaps:
    """What :func:`expected_calibration_error` takes from each sample, for any number of weightings.

    Attributes:
        gaps: Whether it was decided correctly, less its confidence ``(N,)``.
        bin_ids: The bin of its confidence ``(N,)``.
        bins: B.
    """

    gaps: np.ndarray
    bin_ids: np.ndarray
    bins: int

    @classmethod
    def of(cls, targets: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> Self:
        """Take the arguments of :func:`expected_calibration_error`."""
        confidences, right, bin_ids = _binned(targets, probabilities, bins)
        return cls(right - confidences, bin_ids, bins)

    def error(self, weights: np.ndarray) -> np.ndarray:
        """Return the error ``(R,)`` for each column of weights ``(N, R)``; NaN without weight."""
        gaps = sums_by_id(self.bin_ids, self.gaps[:, None] * weights, self.bins)
        return ratio(np.abs(gaps).sum(axis=0), weights.sum(axis=0))


@final
@dataclass(frozen=True)
class ReliabilityBins:
    """What a reliability diagram shows, ``(B,)`` each; the confidence and accuracy of an empty bin are NaN.

    Attributes:
        edges: ``(B + 1,)``, equally spaced over [0, 1].
        counts: Samples in each bin.
        confidences: Their mean largest probability.
        accuracies: The share of them that was decided correctly.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidences: np.ndarray
    accuracies: np.ndarray


def reliability_bins(targets: ArrayLike, probabilities: ArrayLike, *, bins: int = BINS) -> ReliabilityBins:
    """Group samples by confidence, as :func:`expected_calibration_error` does.

    Args:
        targets: Class ids ``(N,)``.
        probabilities: ``(N, C)``, or ``(N,)`` for class 1 of two.
        bins: B, 15 as in Guo et al.

    Raises:
        InputError: A probability is outside [0, 1], or ``bins`` is not positive.

    Example:
        >>> reliability_bins([0, 1, 1], [0.4, 0.9, 0.95], bins=2).counts
        array([0, 3])
    """
    confidences, right, bin_ids = _binned(targets, probabilities, bins)
    counts = np.bincount(bin_ids, minlength=bins)
    return ReliabilityBins(
        edges=np.linspace(0, 1, bins + 1),
        counts=counts,
        confidences=ratio(np.bincount(bin_ids, weights=confidences, minlength=bins), counts),
        accuracies=ratio(np.bincount(bin_ids, weights=right, minlength=bins), counts),
    )


def _binned(
    targets: ArrayLike, probabilities: ArrayLike, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bins = checks.whole_number("bins", bins, low=1)
    table, ids = probabilities_and_ids(targets, probabilities)
    confidences = table.max(axis=1)
    edges = np.linspace(0, 1, bins + 1)
    bin_ids = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, bins - 1)
    return confidences, (table.argmax(axis=1) == ids).astype(np.float64), bin_ids
