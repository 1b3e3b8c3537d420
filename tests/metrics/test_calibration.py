"""Brier score and calibration error against scikit-learn, torchmetrics and by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from medtail import metrics
from medtail.errors import InputError


def _samples(num_classes: int, size: int = 300) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(num_classes)
    probabilities = generator.dirichlet(np.full(num_classes, 0.4), size)
    return generator.integers(0, num_classes, size), probabilities


def test_brier_score_by_hand() -> None:
    assert metrics.brier_score([0, 2], [[1, 0, 0], [0.5, 0.25, 0.25]]) == pytest.approx(
        (0 + 0.25 + 0.0625 + 0.5625) / 2
    )


@pytest.mark.parametrize("num_classes", [2, 3, 7])
def test_brier_score_agrees_with_scikit_learn(num_classes: int) -> None:
    targets, probabilities = _samples(num_classes)
    theirs = brier_score_loss(targets, probabilities, labels=range(num_classes))
    assert metrics.brier_score(targets, probabilities) == pytest.approx(theirs)


def test_two_columns_and_one_mean_the_same() -> None:
    targets, probabilities = _samples(2)
    for metric in (metrics.brier_score, metrics.expected_calibration_error):
        assert metric(targets, probabilities[:, 1]) == pytest.approx(metric(targets, probabilities))


@pytest.mark.parametrize(("num_classes", "bins"), [(2, 15), (3, 10), (7, 15)])
def test_calibration_error_agrees_with_torchmetrics(num_classes: int, bins: int) -> None:
    targets, probabilities = _samples(num_classes)
    theirs = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(targets), num_classes, n_bins=bins, norm="l1"
    )
    ours = metrics.expected_calibration_error(targets, probabilities, bins=bins)
    assert ours == pytest.approx(float(theirs), abs=1e-6)


def test_bins_are_closed_on_the_right() -> None:
    bins = metrics.reliability_bins([0, 0, 0], [[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]], bins=4)
    np.testing.assert_array_equal(bins.counts, [0, 1, 1, 1])
    np.testing.assert_array_equal(bins.confidences, [np.nan, 0.5, 0.75, 1.0])
    np.testing.assert_array_equal(bins.accuracies, [np.nan, 1.0, 1.0, 1.0])


def test_bins_add_up_to_the_error() -> None:
    targets, probabilities = _samples(5)
    bins = metrics.reliability_bins(targets, probabilities)
    gaps = np.abs(bins.accuracies - bins.confidences)
    assert metrics.expected_calibration_error(targets, probabilities) == pytest.approx(
        np.nansum(gaps * bins.counts) / bins.counts.sum()
    )
    assert bins.counts.sum() == len(targets)


@pytest.mark.parametrize("metric", [metrics.brier_score, metrics.expected_calibration_error])
def test_weights_are_repetitions(metric) -> None:
    targets, probabilities = _samples(4)
    weights = np.random.default_rng(0).integers(0, 3, size=(len(targets), 3))
    expected = [
        metric(np.repeat(targets, column), np.repeat(probabilities, column, axis=0)) for column in weights.T
    ]
    np.testing.assert_allclose(metric(targets, probabilities, weights=weights), expected)
    assert metric(targets, probabilities, weights=weights[:, 0]) == pytest.approx(expected[0])


@pytest.mark.parametrize("metric", [metrics.brier_score, metrics.expected_calibration_error])
def test_without_samples_it_is_undefined(metric) -> None:
    assert np.isnan(metric(np.empty(0, dtype=int), np.empty((0, 3))))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: metrics.brier_score([0, 1], [[2.0, -1.0], [0.5, 0.5]]),
            r"lie in \[0, 1\], got -1; pass loss.prob",
        ),
        (lambda: metrics.expected_calibration_error([0, 1], [0.1, 1.5]), r"lie in \[0, 1\], got 1.5"),
        (
            lambda: metrics.expected_calibration_error([0, 1], [0.1, 0.5], bins=0),
            "bins must be a whole number of at least 1, got 0",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
