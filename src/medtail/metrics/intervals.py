"""Confidence intervals: how far off a metric of a finite test set may be."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks
from medtail.errors import InputError

#: Weights held at once: about 16 MB in float64.
_CELLS = 2_000_000


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval for a proportion (Wilson 1927), in [0, 1]; NaN without trials.

    Unlike p ± 1.96·√(p(1−p)/n), it keeps its coverage for the few samples of a rare class, and has a width even at
    p = 0 and p = 1.

    Raises:
        InputError: ``successes`` is not in 0 … ``trials``, or ``confidence`` not in (0, 1).

    Example:
        >>> low, high = wilson_interval(4, 12)
        >>> round(low, 3), round(high, 3)
        (0.138, 0.609)
    """
    from scipy.stats import binomtest

    _check_confidence(confidence)
    _check_successes(successes, trials)
    if trials == 0:
        return float("nan"), float("nan")
    interval = binomtest(int(successes), int(trials)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def exact_lower_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided lower bound of a proportion (Clopper and Pearson 1934); NaN without trials.

    It holds with at least the given confidence, whatever the proportion.

    Raises:
        InputError: ``successes`` is not in 0 … ``trials``, or ``confidence`` not in (0, 1).

    Example:
        >>> round(exact_lower_bound(59, 59), 4)
        0.9505
    """
    from scipy.stats import binomtest

    _check_confidence(confidence)
    _check_successes(successes, trials)
    if trials == 0:
        return float("nan")
    test = binomtest(int(successes), int(trials), alternative="greater")
    return float(test.proportion_ci(confidence, method="exact").low)


#: With fewer units than this, bootstrap intervals tend to be too narrow (the simulation in docs/metrics.md).
FEW_UNITS = 30


def bootstrap(
    statistic: Callable[[np.ndarray], ArrayLike],
    units: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """Return a statistic on resamples of the units, each drawn with replacement (Efron 1979).

    Images of one patient are alike, so patients (lesions, smears) are drawn: a patient drawn twice contributes all its
    images twice. A resample is a column of weights, and a statistic takes many columns at once: the functions of this
    package take them as ``weights``, or through :meth:`Outcomes.weighted`.

    Args:
        statistic: Maps weights ``(N, R)`` to values ``(R, …)``, for any R.
        units: The group of each image ``(N,)``; ``range(N)`` if every image is a group of its own.
        resamples: The number of resamples; the intervals of this package use 1000.
        seed: The same seed gives the same resamples for every statistic of the same units.

    Returns:
        ``(resamples, …)``.

    Raises:
        InputError: There is no unit, or ``resamples`` is not positive.

    Example:
        >>> values = np.array([1.0, 2.0, 3.0, 4.0])
        >>> means = bootstrap(lambda weights: values @ weights / weights.sum(axis=0), range(4), resamples=500)
        >>> means.shape, bool(1 <= means.min() < 2.5 < means.max() <= 4)
        ((500,), True)
    """
    resamples = checks.whole_number("resamples", resamples, low=1)
    labels = checks.array(units)
    if labels.ndim != 1 or not len(labels):
        raise InputError(
            f"units must be one group per image, shape (N,) with N ≥ 1, got shape {labels.shape}"
        )
    names, members = np.unique(labels, return_inverse=True)
    generator = np.random.default_rng(seed)
    step = max(1, _CELLS // len(labels))
    parts = []
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(len(names), size=(len(names), rows))
        # Counting draws is several times faster than multinomial numbers.
        counts = np.bincount((drawn * rows + np.arange(rows)).ravel(), minlength=len(names) * rows)
        weights = counts.reshape(len(names), rows)[members]
        parts.append(np.asarray(statistic(weights.astype(np.float64))))
    return np.concatenate(parts)


def percentile_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Return the central part of bootstrap values ``(R,)``.

    Resamples in which the statistic is undefined are left out; NaN if these are half of them or more.

    Example:
        >>> percentile_interval(np.arange(201), confidence=0.5)
        (50.0, 150.0)
    """
    _check_confidence(confidence)
    defined = _defined(values)
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def centred_interval(values: ArrayLike, estimate: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the central part of bootstrap values ``(R,)``, moved so that their median is the estimate.

    It is meant for statistics that noise can only raise, such as the variation of recall and the calibration error: a
    resample is noisier than the sample, so the percentiles alone may lie entirely above the estimate. Its lower end is
    at least 0.

    Example:
        >>> centred_interval(np.arange(201), 60.0, confidence=0.5)
        (10.0, 110.0)
    """
    low, high = percentile_interval(values, confidence)
    defined = _defined(values)
    shift = estimate - float(np.median(defined)) if len(defined) else float("nan")
    return float(np.maximum(0.0, low + shift)), high + shift


def _defined(values: ArrayLike) -> np.ndarray:
    """Return the values that are not NaN, or none if half or more are NaN."""
    array = checks.array(values, np.float64)
    defined: np.ndarray = array[~np.isnan(array)]
    return defined if 2 * len(defined) > len(array) else defined[:0]


def _check_confidence(confidence: float) -> None:
    checks.number(
        "confidence", confidence, low=0, high=1, open_low=True, open_high=True, remedy="0.95 is usual"
    )


def _check_successes(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise InputError(f"successes must be in 0 … trials, got {successes} of {trials}")
