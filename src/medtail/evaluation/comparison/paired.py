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

    NaN marks a test that was not made and does not count. The k-th smallest of m is multiplied by m − k + 1, and no
    corrected value may be below that of a smaller p-value.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(values))
    order = made[np.argsort(values[made], kind="stable")]
    corrected = np.full(len(values), np.nan)
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0)
    return [float(value) for value in corrected]
