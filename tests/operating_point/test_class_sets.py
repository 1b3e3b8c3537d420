"""Sets of classes: against thresholds found by sorting."""

import numpy as np

from medtail.operating_point import ClassConditionalSets


def test_sets_guard_classes_with_few_cases_and_may_be_empty() -> None:
    targets = np.repeat([0, 1], [40, 5])
    probabilities = np.column_stack([np.linspace(0.5, 0.99, 45), np.linspace(0.5, 0.01, 45)])
    rule = ClassConditionalSets.fit(targets, probabilities, 0.9)
    assert rule.thresholds[1] == 0.0  # nine cases would be needed
    smallest = np.sort(1 - probabilities[:40, 0])
    score = smallest[int(np.ceil(41 * 0.9)) - 1]
    np.testing.assert_array_equal(
        rule.contains(probabilities)[:, 0], 1 - probabilities[:, 0] <= score + 1e-12
    )
    strict = ClassConditionalSets([0.9, 0.9], 0.5)
    assert not strict.contains(np.array([[0.5, 0.5]])).any()
