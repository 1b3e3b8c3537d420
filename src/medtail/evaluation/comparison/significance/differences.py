"""Every row of a table against one of them: how large the difference is, and whether it is more than luck."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np

from medtail import metrics
from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.evaluation.comparison.significance.paired import ImageTest, holm, mcnemar_test, paired_t_test
from medtail.evaluation.report.page import number

#: The level of every test.
LEVEL = 0.05

NO_EVIDENCE = "no evidence of a difference"


def p_value(value: float) -> str:
    """Return a p-value for people, or a dash where no test was made.

    Example:
        >>> p_value(0.03), p_value(0.000001)
        ('0.0300', '< 0.0001')
    """
    return "< 0.0001" if value < 5e-5 else number(value, 4)


@final
@dataclass(frozen=True)
class Difference:
    """Balanced accuracy of one row minus that of another, over the seeds that both have.

    Attributes:
        method: The label of the row.
        difference: Of the means over shared seeds, or over all seeds where none is shared.
        low: Lower end of the 95 % interval over resampled patients or images, with the seeds inside each resample.
        high: Its upper end.
        shared_seeds: How many seeds both have.
        t: Student's t over shared seeds; NaN if no test is possible.
        p: Its two-sided p-value, or NaN.
        p_holm: The same, corrected for the number of rows; NaN if no test is possible.
        note: Why no t-test is possible; empty if one is.
        image_tests: McNemar's test of each shared seed.
    """

    method: str
    difference: float
    low: float
    high: float
    shared_seeds: int
    t: float
    p: float
    p_holm: float
    note: str
    image_tests: tuple[ImageTest, ...]

    @property
    def beats(self) -> bool:
        """Whether the row is better by the interval and, where it is possible, by the corrected t-test."""
        return self.low > 0 and not self.p_holm >= LEVEL

    @property
    def loses(self) -> bool:
        """Whether the row is worse by the same rule."""
        return self.high < 0 and not self.p_holm >= LEVEL

    @property
    def verdict(self) -> str:
        """The difference in words."""
        if not (self.beats or self.loses):
            return NO_EVIDENCE
        word = "better" if self.beats else "worse"
        return word if self.note == "" else f"{word} on these images; the seeds were not tested"

    @property
    def image_p(self) -> str:
        """The p-values of McNemar's tests for people, from the lowest to the highest seed's."""
        values = [test.p for test in self.image_tests]
        if not values:
            return "–"
        low, high = p_value(min(values)), p_value(max(values))
        return low if low == high else f"{low} – {high}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; undefined ones are NaN."""
        return {
            **asdict(self),
            "image_tests": [asdict(test) for test in self.image_tests],
            "verdict": self.verdict,
        }


def differences_from(
    other: str,
    rows: Mapping[str, Sequence[int]],
    judged: Sequence[JudgedRun],
    values: np.ndarray,
    resampled: np.ndarray,
) -> list[Difference]:
    """Compare every row with one of them.

    Args:
        other: The label of that row.
        rows: The runs of each label, as their numbers in ``judged``.
        judged: The runs.
        values: Balanced accuracy of each run.
        resampled: Balanced accuracy of each run on the same resamples ``(resamples, runs)``.

    Returns:
        One difference for each other row, in the order of ``rows``, their p-values corrected together.
    """
    found = [
        _difference(label, numbers, rows[other], judged, values, resampled)
        for label, numbers in rows.items()
        if label != other
    ]
    corrected = holm([one.p for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]


def _difference(
    label: str,
    own: Sequence[int],
    base: Sequence[int],
    judged: Sequence[JudgedRun],
    values: np.ndarray,
    resampled: np.ndarray,
) -> Difference:
    own_of, base_of = ({judged[number].seed: number for number in numbers} for numbers in (own, base))
    shared = sorted(own_of.keys() & base_of.keys())
    if shared:
        own, base = [own_of[seed] for seed in shared], [base_of[seed] for seed in shared]
    drawn = resampled[:, own].mean(axis=1) - resampled[:, base].mean(axis=1)
    low, high = metrics.percentile_interval(drawn)
    test = paired_t_test(list(values[own] - values[base]) if shared else [])
    return Difference(
        method=label,
        difference=float(values[own].mean() - values[base].mean()),
        low=low,
        high=high,
        shared_seeds=len(shared),
        t=test.t,
        p=test.p,
        p_holm=float("nan"),
        note=test.note,
        image_tests=tuple(
            mcnemar_test(
                seed, judged[own_of[seed]].predictions.right, judged[base_of[seed]].predictions.right
            )
            for seed in shared
        ),
    )
