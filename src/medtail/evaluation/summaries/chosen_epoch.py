"""The epoch of a training that is kept and judged, by the recipe's ``training.monitor``."""

import numpy as np
import pandas as pd

#: From ``training.monitor`` to the column of ``metrics.csv`` whose highest value chooses; None takes the last epoch.
MONITORED: dict[str, str | None] = {
    "balanced_accuracy": "validation_balanced_accuracy",
    "auc": "validation_auc",
    "last_epoch": None,
    # Only where the test split is watched in place of validation.
    "best_test": "validation_accuracy",
}


def chosen_row(epochs: pd.DataFrame, monitor: str) -> int:
    """Row of the epoch that was kept: the first of equals, as in the checkpoint."""
    column = MONITORED[monitor]
    return len(epochs) - 1 if column is None else int(np.argmax(epochs[column].fillna(-np.inf)))
