"""How far a number measured on a finite test set may be off."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from medtail.errors import InputError

#: Weights held at once: about 16 MB in float64.
_CELLS = 2_000_000


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval for a proportion (Wilson 1927), in [0, 1]; NaN without trials.

    Unlike p ± 1.96·√(p(1−p)/n) it keeps its coverage for the few samples of a rare class, and has a width at
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
    if not 0 <= successes <= trials:
        raise InputError(f"successes must be in 0 … trials, got {successes} of {trials}")
    if trials == 0:
        return float("nan"), float("nan")
    interval = binomtest(int(successes), int(trials)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def exact_lower_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Return the one-sided lower bound of a proportion that holds whatever it is (Clopper and Pearson 1934).

    NaN without trials.

    Raises:
        InputError: ``successes`` is not in 0 … ``trials``, or ``confidence`` not in (0, 1).

    Example:
        >>> round(exact_lower_bound(59, 59), 4)
        0.9505
    """
    from scipy.stats import binomtest

    _check_confidence(confidence)
    if not 0 <= successes <= trials:
        raise InputError(f"successes must be in 0 … trials, got {successes} of {trials}")
    if trials == 0:
        return float("nan")
    test = binomtest(int(successes), int(trials), alternative="greater")
    return float(test.proportion_ci(confidence, method="exact").low)


def bootstrap(
    statistic: Callable[[np.ndarray], ArrayLike],
    units: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """Return a statistic on resamples of the units, each drawn with replacement (Efron 1979).

    Images of one patient are alike, so it is patients (lesions, smears) that are drawn: a patient drawn twice
    brings all its images twice. A resample is a column of weights, and a statistic takes many columns at once:
    the functions of this package take them as ``weights``, or through :meth:`Outcomes.weighted`.

    Args:
        statistic: From weights ``(N, R)`` to values ``(R, …)``, for whatever R it is given.
        units: The group of each image ``(N,)``; ``range(N)`` where every image stands for itself.
        resamples: How many; the intervals of this package use 1000.
        seed: The same seed gives the same draws, for every statistic over the same units.

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
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 1:
        raise InputError(f"resamples must be a whole number of at least 1, got {resamples!r}")
    labels = np.asarray(units)
    if labels.ndim != 1 or not len(labels):
        raise InputError(f"units must be one group an image, shape (N,) with N ≥ 1, got shape {labels.shape}")
    names, members = np.unique(labels, return_inverse=True)
    generator = np.random.default_rng(seed)
    step = max(1, _CELLS // len(labels))
    parts = []
    for start in range(0, resamples, step):
        drawn = generator.multinomial(
            len(names), np.full(len(names), 1 / len(names)), size=min(step, resamples - start)
        )
        parts.append(np.asarray(statistic(drawn.T[members].astype(np.float64))))
    return np.concatenate(parts)


def percentile_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Return the central part of bootstrap values ``(R,)``.

    Resamples in which the statistic is undefined are left out; NaN when half of them or more are.

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

    For statistics that noise can only raise, such as the variation of recall and the calibration error: a resample
    is noisier than the sample, so the percentiles alone may lie wholly above the estimate. Not below 0.

    Example:
        >>> centred_interval(np.arange(201), 60.0, confidence=0.5)
        (10.0, 110.0)
    """
    low, high = percentile_interval(values, confidence)
    defined = _defined(values)
    shift = estimate - float(np.median(defined)) if len(defined) else float("nan")
    return float(np.maximum(0.0, low + shift)), high + shift


def _defined(values: ArrayLike) -> np.ndarray:
    """Values that are not NaN; none of them when half or more are."""
    array = np.asarray(values, dtype=np.float64)
    defined = array[~np.isnan(array)]
    return defined if 2 * len(defined) > len(array) else defined[:0]


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie in (0, 1), got {confidence!r}; 0.95 is usual")
