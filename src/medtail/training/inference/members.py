"""The members of an ensemble one by one, beside all of them together."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from medtail.files import replacing
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import EvaluatedSplit, Run
from medtail.training.inference.trained_model import TrainedModel


def write_members(
    run: Run,
    model: TrainedModel,
    predictions: Mapping[EvaluatedSplit, SavedPredictions],
    features: Mapping[EvaluatedSplit, Tensor],
) -> None:
    """Write ``members.csv``, the metrics of each member; nothing for a method that is no ensemble.

    Args:
        run: Gets the file.
        model: Trained.
        predictions: Those of the ensemble, of validation, if there is one, and test.
        features: Backbone features ``(N, D)`` of the same splits.
    """
    rows: list[dict[str, Any]] = []
    for split in features:
        tables = model.member_log_probabilities(features[split])
        if tables is None:
            return
        ensemble = predictions[split]
        members = {
            f"expert {number}": replace(ensemble, probabilities=np.exp(logs), log_probabilities=logs)
            for number, logs in enumerate(tables, start=1)
        }
        for name, predicted in {**members, "ensemble": ensemble}.items():
            values = predicted.measure()
            rows.append(
                {"split": split, "member": name} | {key: float(value[0]) for key, value in values.items()}
            )
    with replacing(run.members) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6g")
