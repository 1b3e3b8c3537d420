"""What wrong decisions cost."""

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks
from medtail.errors import InputError
from medtail.metrics.arguments import Value, one_or_many, sample_weights, targets_and_predictions
from medtail.metrics.undefined import ratio


def expected_cost(
    targets: ArrayLike, predictions: ArrayLike, costs: ArrayLike, *, weights: ArrayLike | None = None
) -> Value:
    """Return the mean over samples of K[truth, decision]. NaN without samples.

    With 1 for every mistake and 0 on the diagonal, it is 1 − accuracy.

    Args:
        targets: True class ids ``(N,)``.
        predictions: Decided class ids ``(N,)``.
        costs: K ``(C, C)``, with the truth in rows and the decisions in columns.
        weights: ``(N,)``, or ``(N, R)`` for R weightings at once.

    Raises:
        InputError: ``costs`` is not a finite square table, or an id is not in 0 … C−1.

    Example:
        >>> expected_cost([0, 1, 1], [0, 1, 0], [[0, 1], [30, 0]])
        10.0
    """
    table = checks.array(costs, np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.isfinite(table).all():
        raise InputError(f"costs must be a finite square table, truth × decision, got shape {table.shape}")
    truth, decided = targets_and_predictions(targets, predictions, len(table))
    columns = sample_weights(weights, len(truth))
    return one_or_many(ratio(table[truth, decided] @ columns, columns.sum(axis=0)), weights)


def net_benefit(targets: ArrayLike, scores: ArrayLike, thresholds: ArrayLike) -> np.ndarray:
    r"""Return the net benefit of acting where a probability reaches each threshold (Vickers and Elkin 2006).

    .. math:: \frac{TP_t}{n} - \frac{FP_t}{n} \cdot \frac{t}{1 - t}

    A threshold t says that missing a case is (1 - t)/t times as bad as acting without one. Acting on nobody has 0; on
    everybody, what t = 0 decides.

    Args:
        targets: Whether each sample is a case ``(N,)``.
        scores: Probability that it is one ``(N,)``.
        thresholds: ``(T,)``, in [0, 1).

    Returns:
        ``(T,)``; NaN without samples.

    Raises:
        InputError: Lengths differ, or a threshold is not in [0, 1).

    Example:
        >>> net_benefit([1, 0, 0, 0], [0.9, 0.6, 0.2, 0.1], [0.5, 0.8]).tolist()
        [0.0, 0.25]
    """
    cases, given, at = (checks.array(values) for values in (targets, scores, thresholds))
    cases = cases.astype(bool)
    if cases.shape != given.shape or cases.ndim != 1:
        raise InputError(f"targets and scores must be (N,) each, got {cases.shape} and {given.shape}")
    if not ((at >= 0) & (at < 1)).all():
        raise InputError(f"thresholds must be at least 0 and below 1, got {at.tolist()}")
    reached = [np.sort(part) for part in (given[cases], given[~cases])]
    true, false = (len(part) - np.searchsorted(part, at, side="left") for part in reached)
    size = np.asarray(len(cases))
    benefit: np.ndarray = ratio(true, size) - ratio(false, size) * at / (1 - at)
    return benefit
