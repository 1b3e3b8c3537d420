"""The sweep of a trained model over every λ of a grid, from one pass of the backbone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from medtail import metrics
from medtail.errors import InputError
from medtail.evaluation.summaries.ranking_metrics import ranking_metrics
from medtail.files import replacing
from medtail.methods import Condition, Conditional
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import EvaluatedSplit, Run
from medtail.runs.stored_files import damaged, read_arrays
from medtail.training.inference.trained_model import TrainedModel

ConditionGrid = Mapping[str, Sequence[float]]
"""The values of each parameter of λ, by its name."""


@final
@dataclass(frozen=True)
class BackboneFeatures:
    """The features that the backbone gave for N images.

    Attributes:
        ids: Names of the images ``(N,)``.
        targets: True class ids ``(N,)``.
        features: ``(N, D)`` float32.
        groups: Patient or lesion of each image ``(N,)``, or None where unknown.
    """

    ids: np.ndarray
    targets: np.ndarray
    features: np.ndarray
    groups: np.ndarray | None

    def write(self, path: Path) -> None:
        """Write the arrays by their names, ``groups`` only if known."""
        arrays = {"ids": self.ids, "targets": self.targets, "features": self.features}
        if self.groups is not None:
            arrays["groups"] = self.groups
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, run: Run, split: EvaluatedSplit) -> "BackboneFeatures":
        """Read what a run kept of a split.

        Raises:
            InputError: The run is not finished, or its method has no λ.
        """
        run.require(run.summary)
        path = run.backbone_features(split)
        if not path.is_file():
            raise InputError(
                f"{run.folder} keeps no backbone features: only a method with λ does; train one, e.g. `method=vs_lct`"
            )
        arrays = read_arrays(path, ("ids", "targets", "features"), ("groups",))
        kept = cls(arrays["ids"], arrays["targets"], arrays["features"], arrays.get("groups"))
        if not len(kept.ids) == len(kept.targets) == len(kept.features):
            raise damaged(path, "holds arrays of different lengths")
        return kept


@torch.inference_mode()
def sweep(
    method: Conditional, features: ArrayLike | Tensor, grid: ConditionGrid
) -> tuple[list[dict[str, float]], np.ndarray]:
    """Return the probabilities of a model at every λ of a grid, without another pass of the backbone.

    Args:
        method: In evaluation mode, as ``TrainedModel.load(run).method.conditional`` gives it. Its condition stays as
            it is.
        features: Backbone features ``(N, D)`` in any float dtype, as :class:`BackboneFeatures` keeps them.
        grid: Values of every parameter of λ.

    Returns:
        The L combinations, with the last parameter changing fastest, and probabilities ``(L, N, C)`` in float64: the
        head's outputs at λ, read by the loss at λ.

    Raises:
        InputError: The grid lacks a parameter of the method, names another, or holds a value that its loss refuses.
    """
    if set(grid) != set(method.distributions) or not all(map(len, grid.values())):
        raise InputError(
            f"grid must list values of {', '.join(method.distributions)}, got {dict(grid)}; name each parameter once"
        )
    on_device = torch.as_tensor(features, device=method.device)
    conditions = [
        dict(zip(method.distributions, map(float, values), strict=True))
        for values in product(*(grid[name] for name in method.distributions))
    ]
    tables = [
        method.loss_at(condition)
        .to(on_device.device)
        .probabilities(method.predict_features(on_device, condition).double())
        for condition in conditions
    ]
    probabilities: np.ndarray = torch.stack(tables).cpu().numpy()
    return conditions, probabilities


def conditions_table(
    conditions: Sequence[Condition],
    probabilities: np.ndarray,
    targets: np.ndarray,
    *,
    positive: int = 1,
) -> pd.DataFrame:
    """Return one row per λ: its parameters, then metrics of its probabilities.

    Args:
        conditions: L times λ.
        probabilities: ``(L, N, C)``.
        targets: Class ids ``(N,)``.
        positive: Id of the positive class of two; has no effect with more classes.
    """
    return pd.DataFrame(
        [
            {**condition, **ranking_metrics(targets, table, positive, _log_odds(table))}
            for condition, table in zip(conditions, probabilities, strict=True)
        ]
    )


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    return metrics.log_odds(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)))


def write_conditions(
    run: Run,
    model: TrainedModel,
    predictions: Mapping[EvaluatedSplit, SavedPredictions],
    features: Mapping[EvaluatedSplit, Tensor],
) -> None:
    """Keep the backbone's features of the judged splits, and the metrics at every λ of the recipe's grid.

    Args:
        run: Gets ``features/backbone_*.npz`` and ``conditions.csv``.
        model: Its recipe names a method with λ.
        predictions: Of validation, if there is one, and test at any λ, for ids, targets and groups.
        features: Backbone features ``(N, D)`` of the same splits.
    """
    method, grid = model.method.conditional, model.recipe.method.condition_grid
    assert method is not None and grid is not None
    tables = []
    for split, images in predictions.items():
        kept = BackboneFeatures(images.ids, images.targets, features[split].numpy(), images.groups)
        kept.write(run.backbone_features(split))
        conditions, probabilities = sweep(method, features[split], grid)
        table = conditions_table(conditions, probabilities, images.targets, positive=model.facts.positive_id)
        table.insert(0, "split", split)
        tables.append(table)
    with replacing(run.conditions) as temporary:
        pd.concat(tables).to_csv(temporary, index=False, float_format="%.6g")
