"""Means of several predictions, and how far they differ: against loops over their equations."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medtail.inference.combination import COMBINATIONS, MeanLogProbability, MeanProbability, disagreement
from medtail.runs import MultiLabel, SingleLabel

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def classes() -> np.ndarray:
    """Of four members on five images of three classes."""
    return np.random.default_rng(0).dirichlet([1, 1, 1], size=(4, 5))


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.01, 0.99, size=(4, 5, 3))


def test_the_mean_probability(classes: np.ndarray, labels: np.ndarray) -> None:
    for probabilities, task in ((classes, SingleLabel()), (labels, MultiLabel())):
        combined = np.exp(MeanProbability().combine(np.log(probabilities), task))
        assert_allclose(combined, probabilities.mean(axis=0), rtol=1e-12)


def test_the_mean_log_probability_is_a_distribution_over_classes(classes: np.ndarray) -> None:
    combined = np.exp(MeanLogProbability().combine(np.log(classes), SingleLabel()))
    for image in range(5):
        products = [math.prod(classes[:, image, one]) ** (1 / 4) for one in range(3)]
        assert_allclose(combined[image], np.array(products) / sum(products), rtol=1e-12)


def test_the_mean_log_probability_of_a_label_is_that_of_presence_and_absence(labels: np.ndarray) -> None:
    combined = np.exp(MeanLogProbability().combine(np.log(labels), MultiLabel()))
    for image in range(5):
        for label in range(3):
            present = math.prod(labels[:, image, label]) ** (1 / 4)
            absent = math.prod(1 - labels[:, image, label]) ** (1 / 4)
            assert combined[image, label] == pytest.approx(present / (present + absent), rel=1e-12)


def test_the_mean_probability_of_one_is_its_own_bit_for_bit(classes: np.ndarray) -> None:
    logs = np.log(classes[:1])
    assert_array_equal(MeanProbability().combine(logs, SingleLabel()), logs[0])


@pytest.mark.parametrize("name", COMBINATIONS)
def test_certainty_is_combined_too(name: str) -> None:
    with np.errstate(divide="ignore"):
        logs = np.log([[[1.0, 0.0]], [[1.0, 0.0]]])
        opposite = np.log([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert_allclose(np.exp(COMBINATIONS[name].combine(logs, SingleLabel())), [[1.0, 0.0]])
    assert_allclose(np.exp(COMBINATIONS[name].combine(opposite, SingleLabel())), [[0.5, 0.5]])
    assert_allclose(np.exp(COMBINATIONS[name].combine(logs, MultiLabel())), [[1.0, 0.0]])


def entropy(distribution: list[float]) -> float:
    return -sum(share * math.log(share) for share in distribution)


def test_disagreement_of_classes(classes: np.ndarray) -> None:
    table = disagreement(np.log(classes), SingleLabel(), NAMES)
    for image in range(5):
        mean = list(classes[:, image].mean(axis=0))
        expected = entropy(mean) - sum(entropy(list(classes[member, image])) for member in range(4)) / 4
        assert table["mutual_information"][image] == pytest.approx(expected, abs=1e-12)
    deviations = table[[f"standard_deviation_{name}" for name in NAMES]].to_numpy()
    assert_allclose(deviations, np.std(classes, axis=0, ddof=1), rtol=1e-10)


def test_disagreement_of_each_label_by_itself(labels: np.ndarray) -> None:
    table = disagreement(np.log(labels), MultiLabel(), NAMES)
    for label, name in enumerate(NAMES):
        for image in range(5):
            own = labels[:, image, label]
            mean = own.mean()
            expected = entropy([mean, 1 - mean]) - sum(entropy([one, 1 - one]) for one in own) / 4
            assert table[f"mutual_information_{name}"][image] == pytest.approx(expected, abs=1e-12)


def test_members_that_agree_have_no_mutual_information(classes: np.ndarray) -> None:
    table = disagreement(np.log(np.stack([classes[0], classes[0]])), SingleLabel(), NAMES)
    assert_allclose(table.to_numpy(), 0.0, atol=1e-12)
    with np.errstate(divide="ignore"):
        certain = np.log([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert disagreement(certain, SingleLabel(), ("a", "b"))["mutual_information"][0] == pytest.approx(
        math.log(2)
    )
