"""What the best threshold reaches: against a loop over every threshold, and against scikit-learn's curves."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from medtail import metrics
from medtail.errors import InputError
from medtail.metrics import UndefinedMetricWarning

RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)


@st.composite
def scored_samples(draw):
    """Both classes, coarse scores (many ties), weights that may be 0 but not for all of a class."""
    size = draw(st.integers(1, 30))
    targets = [*draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)), 0, 1]
    scores = draw(st.lists(st.integers(0, 6), min_size=size + 2, max_size=size + 2))
    weights = [*draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), 1, 1]
    return np.array(targets), np.array(scores) / 6, np.array(weights, dtype=float)


def naive(targets, scores, weights):
    """True positives, false positives, positives, negatives at every threshold, one after the other."""
    rows = []
    for threshold in [*np.unique(scores), np.inf]:
        decided = scores >= threshold
        rows.append(
            (
                weights[decided & (targets == 1)].sum(),
                weights[decided & (targets == 0)].sum(),
                weights[targets == 1].sum(),
                weights[targets == 0].sum(),
            )
        )
    return rows


@given(scored_samples())
@settings(max_examples=80, deadline=None)
def test_the_best_threshold_is_found_among_all(samples) -> None:
    targets, scores, weights = samples
    for given_weights in (None, weights):
        counts = naive(targets, scores, np.ones(len(targets)) if given_weights is None else weights)
        f1 = max(2 * tp / (tp + fp + positives) for tp, fp, positives, _ in counts)
        balanced = max((tp / positives + 1 - fp / negatives) / 2 for tp, fp, positives, negatives in counts)
        assert metrics.max_f1(targets, scores, weights=given_weights) == pytest.approx(f1, abs=1e-12)
        assert metrics.max_balanced_accuracy(targets, scores, weights=given_weights) == pytest.approx(
            balanced, abs=1e-12
        )
        precisions = metrics.precisions_at_recalls(targets, scores, RECALLS, weights=given_weights)
        for recall, precision in zip(RECALLS, precisions, strict=True):
            best = max(
                tp / (tp + fp) for tp, fp, positives, _ in counts if tp and tp / positives >= recall - 1e-12
            )
            assert precision == pytest.approx(best, abs=1e-12)
            alone = metrics.precision_at_recall(targets, scores, recall, weights=given_weights)
            assert alone == precision


@given(scored_samples())
@settings(max_examples=40, deadline=None)
def test_they_are_the_best_of_scikit_learns_curves(samples) -> None:
    targets, scores, _ = samples
    false_positive_rates, true_positive_rates, _ = sklearn_metrics.roc_curve(
        targets, scores, drop_intermediate=False
    )
    assert metrics.max_balanced_accuracy(targets, scores) == pytest.approx(
        ((true_positive_rates + 1 - false_positive_rates) / 2).max()
    )
    precisions, recalls, thresholds = sklearn_metrics.precision_recall_curve(targets, scores)
    f1 = [sklearn_metrics.f1_score(targets, scores >= threshold) for threshold in thresholds]
    assert metrics.max_f1(targets, scores) == pytest.approx(max(f1))
    assert metrics.max_f_beta(targets, scores, 1.0) == metrics.max_f1(targets, scores)
    f2 = [sklearn_metrics.fbeta_score(targets, scores >= threshold, beta=2) for threshold in thresholds]
    assert metrics.max_f_beta(targets, scores, 2.0) == pytest.approx(max(f2))
    for recall in RECALLS:
        expected = precisions[:-1][recalls[:-1] >= recall - 1e-12].max()  # the last point is no threshold
        assert metrics.precision_at_recall(targets, scores, recall) == pytest.approx(expected)


@given(scored_samples(), st.sampled_from([np.exp, np.cbrt, lambda scores: 7 * scores - 3]))
@settings(max_examples=30, deadline=None)
def test_only_the_order_of_the_scores_matters(samples, rising) -> None:
    targets, scores, _ = samples
    assert metrics.max_f1(targets, rising(scores)) == metrics.max_f1(targets, scores)
    assert metrics.max_balanced_accuracy(targets, rising(scores)) == metrics.max_balanced_accuracy(
        targets, scores
    )


@given(scored_samples())
@settings(max_examples=30, deadline=None)
def test_precision_never_rises_with_the_recall_asked_for(samples) -> None:
    targets, scores, _ = samples
    precisions = metrics.precisions_at_recalls(targets, scores, RECALLS)
    assert (np.diff(precisions) <= 0).all()
    assert metrics.max_balanced_accuracy(targets, scores) >= 0.5


def test_equal_scores_cannot_be_told_apart() -> None:
    targets, scores = [0, 0, 0, 1], [0.5, 0.5, 0.5, 0.5]
    assert metrics.max_f1(targets, scores) == pytest.approx(0.4)
    assert metrics.max_balanced_accuracy(targets, scores) == 0.5
    assert metrics.precisions_at_recalls(targets, scores, [0.5, 1.0]).tolist() == [0.25, 0.25]


def test_several_weightings_are_each_alone() -> None:
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 2, 50)
    scores = generator.normal(size=50).round(1) + targets
    weights = generator.integers(0, 3, size=(50, 5))
    for metric in (metrics.max_f1, metrics.max_balanced_accuracy):
        together = metric(targets, scores, weights=weights)
        np.testing.assert_allclose(together, [metric(targets, scores, weights=w) for w in weights.T])
    together = metrics.precisions_at_recalls(targets, scores, RECALLS, weights=weights)
    assert together.shape == (5, len(RECALLS))
    np.testing.assert_allclose(
        together, [metrics.precisions_at_recalls(targets, scores, RECALLS, weights=w) for w in weights.T]
    )


@pytest.mark.parametrize(
    ("metric", "targets", "message"),
    [
        (metrics.max_f1, [0, 0], "max_f1 is undefined: targets have no positive"),
        (
            metrics.max_balanced_accuracy,
            [0, 0],
            "max_balanced_accuracy is undefined: targets have no positive",
        ),
        (metrics.max_balanced_accuracy, [1, 1], "targets have no positive or no negative"),
        (
            lambda *scored: metrics.precision_at_recall(*scored, 0.5),
            [0, 0],
            "precision_at_recall is undefined",
        ),
        (
            lambda *scored: metrics.precisions_at_recalls(*scored, [0.5])[0],
            [0, 0],
            "precisions_at_recalls is undefined: targets have no positive",
        ),
    ],
)
def test_without_what_it_counts_a_metric_is_undefined(metric, targets, message: str) -> None:
    with pytest.warns(UndefinedMetricWarning, match=message) as caught:
        assert np.isnan(metric(targets, [0.1, 0.2]))
    if metric in (metrics.max_f1, metrics.max_balanced_accuracy):
        assert caught[0].filename == __file__


def test_a_resample_without_positives_is_undefined_in_silence() -> None:
    weights = np.array([[1.0, 1.0], [1.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in (
            metrics.max_f1,
            metrics.max_balanced_accuracy,
            lambda *scored, weights: metrics.precision_at_recall(*scored, 0.5, weights=weights),
        ):
            values = metric([0, 1], [0.1, 0.2], weights=weights)
            assert values[0] == 1
            assert np.isnan(values[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: metrics.precision_at_recall([0, 1], [0.1, 0.2], 0.0),
            r"recall must be a number in \(0, 1\], got 0.0",
        ),
        (
            lambda: metrics.precisions_at_recalls([0, 1], [0.1, 0.2], [0.5, 1.5]),
            r"recalls must be numbers in",
        ),
        (
            lambda: metrics.precisions_at_recalls([0, 1], [0.1, 0.2], 0.5),
            r"recalls must be numbers in .*got 0.5",
        ),
        (lambda: metrics.precision_at_recall([0, 1], [[0.1, 0.9], [0.2, 0.8]], 0.5), "pass targets == c"),
        (lambda: metrics.max_f1([0, 1], [[0.1, 0.9], [0.2, 0.8]]), "pass targets == c"),
        (lambda: metrics.max_f_beta([0, 1], [0.1, 0.9], 0.0), "beta must be a number in"),
        (lambda: metrics.max_balanced_accuracy([0, 2], [0.1, 0.2]), "targets must be class ids from 0 to 1"),
        (lambda: metrics.max_f1([0, 1], [0.1, np.inf]), "scores must be finite"),
    ],
)
def test_bad_input_is_one_sentence(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
