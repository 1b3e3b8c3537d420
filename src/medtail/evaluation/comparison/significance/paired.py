"""Tests of methods that share their seeds and test images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

#: Differences with a smaller spread than this are the same up to rounding.
_NO_SPREAD = 1e-12


@final
@dataclass(frozen=True)
class PairedTest:
    """A paired t-test of differences.

    Attributes:
        t: Student's t; NaN if no test is possible.
        p: Two-sided p-value, or NaN.
        note: Why no test is possible; empty if one is.
    """

    t: float
    p: float
    note: str


def paired_t_test(differences: Sequence[float]) -> PairedTest:
    """Test whether the mean of paired differences is 0 (Student 1908), as DAL Table 3 does over seeds.

    Args:
        differences: One per seed. The test assumes a normal distribution, which few seeds cannot verify.

    Example:
        >>> test = paired_t_test([0.05, 0.07, 0.03])
        >>> round(test.t, 2), round(test.p, 3)
        (4.33, 0.049)
        >>> paired_t_test([0.05]).note
        'one shared seed: no test is possible'
    """
    # SciPy's statistics take half a second to import, which a single seed need not wait for.
    from scipy.stats import ttest_1samp

    nan = float("nan")
    if len(differences) == 0:
        return PairedTest(nan, nan, "no shared seed: no test is possible")
    if len(differences) == 1:
        return PairedTest(nan, nan, "one shared seed: no test is possible")
    if np.ptp(differences) < _NO_SPREAD:
        same = "no difference" if abs(differences[0]) < _NO_SPREAD else "the same difference"
        return PairedTest(nan, nan, f"{same} in every seed: without spread no test is possible")
    result = ttest_1samp(differences, 0.0)
    return PairedTest(float(result.statistic), float(result.pvalue), "")


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for having made several tests (Holm 1979).

    NaN marks a test that was not made and does not count.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(values))
    corrected = np.full(len(values), np.nan)
    if len(made):
        # It imports for a second, which a comparison without tests need not wait for.
        from statsmodels.stats.multitest import multipletests

        corrected[made] = multipletests(values[made], method="holm")[1]
    return [float(value) for value in corrected]


@final
@dataclass(frozen=True)
class ImageTest:
    """McNemar's exact test of two classifiers on the same images (McNemar 1947).

    Attributes:
        seed: The seed that both were trained with.
        only_first: Images that the first one alone decides correctly.
        only_second: Images that the second one alone decides correctly.
        p: Two-sided p-value of the hypothesis that both are as likely; 1 if they never differ.
    """

    seed: int
    only_first: int
    only_second: int
    p: float


def mcnemar_test(seed: int, first: np.ndarray, second: np.ndarray) -> ImageTest:
    """Test whether one classifier decides more images correctly than another; it knows nothing of rare classes.

    Args:
        seed: The seed that both were trained with.
        first: Whether the first one decides each image correctly ``(N,)``.
        second: The same of the second one, in the same order.

    Example:
        >>> mcnemar_test(0, np.array([True] * 6 + [False]), np.array([False] * 7)).p
        0.03125
    """
    from statsmodels.stats.contingency_tables import mcnemar

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return ImageTest(seed, 0, 0, 1.0)
    result = mcnemar([[0, only_first], [only_second, 0]], exact=True)
    return ImageTest(seed, only_first, only_second, float(result.pvalue))
