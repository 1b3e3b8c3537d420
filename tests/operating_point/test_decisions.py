"""Decisions: against naive searches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medtail.errors import InputError
from medtail.operating_point import (
    ClassConditionalSets,
    ClassThreshold,
    ClassWeights,
    ConfidentShare,
    ExpectedShare,
    MinimumCost,
    MostProbable,
)

TABLES = st.integers(2, 4).flatmap(
    lambda size: st.tuples(
        arrays(np.float64, (8, size), elements=st.floats(0.001, 1.0)).map(
            lambda values: values / values.sum(axis=1, keepdims=True)
        ),
        arrays(np.float64, (size, size), elements=st.integers(0, 20).map(float)),
        arrays(np.float64, size, elements=st.integers(0, 9).map(float)),
    )
)


@given(TABLES)
def test_the_least_expected_cost_is_found_entry_by_entry(values) -> None:
    probabilities, costs, _ = values
    for row, decision in zip(probabilities, MinimumCost(costs).decide(probabilities), strict=True):
        expected = [sum(p * cost for p, cost in zip(row, column, strict=True)) for column in costs.T]
        assert expected[decision] == pytest.approx(min(expected), rel=1e-9, abs=1e-12)


@given(TABLES)
def test_what_every_decision_on_a_class_costs_more_changes_no_decision(values) -> None:
    probabilities, costs, extra = values
    expected = np.sort(probabilities @ costs, axis=1)
    clear = probabilities[np.diff(expected, axis=1)[:, 0] > 1e-9]
    dearer = MinimumCost(costs + extra[:, None])
    np.testing.assert_array_equal(dearer.decide(clear), MinimumCost(costs).decide(clear))


@given(TABLES)
def test_equal_costs_and_equal_weights_are_the_most_probable_class(values) -> None:
    probabilities, _, _ = values
    size = probabilities.shape[1]
    clear = probabilities[np.diff(np.sort(probabilities, axis=1), axis=1)[:, -1] > 1e-9]
    expected = MostProbable().decide(clear)
    np.testing.assert_array_equal(MinimumCost(1 - np.eye(size)).decide(clear), expected)
    np.testing.assert_array_equal(ClassWeights(np.full(size, 7.0)).decide(clear), expected)


def test_a_threshold_leaves_the_others_as_they_rank() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.6, 0.1, 0.3], [0.1, 0.2, 0.7]])
    before = probabilities.copy()
    assert ClassThreshold(0, 0.55).decide(probabilities).tolist() == [1, 0, 2]
    np.testing.assert_array_equal(probabilities, before)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: MinimumCost([[0, 1]]), "costs must be a square table, truth × decision, got shape"),
        (lambda: MinimumCost([[0, -1], [1, 0]]), "costs must be finite numbers of at least 0, got -1"),
        (lambda: ClassWeights([1.0, 0.0]), "weights must be one positive number per class"),
        (lambda: ExpectedShare(1.0), "a promised share must lie between 0 and 1, got 1"),
        (lambda: ConfidentShare(0.9, 0.0), "confidence must lie between 0 and 1, got 0"),
        (lambda: ClassConditionalSets([1.5, 0.1], 0.9), "thresholds must be one number in"),
    ],
)
def test_wrong_settings_are_one_sentence(build, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        build()
