"""What a recall costs: thresholds around the chosen one, against a count of each."""

import numpy as np
import pytest

from medtail.adaptation.trade import Trade
from medtail.metrics import exact_lower_bound
from medtail.operating_point import ConfidentShare, ExpectedShare


def cases(own: int = 98, others: int = 1095) -> tuple[np.ndarray, np.ndarray]:
    """Scores and membership: the four lowest of the class are below nearly every other case."""
    scores = np.concatenate([np.linspace(0.3, 0.9, own), np.random.default_rng(0).uniform(0.1, 0.5, others)])
    scores[:4] = [0.01, 0.02, 0.03, 0.1]
    return scores, np.arange(own + others) < own


@pytest.mark.parametrize("promise", [ExpectedShare(0.9), ConfidentShare(0.9, 0.9)])
def test_rows_are_counts(promise: ExpectedShare | ConfidentShare) -> None:
    scores, own = cases()
    weights = np.where(own, 0.5, 2.0)
    rows = Trade(promise, scores, own, weights).around_the_chosen
    assert [row.threshold for row in rows] == sorted({row.threshold for row in rows}) and len(rows) >= 8
    (chosen,) = (row for row in rows if row.chosen)
    assert chosen.threshold == promise.threshold(scores[own])
    for row in rows:
        taken = scores >= row.threshold
        assert row.recall == taken[own].mean()
        assert row.recall_lower_bound == pytest.approx(exact_lower_bound(taken[own].sum(), own.sum()))
        assert row.false_positive_rate == pytest.approx(taken[~own].mean())
        assert row.precision == pytest.approx(weights[taken & own].sum() / weights[taken].sum())
        # What the row promises is what chooses it.
        asked = type(promise)(row.promised - 1e-7, *([0.9] if isinstance(promise, ConfidentShare) else []))
        assert asked.threshold(scores[own]) == row.threshold


def test_a_useless_decision_is_named_with_the_recall_that_is_not() -> None:
    scores, own = cases()
    trade = Trade(ExpectedShare(0.95), scores, own, np.ones(len(own)))
    assert trade.chosen.false_positive_rate > 0.99 and trade.chosen.useless
    (warning,) = trade.warnings("mel")
    assert warning.startswith("WARNING: this decision is useless: 100.0% of the cases of other classes")
    # 98 cases: the fifth smallest promises 1 - 5/99.
    assert "ask for a recall of 0.9494, for which 4" in warning
    better = Trade(ExpectedShare(0.9494), scores, own, np.ones(len(own)))
    assert not better.chosen.useless and better.warnings("mel") == []


def test_where_nothing_is_better_the_warning_says_so() -> None:
    scores, own = cases()
    (warning,) = Trade(ExpectedShare(0.9), 1 - scores, own, np.ones(len(own))).warnings("mel")
    assert "no recall that these cases can promise of mel" in warning


def test_equal_scores_are_one_threshold() -> None:
    scores = np.array([0.2] * 10 + [0.6] * 10 + [0.1, 0.4])
    own = np.arange(22) < 20
    rows = Trade(ExpectedShare(0.8), scores, own, np.ones(22)).around_the_chosen
    assert [(row.threshold, row.recall, row.chosen) for row in rows] == [(0.2, 1.0, True), (0.6, 0.5, False)]


def test_without_other_cases_nothing_is_known_of_them() -> None:
    trade = Trade(ExpectedShare(0.8), np.linspace(0, 1, 20), np.ones(20, dtype=bool), np.ones(20))
    assert trade.warnings("mel") == [] and trade.chosen.plain["false_positive_rate"] is None
