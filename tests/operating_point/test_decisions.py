"""Decisions and thresholds: against naive searches."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import beta, binom

from medtail import metrics
from medtail.adaptation.best_threshold import THRESHOLD_METRICS, best_threshold
from medtail.adaptation.class_weights import balanced_weights
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


SAMPLES = st.tuples(
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0]), min_size=4, max_size=14),
    st.randoms(use_true_random=False),
)


@pytest.mark.parametrize("metric", THRESHOLD_METRICS)
@given(sample=SAMPLES)
def test_the_best_threshold_reaches_what_the_metric_says_is_possible(metric: str, sample) -> None:
    values, random = sample
    scores = np.array(values)
    positive = np.array([random.random() < 0.4 for _ in values])
    assume(positive.any() and not positive.all())
    threshold = best_threshold(positive, scores, metric)
    found = scores >= threshold
    true, false, count = (found & positive).sum(), (found & ~positive).sum(), positive.sum()
    specificity = 1 - false / (~positive).sum()
    reached = {
        "max_f1": 2 * true / (true + false + count),
        "max_balanced_accuracy": (true / count + specificity) / 2,
        "precision_at_recall_0.99": true / (true + false) if true == count else -1,
    }[metric]
    possible = {
        "max_f1": lambda: metrics.max_f1(positive, scores),
        "max_balanced_accuracy": lambda: metrics.max_balanced_accuracy(positive, scores),
        "precision_at_recall_0.99": lambda: metrics.precision_at_recall(positive, scores, 0.99),
    }[metric]()
    # Deciding for nobody is a threshold too, which the metric counts and a decision has no use for.
    assert reached == pytest.approx(possible) or (metric == "max_balanced_accuracy" and possible == 0.5)


def test_weights_count_cases_in_the_threshold() -> None:
    positive = np.array([False, False, True, False, True])
    scores = np.array([0.1, 0.3, 0.4, 0.6, 0.9])
    assert best_threshold(positive, scores, "max_f1") == pytest.approx(0.35)
    rare = np.where(positive, 0.02, 1.0)
    assert best_threshold(positive, scores, "max_f1", rare) == pytest.approx(0.75)


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


@given(st.integers(0, 200), st.floats(0.5, 0.995))
def test_ranks_and_needed_cases_agree(cases: int, share: float) -> None:
    for promise in (ExpectedShare(share), ConfidentShare(share, 0.9)):
        assert (promise.rank(cases) >= 1) == (cases >= promise.cases_needed)
        highest = promise.highest_share(cases)
        if 0.01 < highest < 0.999:
            assert type(promise)(highest - 1e-6).cases_needed <= cases or isinstance(promise, ConfidentShare)


def test_a_confident_rank_is_the_last_that_keeps_the_promise() -> None:
    promise = ConfidentShare(0.9, 0.95)
    for cases in (29, 46, 100, 500):
        rank = promise.rank(cases)
        assert binom.sf(rank - 1, cases, 0.1) >= 0.95 > binom.sf(rank, cases, 0.1)
        # The share below the k-th smallest of n is Beta(k, n - k + 1) distributed.
        assert beta.cdf(0.1, rank, cases - rank + 1) >= 0.95


@pytest.mark.parametrize(
    ("share", "cases", "rank"), [(0.9, 9, 1), (0.95, 19, 1), (0.95, 39, 2), (0.8, 4, 1), (0.7, 99, 30)]
)
def test_ranks_of_whole_numbers_are_not_lost_to_rounding(share: float, cases: int, rank: int) -> None:
    assert ExpectedShare(share).rank(cases) == rank
    assert ExpectedShare(share).rank(ExpectedShare(share).cases_needed - 1) == 0


def test_ties_are_taken_alike() -> None:
    scores = np.array([0.2] * 10 + [0.6] * 10)
    threshold = ExpectedShare(0.8).threshold(scores)
    assert threshold == 0.2 and (scores >= threshold).all()


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


def test_exact_lower_bounds_are_those_of_the_beta_distribution() -> None:
    for hits, cases in ((59, 59), (50, 60), (1, 30)):
        assert metrics.exact_lower_bound(hits, cases) == pytest.approx(beta.ppf(0.05, hits, cases - hits + 1))
    assert metrics.exact_lower_bound(0, 10) == 0.0
    assert np.isnan(metrics.exact_lower_bound(0, 0))
    with pytest.raises(InputError, match="successes must be in 0 … trials, got 3 of 2"):
        metrics.exact_lower_bound(3, 2)


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
