"""The paired t-test over seeds, and Holm's correction over methods."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medtail.evaluation.comparison.significance.paired import holm, mcnemar_test, paired_t_test


def test_t_test_is_scipys_paired_one() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(0.6, 0.02, 5), generator.normal(0.58, 0.02, 5)
    test = paired_t_test(list(first - second))
    expected = stats.ttest_rel(first, second)
    assert (test.t, test.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert test.note == ""


@pytest.mark.parametrize(
    ("differences", "note"),
    [
        ([], "no shared seed: no test is possible"),
        ([0.1], "one shared seed: no test is possible"),
        ([0.0, 0.0, 0.0], "no difference in every seed: without spread no test is possible"),
        ([0.1, 0.1 + 1e-16], "the same difference in every seed: without spread no test is possible"),
    ],
)
def test_where_no_test_is_possible_the_note_says_why(differences: list[float], note: str) -> None:
    test = paired_t_test(differences)
    assert math.isnan(test.t)
    assert math.isnan(test.p)
    assert test.note == note


def test_holm_by_hand() -> None:
    # Sorted: .01 × 4, .02 × 3, .03 × 2, .5 × 1; .03 × 2 stays .06.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])


def test_holm_counts_only_tests_that_were_made() -> None:
    corrected = holm([0.02, float("nan"), 0.03])
    assert corrected[0] == pytest.approx(0.04)
    assert corrected[2] == pytest.approx(0.04)
    assert math.isnan(corrected[1])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_rejects_what_its_stepwise_procedure_rejects(p_values: list[float]) -> None:
    with mock.patch("gc.collect"):  # statsmodels collects garbage in every call, which takes most of its time
        corrected = holm(p_values)
    assert len(corrected) == len(p_values)
    level = 0.05
    rejected = set()
    for step, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] * (len(p_values) - step) > level:
            break
        rejected.add(int(index))
    assert {index for index, value in enumerate(corrected) if value <= level} == rejected
    assert all(value >= p for value, p in zip(corrected, p_values, strict=True))


def test_mcnemars_test_is_the_binomial_one_of_images_that_one_alone_decides_correctly() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.random(200) < 0.8, generator.random(200) < 0.7
    test = mcnemar_test(3, first, second)
    assert (test.seed, test.only_first, test.only_second) == (
        3,
        (first & ~second).sum(),
        (second & ~first).sum(),
    )
    expected = stats.binomtest(test.only_first, test.only_first + test.only_second).pvalue
    assert test.p == pytest.approx(expected)
    assert mcnemar_test(0, first, first).p == 1.0
