"""The figures of one trained model at each λ it can be used with; a model without λ has one row of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.evaluation.summaries.binary import BINARY_TITLES
from medtail.evaluation.summaries.ranking_metrics import RANKING_FIGURES, ranking_figures
from medtail.evaluation.summaries.summary import LOWER_IS_BETTER
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import Predictions
from medtail.runs.run import EVALUATED_SPLITS, EvaluatedSplit, Run

#: The metrics that something can be chosen by (LCT, appendix A), with the names people read.
CHOSEN_BY = BINARY_TITLES

Condition = Mapping[str, float]
"""A value of each parameter of λ; empty for a model without."""


@final
@dataclass(frozen=True)
class ConditionFigures:
    """What a model reaches at every λ.

    Attributes:
        parameters: Names of the parameters of λ; none for a model without.
        conditions: L values of λ, in the order of the table.
        figures: Of each split, L rows with the columns :data:`RANKING_FIGURES`.
    """

    parameters: tuple[str, ...]
    conditions: tuple[Condition, ...]
    figures: Mapping[EvaluatedSplit, pd.DataFrame]

    @classmethod
    def read(cls, run: Run) -> "ConditionFigures":
        """Read ``conditions.csv``; for a run without λ, judge its saved predictions.

        Raises:
            InputError: The run is not finished, or the table is damaged.
        """
        run.require(run.summary)
        if run.read_recipe()["method"].get("distributions"):
            return cls._of_table(run)
        return cls._of_predictions(run)

    @classmethod
    def _of_predictions(cls, run: Run) -> "ConditionFigures":
        positive = DatasetFacts.load(run).positive_id
        figures = {}
        for split in EVALUATED_SPLITS:
            images = Predictions.read(run.predictions(split))
            values = ranking_figures(images.targets, images.probabilities, positive)
            figures[split] = pd.DataFrame([values])
        return cls((), ({},), figures)

    @classmethod
    def _of_table(cls, run: Run) -> "ConditionFigures":
        table = pd.read_csv(run.require(run.conditions))
        names = list(table.columns)
        if names[:1] != ["split"] or "auc" not in names or not set(RANKING_FIGURES) <= set(names):
            raise InputError(
                f"{run.conditions} must have the columns split, those of λ, then {', '.join(RANKING_FIGURES)}, "
                f"got {', '.join(names)}; restore the file of the run"
            )
        parameters = tuple(names[1 : names.index("auc")])
        parts = {split: table[table["split"] == split].reset_index(drop=True) for split in EVALUATED_SPLITS}
        conditions = [part[list(parameters)].to_dict("records") for part in parts.values()]
        if not parameters or not conditions[0] or conditions[0] != conditions[1]:
            raise InputError(
                f"{run.conditions} must have the same λ for validation and test; restore the file of the run"
            )
        figures = {split: part[list(RANKING_FIGURES)] for split, part in parts.items()}
        plain = tuple({str(name): float(value) for name, value in row.items()} for row in conditions[0])
        return cls(parameters, plain, figures)

    def best(self, metric: str, split: EvaluatedSplit) -> int | None:
        """Row of the best λ by a metric of a split; the first of equals, None where it is undefined everywhere."""
        return best_index(metric, self.figures[split][metric].to_numpy())

    def axes(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Values of λ for the rows and columns of a picture; None where they are no grid of one or two parameters."""
        if len(self.parameters) not in (1, 2):
            return None
        values = [tuple(dict.fromkeys(row[name] for row in self.conditions)) for name in self.parameters]
        rows, columns = values if len(values) == 2 else ((float("nan"),), values[0])
        return (rows, columns) if len(rows) * len(columns) == len(self.conditions) else None


def best_index(metric: str, values: np.ndarray) -> int | None:
    """Index of the best of some values of a metric; the first of equals, None where all are NaN.

    Example:
        >>> best_index("auc", np.array([0.8, np.nan, 0.9])), best_index("brier", np.array([0.2, 0.1, 0.3]))
        (2, 1)
    """
    if np.isnan(values).all():
        return None
    return int(np.nanargmin(values) if metric in LOWER_IS_BETTER else np.nanargmax(values))


def condition_title(condition: Mapping[str, Any]) -> str:
    """``gamma = 0.1, tau = 2``, for people; empty without λ."""
    return ", ".join(f"{name} = {value:g}" for name, value in condition.items())
