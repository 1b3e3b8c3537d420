"""Angles and Fisher's criterion against scikit-learn, a search over projections, and by hand."""

import numpy as np
import pytest

from medtail import metrics
from medtail.errors import InputError
from medtail.metrics import UndefinedMetricWarning


def _clouds(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    targets = np.repeat([0, 1, 2], [60, 30, 15])
    centres = np.array([[0.0, 0.0], [3.0, 0.0], [1.0, 4.0]])
    spreads = np.array([[1.0, 0.3], [0.5, 1.5], [0.8, 0.8]])
    return centres[targets] + spreads[targets] * generator.normal(size=(105, 2)), targets


def test_separability_is_the_best_of_all_projections() -> None:
    points, targets = _clouds()
    angles = np.linspace(0, np.pi, 20_001)
    projections = points @ np.stack([np.cos(angles), np.sin(angles)])
    best = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            first, second = projections[targets == i], projections[targets == j]
            criterion = (first.mean(0) - second.mean(0)) ** 2 / (first.var(0) + second.var(0))
            best[i, j] = criterion.max()
    expected = best.sum(axis=1) / 2
    np.testing.assert_allclose(
        metrics.fisher_separability(points, targets, 3, ridge=1e-12), expected, rtol=1e-5
    )


def test_no_ridge_where_the_covariances_have_an_inverse() -> None:
    points, targets = _clouds()
    first, second = points[targets == 0], points[targets == 1]
    within = np.cov(first, rowvar=False, ddof=0) + np.cov(second, rowvar=False, ddof=0)
    difference = first.mean(0) - second.mean(0)
    expected = difference @ np.linalg.inv(within) @ difference
    two = targets < 2
    for ridge in (1e-12, 1e-3, 1.0):
        found = metrics.fisher_separability(points[two], targets[two], 2, ridge=ridge)
        np.testing.assert_allclose(found, [expected, expected], rtol=1e-12)


def test_where_covariances_are_singular_the_criterion_is_that_of_the_projection() -> None:
    generator = np.random.default_rng(1)
    targets = np.repeat([0, 1], 4)
    points = generator.normal(size=(8, 50))
    first, second = points[:4], points[4:]
    within = np.cov(first, rowvar=False, ddof=0) + np.cov(second, rowvar=False, ddof=0)
    difference = first.mean(0) - second.mean(0)
    level = 1e-3 * np.trace(within) / 50
    along = points @ np.linalg.solve(within + level * np.eye(50), difference)
    expected = (along[:4].mean() - along[4:].mean()) ** 2 / (along[:4].var() + along[4:].var())
    np.testing.assert_allclose(metrics.fisher_separability(points, targets, 2), [expected] * 2, rtol=1e-6)


def test_classes_without_spread_are_infinitely_far_apart_unless_they_are_one() -> None:
    points = [[0.0, 0.0]] * 2 + [[1.0, 2.0]] * 2 + [[1.0, 2.0]] * 2
    found = metrics.fisher_separability(points, [0, 0, 1, 1, 2, 2], 3)
    assert found.tolist() == [np.inf, np.inf, np.inf]
    assert metrics.fisher_separability(points[2:], [0, 0, 1, 1], 2).tolist() == [0.0, 0.0]


def test_separability_by_hand() -> None:
    # Means 4 apart, variance 1 in each class: 16 / 2.
    points = [[-1.0], [1.0], [3.0], [5.0]]
    np.testing.assert_allclose(metrics.fisher_separability(points, [0, 0, 1, 1], 2, ridge=1e-12), [8, 8])


def test_separability_ignores_rotation_and_scale() -> None:
    points, targets = _clouds()
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(
        metrics.fisher_separability(7 * points @ turn + 5, targets, 3),
        metrics.fisher_separability(points, targets, 3),
    )


def test_a_class_of_one_sample_is_left_out_everywhere() -> None:
    points, targets = _clouds()
    with_a_single = np.append(points, [[9.0, 9.0]], axis=0), np.append(targets, 3)
    with pytest.warns(
        UndefinedMetricWarning, match="3 of 4 classes: class 3 left out, having fewer than two"
    ):
        separability = metrics.fisher_separability(*with_a_single, 4)
    assert np.isnan(separability[3])
    np.testing.assert_allclose(separability[:3], metrics.fisher_separability(points, targets, 3))


def test_more_features_than_samples_stay_finite() -> None:
    generator = np.random.default_rng(0)
    targets = np.repeat([0, 1], 4)
    assert np.isfinite(metrics.fisher_separability(generator.normal(size=(8, 50)), targets, 2)).all()


def test_angles_by_hand() -> None:
    angles = metrics.angles_to_centres([[1.0, 0.0], [-2.0, 0.0]], [[3.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(np.degrees(angles), [[0, 45], [180, 135]], atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: metrics.angles_to_centres([[0.0, 0.0]], [[1.0, 0.0]]),
            "features must have a direction, row 0 is all zero",
        ),
        (lambda: metrics.angles_to_centres([[1.0]], [[1.0, 0.0]]), "must have the same size, got 1 and 2"),
        (lambda: metrics.fisher_separability([[1.0]], [0, 1], 2), r"features must be \(N, D\) with N = 2"),
        (
            lambda: metrics.fisher_separability([[1.0], [2.0]], [0, 1], 2, ridge=0),
            r"ridge must be a number in \(0, inf\), got 0",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
