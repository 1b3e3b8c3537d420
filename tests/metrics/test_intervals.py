"""Wilson's interval, and the bootstrap by image and by group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from medtail import metrics
from medtail.errors import InputError


@given(st.integers(0, 60), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_wilson_is_the_solution_of_the_score_equation(successes: int, extra: int) -> None:
    trials = successes + extra
    share, z = successes / trials, 1.959963984540054
    for bound in metrics.wilson_interval(successes, trials):
        assert (share - bound) ** 2 == pytest.approx(z**2 * bound * (1 - bound) / trials, abs=1e-9)


def test_wilson_has_a_width_at_the_ends() -> None:
    assert metrics.wilson_interval(0, 12) == pytest.approx((0.0, 0.2425), abs=1e-4)
    assert metrics.wilson_interval(12, 12) == pytest.approx((0.7575, 1.0), abs=1e-4)


def test_exact_lower_bounds_are_those_of_the_beta_distribution() -> None:
    for hits, cases in ((59, 59), (50, 60), (1, 30)):
        assert metrics.exact_lower_bound(hits, cases) == pytest.approx(beta.ppf(0.05, hits, cases - hits + 1))
    assert metrics.exact_lower_bound(0, 10) == 0.0
    assert np.isnan(metrics.exact_lower_bound(0, 0))
    with pytest.raises(InputError, match="successes must be in 0 … trials, got 3 of 2"):
        metrics.exact_lower_bound(3, 2)


def test_wilson_without_trials_is_undefined() -> None:
    assert np.isnan(metrics.wilson_interval(0, 0)).all()


def _mean_of(values: np.ndarray):
    return lambda weights: values @ weights / weights.sum(axis=0)


def test_bootstrap_has_the_standard_error_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=400)
    means = metrics.bootstrap(_mean_of(values), range(400), resamples=4000, seed=1)
    assert means.std() == pytest.approx(values.std() / 20, rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=0.005)


def test_images_of_one_group_are_drawn_together() -> None:
    # Ten images of one patient carry the information of one: the interval must not shrink.
    values = np.random.default_rng(0).normal(size=40)
    alone = metrics.bootstrap(_mean_of(values), range(40), resamples=2000)
    groups = np.repeat([f"patient {i}" for i in range(40)], 10)
    together = metrics.bootstrap(_mean_of(np.repeat(values, 10)), groups, resamples=2000)
    as_if_independent = metrics.bootstrap(_mean_of(np.repeat(values, 10)), range(400), resamples=2000)
    assert together.std() == pytest.approx(alone.std(), rel=0.1)
    assert as_if_independent.std() < 0.5 * together.std()


def test_every_resample_draws_as_many_groups_as_there_are() -> None:
    groups = np.array(["a", "b", "b", "c"])
    seen = metrics.bootstrap(lambda weights: weights.T, groups, resamples=50)
    np.testing.assert_array_equal(seen[:, 1], seen[:, 2])
    np.testing.assert_array_equal(seen[:, 0] + seen[:, 1] + seen[:, 3], 3)


def test_seed_decides_the_draws() -> None:
    def draws(seed: int) -> np.ndarray:
        return metrics.bootstrap(lambda weights: weights.T, range(30), resamples=5, seed=seed)

    np.testing.assert_array_equal(draws(7), draws(7))
    assert (draws(7) != draws(8)).any()


def test_a_large_set_is_drawn_in_parts_of_the_right_number() -> None:
    widths = []

    def statistic(weights: np.ndarray) -> np.ndarray:
        widths.append(weights.shape[1])
        return weights.mean(axis=0)

    means = metrics.bootstrap(statistic, range(30_000), resamples=150)
    assert means.shape == (150,)
    assert len(widths) > 1
    assert sum(widths) == 150


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    # Balanced accuracy of a decision that is right with probability .8 and .5 in two classes: truth .65.
    generator = np.random.default_rng(5)
    targets = np.repeat([0, 1], [150, 50])
    covered = 0
    for trial in range(120):
        right = generator.random(200) < np.where(targets == 0, 0.8, 0.5)
        decisions = np.where(right, targets, 1 - targets)
        values = metrics.bootstrap(
            lambda weights, decisions=decisions: metrics.balanced_accuracy(
                metrics.Outcomes.weighted(targets, decisions, 2, weights)
            ),
            range(200),
            resamples=300,
            seed=trial,
        )
        low, high = metrics.percentile_interval(values)
        covered += low <= 0.65 <= high
    assert 0.88 <= covered / 120 <= 0.99


def test_undefined_resamples_are_left_out_until_they_are_half() -> None:
    values = np.concatenate([np.arange(101.0), np.full(50, np.nan)])
    assert metrics.percentile_interval(values, 0.5) == (25.0, 75.0)
    assert np.isnan(metrics.percentile_interval(np.array([1.0, np.nan]))).all()


def test_centred_interval_keeps_its_width_and_holds_the_estimate() -> None:
    # The variation of 50 equal recalls is noise alone, and a resample doubles it.
    generator = np.random.default_rng(0)
    targets = np.repeat(np.arange(50), 20)
    decisions = np.where(generator.random(1000) < 0.5, targets, (targets + 1) % 50)
    estimate = metrics.recall_variation(metrics.confusion_matrix(targets, decisions, 50))
    values = metrics.bootstrap(
        lambda weights: metrics.recall_variation(metrics.Outcomes.weighted(targets, decisions, 50, weights)),
        range(1000),
        resamples=300,
    )
    low, high = metrics.percentile_interval(values)
    assert low > estimate
    centred_low, centred_high = metrics.centred_interval(values, estimate)
    assert centred_low < estimate < centred_high
    assert centred_high - centred_low == pytest.approx(high - low)


def test_centred_interval_does_not_go_below_zero() -> None:
    assert metrics.centred_interval([1.0, 2.0, 3.0], 0.1)[0] == 0
    assert np.isnan(metrics.centred_interval([np.nan, 1.0], 0.1)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.wilson_interval(3, 2), "successes must be in 0 … trials, got 3 of 2"),
        (lambda: metrics.wilson_interval(1, 2, 1.0), r"confidence must be a number in \(0, 1\), got 1.0"),
        (
            lambda: metrics.bootstrap(lambda weights: weights.T, []),
            r"units must be one group per image.*shape \(0,\)",
        ),
        (
            lambda: metrics.bootstrap(lambda weights: weights.T, [1], resamples=0),
            "resamples must be a whole number of at least 1, got 0",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
