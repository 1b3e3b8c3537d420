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
        ridge: Added to the diagonal of Σ_i + Σ_j, relative to its mean, to find w where Σ_i + Σ_j is singular: the
            paper mentions none, but classes with fewer samples than features have no inverse. J is evaluated without
            it in any case, and is as large there as the ridge is small.

    Returns:
        ``(C,)``; NaN for a class with fewer than two samples, which the means of the other classes leave out, too, and
        infinite where classes have no spread along w.

    Raises:
        InputError: The shapes do not match, or ``ridge`` is not positive.

    Example:
        >>> points = [[0.0, 1.0], [0.0, -1.0], [4.0, 1.0], [4.0, -1.0]]
        >>> fisher_separability(points, [0, 0, 1, 1], 2)
        array([inf, inf])
        >>> fisher_separability([[-1.0], [1.0], [3.0], [5.0]], [0, 0, 1, 1], 2)
        array([8., 8.])
    """
    points = checks.array(features, np.float64)
    ids = checks.class_ids("targets", targets, num_classes)
    if points.ndim != 2 or len(points) != len(ids):
        raise InputError(f"features must be (N, D) with N = {len(ids)} targets, got shape {points.shape}")
    ridge = checks.positive("ridge", ridge)
    members = [points[ids == index] for index in range(num_classes)]
    known = [index for index, rows in enumerate(members) if len(rows) > 1]
    means = {index: members[index].mean(axis=0) for index in known}
    # Rows whose products A^T A are the covariance of a class.
    roots = {index: (members[index] - means[index]) / np.sqrt(len(members[index])) for index in known}
    criteria = np.full((num_classes, num_classes), np.nan)
    for position, i in enumerate(known):
        for j in known[position + 1 :]:
            root, difference = np.concatenate([roots[i], roots[j]]), means[i] - means[j]
            criteria[i, j] = criteria[j, i] = _best_criterion(root, difference, ridge)
    separability = mean_over_defined(criteria)
    warn_of_undefined("fisher_separability", separability, "having fewer than two samples")
    return separability


def _best_criterion(root: np.ndarray, difference: np.ndarray, ridge: float) -> float:
    """J(w) at w = S⁻¹d, for S = AᵀA, A ``(N, D)`` and d ``(D,)``."""
    projection = _projection(root, difference, ridge)
    # Of length one, because without spread w is as long as the ridge is small; J does not depend on it.
    projection /= max(np.linalg.norm(projection), np.finfo(np.float64).tiny)
    between, spread = float(projection @ difference) ** 2, float(np.square(root @ projection).sum())
    if between == 0:
        return 0.0
    return between / spread if spread > 0 else np.inf


def _projection(root: np.ndarray, difference: np.ndarray, ridge: float) -> np.ndarray:
    """The direction of S⁻¹d, of any length, with a ridge where S = AᵀA has no inverse."""
    rows, size = root.shape
    # Classes that are single points have no spread; the smallest positive number keeps the system solvable.
    level = ridge * max(np.square(root).sum() / size, np.finfo(np.float64).tiny)
    if rows < size:
        # By Woodbury's identity λ(AᵀA + λI)⁻¹d = d − Aᵀ(AAᵀ + λI)⁻¹Ad, a smaller system.
        inner = np.linalg.solve(root @ root.T + level * np.eye(rows), root @ difference)
        return np.asarray(difference - root.T @ inner)
    within = root.T @ root
    if _is_singular(within):
        within += level * np.eye(size)
    return np.asarray(np.linalg.solve(within, difference))


def _is_singular(matrix: np.ndarray) -> bool:
    """Whether a symmetric matrix has no inverse to working precision, by its Cholesky pivots."""
    try:
        pivots = np.diag(np.linalg.cholesky(matrix)) ** 2
    except np.linalg.LinAlgError:
        return True
    return bool(pivots.min() <= len(matrix) * np.finfo(np.float64).eps * pivots.max())


def _directions(name: str, rows: ArrayLike) -> np.ndarray:
    array = checks.array(rows, np.float64)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise InputError(f"{name} must be finite rows of numbers, shape (rows, D), got shape {array.shape}")
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise InputError(f"{name} must have a direction, row {int(np.argmin(lengths))} is all zero")
    return np.asarray(array / lengths)
