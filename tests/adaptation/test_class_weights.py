"""The climb of class weights: against a naive search around where it ended."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medtail import metrics
from medtail.adaptation.class_weights import balanced_weights
from medtail.operating_point import ClassWeights


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_no_single_weight_gains_where_the_climb_ended(seed: int) -> None:
    generator = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(3), generator.integers(0, 3, 30)])
    probabilities = generator.dirichlet(np.ones(3), len(targets))
    rule = balanced_weights(targets, probabilities, [np.ones(3), np.array([0.2, 1.0, 5.0])])

    def reached(weights: np.ndarray) -> float:
        decisions = ClassWeights(weights).decide(probabilities)
        return float(metrics.balanced_accuracy(metrics.confusion_matrix(targets, decisions, 3)))

    best = reached(rule.weights)
    assert best >= max(reached(np.ones(3)), reached(np.array([0.2, 1.0, 5.0]))) - 1e-12
    for index, factor in itertools.product(range(3), np.exp(np.linspace(-6, 6, 121))):
        weights = rule.weights.copy()
        weights[index] *= factor
        assert reached(weights) <= best + 1e-9
