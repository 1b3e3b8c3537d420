"""What wrong decisions cost."""

import numpy as np
from numpy.typing import ArrayLike

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
    table = np.asarray(costs, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.isfinite(table).all():
        raise InputError(f"costs must be a finite square table, truth × decision, got shape {table.shape}")
    truth, decided = targets_and_predictions(targets, predictions, len(table))
    columns = sample_weights(weights, len(truth))
    return one_or_many(ratio(table[truth, decided] @ columns, columns.sum(axis=0)), weights)
