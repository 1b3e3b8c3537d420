"""Against a truth that is known in closed form: Gaussian classes of chosen overlap, at any prior."""

import numpy as np
import pytest
from scipy.stats import norm

from medtail.adaptation.best_threshold import best_threshold
from medtail.adaptation.class_weights import balanced_weights
from medtail.metrics import expected_cost
from medtail.operating_point import (
    ClassConditionalSets,
    ConfidentShare,
    ExpectedShare,
    MinimumCost,
    PriorShift,
    TemperatureScaling,
    VectorScaling,
)
from references.gaussians import THREE, TWO, GaussianClasses

PRIORS = {
    2: [np.array([0.9, 0.1]), np.array([0.5, 0.5]), np.array([0.02, 0.98])],
    3: [np.array([0.8, 0.15, 0.05]), np.ones(3) / 3, np.array([0.01, 0.29, 0.7])],
}
COSTS = {2: np.array([[0.0, 1.0], [15.0, 0.0]]), 3: np.array([[0, 1, 2], [10, 0, 5], [30, 4, 0.0]])}


def recalls(targets: np.ndarray, decisions: np.ndarray, classes: int) -> np.ndarray:
    return np.array([(decisions[targets == index] == index).mean() for index in range(classes)])


@pytest.mark.parametrize("truth", [TWO, THREE], ids=["two", "three"])
def test_shifting_gives_the_posterior_of_the_other_prior(truth: GaussianClasses) -> None:
    classes = len(truth.means)
    _, points = truth.draw([300] * classes, np.random.default_rng(0))
    for source in PRIORS[classes]:
        for target in PRIORS[classes]:
            shifted = PriorShift(source, target).apply(truth.posterior(points, source))
            np.testing.assert_allclose(shifted, truth.posterior(points, target), rtol=1e-9, atol=1e-12)


def test_the_expected_cost_of_two_classes_is_the_lowest_there_is() -> None:
    """The best threshold on x is known, and so is its cost."""
    prior, costs, distance = PRIORS[2][0], COSTS[2], 1.5
    cut = distance / 2 + np.log(prior[0] * costs[0, 1] / (prior[1] * costs[1, 0])) / distance
    best = prior[0] * costs[0, 1] * norm.sf(cut) + prior[1] * costs[1, 0] * norm.cdf(cut - distance)
    targets, points = TWO.draw([180_000, 20_000], np.random.default_rng(1))
    adapted = PriorShift([0.5, 0.5], prior).apply(TWO.posterior(points, [0.5, 0.5]))
    decisions = MinimumCost(costs).decide(adapted)
    assert ((points[:, 0] > cut) == (decisions == 1)).all()
    spread = costs[targets, decisions].std() / np.sqrt(len(targets))
    assert expected_cost(targets, decisions, costs) == pytest.approx(best, abs=4 * spread)


def test_no_other_decision_of_three_classes_costs_less() -> None:
    prior = PRIORS[3][0]
    targets, points = THREE.draw([80_000, 15_000, 5_000], np.random.default_rng(2))
    adapted = PriorShift(PRIORS[3][2], prior).apply(THREE.posterior(points, PRIORS[3][2]))
    best = expected_cost(targets, MinimumCost(COSTS[3]).decide(adapted), COSTS[3])
    bayes = expected_cost(targets, (THREE.posterior(points, prior) @ COSTS[3]).argmin(axis=1), COSTS[3])
    assert best == pytest.approx(bayes, rel=1e-9)
    for scale in (0.5, 2.0):
        wrong = COSTS[3] ** scale
        assert expected_cost(targets, MinimumCost(wrong).decide(adapted), COSTS[3]) > best


@pytest.mark.parametrize("source", PRIORS[2], ids=str)
def test_a_balanced_prior_reaches_the_best_balanced_accuracy_of_two(source: np.ndarray) -> None:
    targets, points = TWO.draw([100_000, 100_000], np.random.default_rng(3))
    adapted = PriorShift(source, [0.5, 0.5]).apply(TWO.posterior(points, source))
    reached = recalls(targets, adapted.argmax(axis=1), 2).mean()
    assert reached == pytest.approx(norm.cdf(0.75), abs=4 * np.sqrt(0.2 / 200_000))


def test_the_threshold_of_the_best_balanced_accuracy_is_found_on_a_sample() -> None:
    """Away from the best cut by ε it is lower by about ε² φ'(0.75) / 2: a sample of 1000 loses a hundredth."""
    losses = []
    for seed in range(40):
        targets, points = TWO.draw([900, 100], np.random.default_rng(seed))
        scores = TWO.posterior(points, [0.9, 0.1])[:, 1]
        threshold = best_threshold(targets == 1, scores, "max_balanced_accuracy")
        cut = (np.log(threshold / (1 - threshold)) + np.log(9)) / 1.5 + 0.75
        losses.append(norm.cdf(0.75) - (norm.cdf(cut) + norm.sf(cut - 1.5)) / 2)
    assert min(losses) >= -1e-12
    assert np.mean(losses) < 0.01


