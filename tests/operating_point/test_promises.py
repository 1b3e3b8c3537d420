"""Promises: against the distributions that they follow from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from medtail.operating_point import ConfidentShare, ExpectedShare


@given(st.integers(0, 200), st.floats(0.5, 0.995))
def test_ranks_and_needed_cases_agree(cases: int, share: float) -> None:
    for promise in (ExpectedShare(share), ConfidentShare(share, 0.9)):
        assert (promise.rank(cases) >= 1) == (cases >= promise.cases_needed)
        highest = promise.highest_share(cases)
        if 0.01 < highest < 0.999:
            assert type(promise)(highest - 1e-6).cases_needed <= cases or isinstance(promise, ConfidentShare)


def test_a_confident_rank_is_the_last_that_keeps_the_promise() -> None:
    promise = ConfidentShare(0.9, 0.95)
    for cases in (29, 46, 100, 500):
        rank = promise.rank(cases)
        assert binom.sf(rank - 1, cases, 0.1) >= 0.95 > binom.sf(rank, cases, 0.1)
        # The share below the k-th smallest of n is Beta(k, n - k + 1) distributed.
        assert beta.cdf(0.1, rank, cases - rank + 1) >= 0.95


@pytest.mark.parametrize(
    ("share", "cases", "rank"), [(0.9, 9, 1), (0.95, 19, 1), (0.95, 39, 2), (0.8, 4, 1), (0.7, 99, 30)]
)
def test_ranks_of_whole_numbers_are_not_lost_to_rounding(share: float, cases: int, rank: int) -> None:
    assert ExpectedShare(share).rank(cases) == rank
    assert ExpectedShare(share).rank(ExpectedShare(share).cases_needed - 1) == 0


def test_ties_are_taken_alike() -> None:
    scores = np.array([0.2] * 10 + [0.6] * 10)
    threshold = ExpectedShare(0.8).threshold(scores)
    assert threshold == 0.2 and (scores >= threshold).all()
