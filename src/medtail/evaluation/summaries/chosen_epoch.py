"""The epoch of a training that is kept and judged, by the recipe's ``training.monitor``."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

#: From ``training.monitor`` to the column of ``metrics.csv`` that chooses; None takes the last epoch.
MONITORED: dict[str, str | None] = {
    "balanced_accuracy": "validation_balanced_accuracy",
    "auc": "validation_auc",
    "last_epoch": None,
    # Only where the test split is watched in place of validation.
    "best_test": "validation_accuracy",
}


def monitored_window(monitor: str, window: int) -> int:
    """Return over how many epochs the metric is averaged; papers that choose on test take single epochs."""
    return 1 if monitor == "best_test" else window


def chosen_column(monitor: str, window: int) -> str | None:
    """Return the column of ``metrics.csv`` whose highest value chooses; None where the last epoch is kept."""
    column = MONITORED[monitor]
    return column if column is None or monitored_window(monitor, window) == 1 else f"{column}_mean"


def trailing_mean(values: Sequence[float], window: int) -> float:
    """Return the mean of the last values, at most ``window``, to five decimals: a file keeps no more.

    Example:
        >>> trailing_mean([0.1, 0.5, 0.6, 0.7], 3), trailing_mean([0.1], 3)
        (0.6, 0.1)
    """
    return round(float(np.mean(values[-window:])), 5)


def chosen_row(epochs: pd.DataFrame, monitor: str, window: int = 1) -> int:
    """Row of the epoch that was kept: the last of equals, or the first where single epochs are compared."""
    column = chosen_column(monitor, window)
    if column is None:
        return len(epochs) - 1
    values = epochs[column].fillna(-np.inf).to_numpy()
    if monitored_window(monitor, window) == 1:
        return int(np.argmax(values))
    return len(values) - 1 - int(np.argmax(values[::-1]))