@pytest.mark.parametrize("source", PRIORS[3], ids=str)
def test_weights_reach_the_best_balanced_accuracy_of_three(source: np.ndarray) -> None:
    """Of three classes the best is that of the posterior at equal priors, measured on many points."""
    targets, points = THREE.draw([50_000] * 3, np.random.default_rng(4))
    best = recalls(targets, THREE.posterior(points, np.ones(3) / 3).argmax(axis=1), 3).mean()
    chosen_on, chosen_points = THREE.draw([1500, 600, 200], np.random.default_rng(5))
    rule = balanced_weights(chosen_on, THREE.posterior(chosen_points, source), [np.ones(3), 1 / source])
    reached = recalls(targets, rule.decide(THREE.posterior(points, source)), 3).mean()
    assert best - 0.01 < reached <= best + 0.002
    np.testing.assert_allclose(np.log(rule.weights * source), np.log(rule.weights * source).mean(), atol=0.5)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("truth", [TWO, THREE], ids=["two", "three"])
def test_temperature_scaling_recovers_the_posterior(truth: GaussianClasses, temperature: float) -> None:
    classes = len(truth.means)
    counts = np.round(PRIORS[classes][0] * 20_000).astype(int)
    targets, points = truth.draw(counts, np.random.default_rng(6))
    posterior = truth.posterior(points, PRIORS[classes][0])
    distorted = TemperatureScaling(1 / temperature).apply(posterior)
    fitted = TemperatureScaling.fit(targets, distorted)
    assert fitted.temperature == pytest.approx(temperature, rel=0.05)
    np.testing.assert_allclose(fitted.apply(distorted), posterior, atol=0.02)


def test_vector_scaling_recovers_the_posterior() -> None:
    slope, offsets = 0.5, np.array([1.0, -0.5, -0.5])
    counts = np.array([12_000, 6_000, 2_000])
    targets, points = THREE.draw(counts, np.random.default_rng(7))
    posterior = THREE.posterior(points, counts / counts.sum())
    distorted = VectorScaling(np.full(3, slope), offsets).apply(posterior)
    fitted = VectorScaling.fit(targets, distorted)
    np.testing.assert_allclose(fitted.slopes, 1 / slope, rtol=0.1)
    np.testing.assert_allclose(fitted.offsets - fitted.offsets.mean(), -offsets / slope, atol=0.15)
    assert np.abs(fitted.apply(distorted) - posterior).mean() < 0.005
    assert np.abs(distorted - posterior).mean() > 0.1


def test_sets_cover_each_class_as_promised() -> None:
    counts, coverage, draws = (25, 60, 200), 0.9, 300
    targets, points = THREE.draw([20_000] * 3, np.random.default_rng(8))
    probabilities = THREE.posterior(points, PRIORS[3][0])
    covered = []
    for seed in range(draws):
        own, own_points = THREE.draw(counts, np.random.default_rng([9, seed]))
        rule = ClassConditionalSets.fit(own, THREE.posterior(own_points, PRIORS[3][0]), coverage)
        inside = rule.contains(probabilities)
        covered.append([inside[targets == index, index].mean() for index in range(3)])
    means = np.mean(covered, axis=0)
    errors = np.std(covered, axis=0) / np.sqrt(draws)
    assert (means >= coverage - 4 * errors).all()
    # And no more than the one rank that a sample cannot split.
    assert (means <= coverage + 1 / (np.array(counts) + 1) + 4 * errors).all()


def _recalls_of_thresholds(promise: ExpectedShare | ConfidentShare, cases: int, draws: int) -> np.ndarray:
    """The true recall of class 1 of two at the thresholds of many validation samples: known from its quantile."""
    found = []
    for seed in range(draws):
        _, points = TWO.draw([0, cases], np.random.default_rng([10, seed]))
        threshold = promise.threshold(TWO.posterior(points, [0.5, 0.5])[:, 1])
        cut = np.log(threshold / (1 - threshold)) / 1.5 + 0.75
        found.append(norm.sf(cut - 1.5))
    return np.array(found)


@pytest.mark.parametrize(("recall", "cases"), [(0.95, 19), (0.95, 40), (0.8, 33), (0.99, 150)])
def test_the_expected_recall_is_kept(recall: float, cases: int) -> None:
    found = _recalls_of_thresholds(ExpectedShare(recall), cases, 1500)
    error = found.std() / np.sqrt(len(found))
    assert recall - 4 * error <= found.mean() <= recall + 1 / (cases + 1) + 4 * error


@pytest.mark.parametrize(("recall", "cases"), [(0.95, 59), (0.9, 60), (0.8, 100)])
def test_the_recall_with_confidence_is_kept(recall: float, cases: int) -> None:
    promise = ConfidentShare(recall, confidence=0.9)
    kept = (_recalls_of_thresholds(promise, cases, 1500) >= recall).mean()
    assert kept >= 0.9 - 4 * np.sqrt(0.09 / 1500)
    # The next rank would not keep it.
    from scipy.stats import binom

    assert binom.sf(promise.rank(cases), cases, 1 - recall) < 0.9
