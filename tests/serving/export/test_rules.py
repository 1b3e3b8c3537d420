"""Operating points as tensor programs give what the operating points give."""

import numpy as np
import pytest
import torch

from medtail.operating_point import (
    ClassConditionalSets,
    ClassThreshold,
    ClassWeights,
    Decision,
    MinimumCost,
    MostProbable,
    OperatingPoint,
    PriorShift,
    ProbabilityMap,
    TemperatureScaling,
    VectorScaling,
)
from medtail.serving.export.rules import Rule

NAMES = ("a", "b", "c")
STEPS = [
    PriorShift([0.7, 0.2, 0.1], [0.1, 0.1, 0.8]),
    TemperatureScaling(2.5),
    VectorScaling([0.5, 1.0, 2.0], [0.3, -0.1, 1.0]),
]
DECISIONS = [
    MostProbable(),
    ClassWeights([1.0, 3.0, 0.2]),
    MinimumCost([[0, 1, 5], [2, 0, 1], [30, 9, 0]]),
    ClassThreshold(1, 0.2),
]


def probabilities(rows: int = 400) -> np.ndarray:
    drawn = np.random.default_rng(0).dirichlet([0.3, 0.3, 0.3], rows)
    # Certain to the last digit, and a tie.
    return np.concatenate([drawn, [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]])


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda part: type(part).__name__)
def test_a_rule_gives_what_the_operating_point_gives(decision: Decision) -> None:
    point = OperatingPoint(NAMES, decision, tuple(STEPS), ClassConditionalSets([0.2, 0.3, 0.1], 0.9))
    rule = Rule.of(point)
    given = probabilities()
    adapted, decided, sets = rule(torch.tensor(given, dtype=torch.float32))
    assert rule.outputs == ("probabilities", "decision", "set")
    np.testing.assert_allclose(adapted, point.apply(given), atol=2e-6)
    np.testing.assert_array_equal(decided, point.decide(given))
    np.testing.assert_array_equal(sets, point.sets(given))


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda part: type(part).__name__)
def test_the_lowest_id_wins_a_tie(decision: Decision) -> None:
    equal = np.array([[0.4, 0.4, 0.2], [0.25, 0.25, 0.5]])
    _, decided = Rule.of(OperatingPoint(NAMES, decision))(torch.tensor(equal, dtype=torch.float32))
    np.testing.assert_array_equal(decided, decision.decide(equal))


def test_every_part_of_an_operating_point_can_be_exported() -> None:
    def kinds(base: type) -> set[type]:
        return {kind for kind in base.__subclasses__() if kind.__module__.startswith("medtail.")}

    assert kinds(ProbabilityMap) == {type(step) for step in STEPS}
    assert kinds(Decision) == {type(decision) for decision in DECISIONS}


def test_labels_are_decided_each_by_itself() -> None:
    _, decided = Rule.of_labels()(torch.tensor([[0.5, 0.4999, 0.9]]))
    assert decided.tolist() == [[1, 0, 1]]
