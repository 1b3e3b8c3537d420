"""Log-odds: exact, finite, and in the order that probabilities lose."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from medtail.metrics import label_log_odds, log_odds
from references.rankings import RATIOS, TAUS, measure, table


@pytest.mark.parametrize("classes", [2, 5])
def test_log_odds_are_those_of_each_class_against_the_others(classes: int) -> None:
    logits = np.random.default_rng(0).normal(0, 30, (500, classes))
    others = [logsumexp(np.delete(logits, index, axis=1), axis=1) for index in range(classes)]
    expected = logits - np.stack(others, axis=1)
    np.testing.assert_allclose(log_odds(log_softmax(logits, axis=1)), expected, rtol=1e-12, atol=1e-12)


def test_label_log_odds_are_the_logits() -> None:
    logits = np.array([[-700.0, -40.0, 0.0, 3.0, 40.0, 700.0]])
    np.testing.assert_allclose(label_log_odds(-np.logaddexp(0, -logits)), logits, rtol=1e-12, atol=1e-15)


def test_the_certain_is_finite() -> None:
    assert np.isfinite(log_odds([[0.0, -np.inf], [-np.inf, 0.0], [-1e4, 0.0]])).all()
    assert log_odds([[0.0, -np.inf]])[0, 0] > 1e300
    assert np.isfinite(label_log_odds([[0.0, -1e4]])).all()


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("tau", TAUS)
def test_saved_predictions_keep_the_areas_of_bayes_optimal_scores(tau: float, ratio: int) -> None:
    ranking = measure(tau, ratio)
    assert ranking.saved == pytest.approx(ranking.true, abs=1e-6)
    if (tau, ratio) == (4.0, 200):  # the case is one that float32 probabilities lose
        assert ranking.ones > 0.4
        assert ranking.rounded[0] < ranking.true[0] - 0.01


def test_the_table_in_the_documentation_is_this_one() -> None:
    document = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert table() in document.read_text(encoding="utf-8"), (
        "run PYTHONPATH=tests python tests/references/rankings.py and copy the table"
    )
