"""Metrics of features: how compact the classes are, and how far apart."""

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks
from medtail.errors import InputError
from medtail.metrics.undefined import mean_over_defined, warn_of_undefined


def angles_to_centres(features: ArrayLike, centres: ArrayLike) -> np.ndarray:
    """Return the angle in radians between every feature and every class centre, ``(N, C)``.

    For cosine heads, the centres are the rows of the head's weight. DBM Fig. 4 shows the column of the true class.

    Args:
        features: ``(N, D)``, with no row of zeros.
        centres: ``(C, D)``, with no row of zeros.

    Raises:
        InputError: The dimensions D differ, a value is not finite, or a row has no direction.

    Example:
        >>> angles_to_centres([[2.0, 0.0]], [[1.0, 0.0], [0.0, 3.0]]).round(4)
        array([[0.    , 1.5708]])
    """
    points, means = _directions("features", features), _directions("centres", centres)
    if points.shape[1] != means.shape[1]:
        raise InputError(
            f"features and centres must have the same size, got {points.shape[1]} and {means.shape[1]}"
        )
    angles: np.ndarray = np.arccos(np.clip(points @ means.T, -1.0, 1.0))
    return angles


def fisher_separability(
    features: ArrayLike, targets: ArrayLike, num_classes: int, *, ridge: float = 1e-3
) -> np.ndarray:
    """Return S_i, the mean over the other classes j of Fisher's criterion at its best projection; larger is better.

    DBM eq. 12: J(w) = (μ_i − μ_j)² / (σ_i² + σ_j²) along w. It is largest at w = (Σ_i + Σ_j)⁻¹(m_i − m_j), where it
    is (m_i − m_j)ᵀ (Σ_i + Σ_j)⁻¹ (m_i − m_j). Eq. 13: S_i = 1/(C−1) Σ_{j≠i} max_w J. m and Σ are a class's mean and
    population covariance.

    Args:
        features: ``(N, D)``.
        targets: Class ids ``(N,)``.
        num_classes: C.
        ridge: Added to the diagonal of Σ_i + Σ_j, relative to its mean. The paper mentions none, but a class with fewer
            samples than features has a singular covariance, and would have an infinite criterion.

    Returns:
        ``(C,)``; NaN for a class with fewer than two samples, which the means of the other classes leave out, too.

    Raises:
        InputError: The shapes do not match, or ``ridge`` is not positive.

    Example:
        >>> points = [[0.0, 1.0], [0.0, -1.0], [4.0, 1.0], [4.0, -1.0]]
        >>> bool((fisher_separability(points, [0, 0, 1, 1], 2) > 100).all())
        True
    """
    points = np.asarray(features, dtype=np.float64)
    ids = checks.class_ids("targets", targets, num_classes)
    if points.ndim != 2 or len(points) != len(ids):
        raise InputError(f"features must be (N, D) with N = {len(ids)} targets, got shape {points.shape}")
    ridge = checks.positive("ridge", ridge)
    members = [points[ids == index] for index in range(num_classes)]
    known = [index for index, rows in enumerate(members) if len(rows) > 1]
    means = {index: members[index].mean(axis=0) for index in known}
    covariances = {index: np.atleast_2d(np.cov(members[index], rowvar=False, ddof=0)) for index in known}
    criteria = np.full((num_classes, num_classes), np.nan)
    identity = np.eye(points.shape[1])
    for position, i in enumerate(known):
        for j in known[position + 1 :]:
            within = covariances[i] + covariances[j]
            difference = means[i] - means[j]
            # Classes that are single points have no spread; the smallest positive number keeps the system solvable.
            level = ridge * max(np.trace(within) / len(within), np.finfo(np.float64).tiny)
            criteria[i, j] = criteria[j, i] = difference @ np.linalg.solve(
                within + level * identity, difference
            )
    separability = mean_over_defined(criteria)
    warn_of_undefined("fisher_separability", separability, "having fewer than two samples")
    return separability


def _directions(name: str, rows: ArrayLike) -> np.ndarray:
    array = np.asarray(rows, dtype=np.float64)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise InputError(f"{name} must be finite rows of numbers, shape (rows, D), got shape {array.shape}")
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise InputError(f"{name} must have a direction, row {int(np.argmin(lengths))} is all zero")
    return np.asarray(array / lengths)
