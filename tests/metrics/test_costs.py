"""The expected cost of decisions: against naive means."""

import warnings

import numpy as np
import pytest

from medtail import metrics
from medtail.errors import InputError


def test_expected_cost_is_the_mean_of_what_each_decision_costs() -> None:
    generator = np.random.default_rng(0)
    targets, decisions = generator.integers(0, 3, (2, 50))
    costs = generator.uniform(0, 5, (3, 3))
    naive = np.mean([costs[truth, decided] for truth, decided in zip(targets, decisions, strict=True)])
    assert metrics.expected_cost(targets, decisions, costs) == pytest.approx(naive)
    weights = np.column_stack([np.ones(50), targets == 1])
    both = metrics.expected_cost(targets, decisions, costs, weights=weights)
    assert both[0] == pytest.approx(naive)
    assert both[1] == pytest.approx(costs[1, decisions[targets == 1]].mean())
    confusion = metrics.confusion_matrix(targets, decisions, 3)
    error = metrics.expected_cost(targets, decisions, 1 - np.eye(3))
    assert error == pytest.approx(1 - metrics.accuracy(confusion))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(metrics.expected_cost([], [], costs))
    with pytest.raises(InputError, match="costs must be a finite square table"):
        metrics.expected_cost([0], [0], [[0, 1]])


def test_net_benefit_is_a_count_at_each_threshold() -> None:
    generator = np.random.default_rng(1)
    cases, scores = generator.random(80) < 0.3, generator.random(80).round(1)
    thresholds = np.array([0.0, 0.1, 0.5, 0.95])
    for threshold, benefit in zip(thresholds, metrics.net_benefit(cases, scores, thresholds), strict=True):
        found, false = (scores >= threshold) & cases, (scores >= threshold) & ~cases
        naive = found.sum() / 80 - false.sum() / 80 * threshold / (1 - threshold)
        assert benefit == pytest.approx(naive)
    with pytest.raises(InputError, match="at least 0 and below 1"):
        metrics.net_benefit(cases, scores, [1.0])
    with pytest.raises(InputError, match=r"must be \(N,\) each"):
        metrics.net_benefit(cases, scores[1:], [0.5])
