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
