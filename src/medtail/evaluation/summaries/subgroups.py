"""How well each class is recognised in subgroups: by age, sex, site, scanner, or whatever a table names."""

from typing import Any

import numpy as np
import pandas as pd

from medtail import metrics
from medtail.evaluation.summaries.json_values import defined, defined_interval
from medtail.runs.predictions import SavedPredictions


def subgroup_recalls(predictions: SavedPredictions, attributes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the recall of each class in each subgroup, with Wilson's 95 % interval.

    Args:
        predictions: Of one split.
        attributes: A column for each attribute, with a value for each image ``(N, A)``; images without a value belong
            to no subgroup.

    Returns:
        ``attribute``, ``value``, ``class``, ``n`` images of the class in the subgroup, ``recall`` and
        ``recall_interval``; undefined is None. Of several labels per image, images that carry the label.

    Example:
        >>> from medtail.runs.predictions import Predictions
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
        >>> ids, targets = np.array(["a", "b", "c"]), np.array([0, 1, 0])
        >>> predictions = Predictions(ids, targets, probabilities, ("nevus", "melanoma"), None)
        >>> rows = subgroup_recalls(predictions, pd.DataFrame({"sex": ["female", "male", "male"]}))
        >>> [(row["value"], row["class"], row["n"], row["recall"]) for row in rows][:3]
        [('female', 'nevus', 1, 1.0), ('female', 'melanoma', 0, None), ('male', 'nevus', 1, 0.0)]
    """
    rows = []
    for attribute in attributes.columns:
        column = attributes[attribute]
        for value in sorted(column.dropna().unique(), key=_by_number):
            part = predictions.rows(np.flatnonzero((column == value).to_numpy()))
            outcomes = part.outcomes()
            for index, name in enumerate(predictions.class_names):
                hits, images = int(outcomes.hits[0, index]), int(outcomes.targets[0, index])
                rows.append(
                    {
                        "attribute": str(attribute),
                        "value": str(value),
                        "class": name,
                        "n": images,
                        "recall": defined(float(outcomes.recalls[0, index])),
                        "recall_interval": defined_interval(metrics.wilson_interval(hits, images)),
                    }
                )
    return rows


def _by_number(value: object) -> tuple[bool, float, str]:
    """Numbers in their order, then other values."""
    try:
        return False, float(str(value)), ""
    except ValueError:
        return True, 0.0, str(value)
