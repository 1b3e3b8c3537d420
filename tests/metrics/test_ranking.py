"""Areas under curves, with weights and ties, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from medtail import metrics
from medtail.errors import InputError
from medtail.metrics import UndefinedMetricWarning


@st.composite
def scored_samples(draw, min_size: int = 1):
    """Binary targets with both classes, coarse scores (many ties), weights that may be 0."""
    size = draw(st.integers(min_size, 30))
    targets = [*draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)), 0, 1]
    scores = draw(st.lists(st.integers(0, 6), min_size=size + 2, max_size=size + 2))
    weights = [*draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), 1, 1]
    return np.array(targets), np.array(scores) / 6, np.array(weights, dtype=float)


@given(scored_samples())
@settings(max_examples=60, deadline=None)
def test_binary_areas_agree_with_scikit_learn(samples) -> None:
    targets, scores, weights = samples
    for ours, theirs in (
        (metrics.roc_auc, sklearn_metrics.roc_auc_score),
        (metrics.average_precision, sklearn_metrics.average_precision_score),
    ):
        assert ours(targets, scores) == pytest.approx(theirs(targets, scores), abs=1e-12)
        expected = theirs(targets, scores, sample_weight=weights)
        assert ours(targets, scores, weights=weights) == pytest.approx(expected, abs=1e-12)


def _imbalanced(size: int = 400, num_classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    targets = generator.choice(num_classes, size, p=[0.7, 0.2, 0.08, 0.02])
    logits = generator.normal(size=(size, num_classes)).round(1)
    logits[np.arange(size), targets] += 1
    exponentials = np.exp(logits)
    return targets, exponentials / exponentials.sum(axis=1, keepdims=True)


def test_macro_areas_agree_with_scikit_learn() -> None:
    targets, probabilities = _imbalanced()
    one_hot = np.eye(4)[targets]
    assert metrics.roc_auc(targets, probabilities) == pytest.approx(
        sklearn_metrics.roc_auc_score(targets, probabilities, multi_class="ovr")
    )
    assert metrics.average_precision(targets, probabilities) == pytest.approx(
        sklearn_metrics.average_precision_score(one_hot, probabilities)
    )


def test_several_weightings_are_each_alone() -> None:
    targets, probabilities = _imbalanced()
    weights = np.random.default_rng(0).integers(0, 3, size=(len(targets), 5))
    for metric in (metrics.roc_auc_per_class, metrics.average_precision_per_class):
        together = metric(targets, probabilities, weights=weights)
        alone = [metric(targets, probabilities, weights=column) for column in weights.T]
        assert together.shape == (5, 4)
        np.testing.assert_allclose(together, alone)


def test_a_class_without_samples_is_left_out_and_named() -> None:
    targets, probabilities = _imbalanced()
    kept = targets != 3
    with pytest.warns(
        UndefinedMetricWarning, match="roc_auc is defined for 3 of 4 classes: class 3 left out"
    ):
        value = metrics.roc_auc(targets[kept], probabilities[kept])
    expected = [
        sklearn_metrics.roc_auc_score(targets[kept] == c, probabilities[kept][:, c]) for c in range(3)
    ]
    assert value == pytest.approx(np.mean(expected))
    with pytest.warns(UndefinedMetricWarning, match="average_precision is defined for 3 of 4"):
        metrics.average_precision(targets[kept], probabilities[kept])


def test_one_class_alone_has_no_area() -> None:
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(metrics.roc_auc([1, 1], [0.2, 0.3]))
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(metrics.average_precision([0, 0], [0.2, 0.3]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.roc_auc([0, 1], [[0.1], [0.2]]), r"scores must be \(N, C\).*got shape \(2, 1\)"),
        (lambda: metrics.roc_auc([0, 1], [0.1, np.nan]), "scores must be finite, got nan"),
        (lambda: metrics.roc_auc([0, 2], [0.1, 0.2]), "targets must be class ids from 0 to 1, got 2"),
        (lambda: metrics.roc_auc([0], [0.1, 0.2]), "one entry per sample each, got 1 and 2"),
        (
            lambda: metrics.roc_auc([0, 1], [0.1, 0.2], weights=[1, -1]),
            "weights must be 2 finite numbers of at least 0",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
