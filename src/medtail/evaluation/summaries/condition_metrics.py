"""The metrics of one trained model at each λ it can be used with; a model without λ has one row of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import pandas as pd

from medtail.errors import InputError
from medtail.evaluation.summaries.ranking_metrics import RANKING_METRICS, ranking_metrics
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import Predictions
from medtail.runs.run import EVALUATED_SPLITS, EvaluatedSplit, Run
from medtail.runs.settings import RunSettings
from medtail.runs.stored_files import check_numbers, read_csv

Condition = Mapping[str, float]
"""A value of each parameter of λ; empty for a model without."""


@final
@dataclass(frozen=True)
class ConditionMetrics:
    """What a model achieves at every λ.

    Attributes:
        parameters: Names of the parameters of λ; none for a model without.
        conditions: L values of λ, in the order of the table.
        values: For each split, L rows with the columns :data:`RANKING_METRICS`; only test for a run without validation.
    """

    parameters: tuple[str, ...]
    conditions: tuple[Condition, ...]
    values: Mapping[EvaluatedSplit, pd.DataFrame]

    @classmethod
    def read(cls, run: Run) -> "ConditionMetrics":
        """Read ``conditions.csv``; for a run without λ, judge its saved predictions.

        Raises:
            InputError: The run is not finished, or the table is damaged.
        """
        run.require(run.summary)
        return cls.of_files(run)

    @classmethod
    def of_files(cls, run: Run) -> "ConditionMetrics":
        """As :meth:`read`, of a run whose summary is about to be written."""
        if RunSettings.load(run).get("method.distributions"):
            return cls._of_table(run)
        return cls._of_predictions(run)

    @classmethod
    def _of_predictions(cls, run: Run) -> "ConditionMetrics":
        positive = DatasetFacts.load(run).positive_id
        values = {}
        for split in judged_splits(run):
            images = Predictions.read(run.predictions(split))
            judged = ranking_metrics(images.targets, images.probabilities, positive, images.scores)
            values[split] = pd.DataFrame([judged])
        return cls((), ({},), values)

    @classmethod
    def _of_table(cls, run: Run) -> "ConditionMetrics":
        table = read_csv(run.require(run.conditions))
        names = list(table.columns)
        if names[:1] != ["split"] or "auc" not in names or not set(RANKING_METRICS) <= set(names):
            raise InputError(
                f"{run.conditions} must have the columns split, those of λ, then {', '.join(RANKING_METRICS)}, "
                f"got {', '.join(names)}; restore the file of the run"
            )
        parameters = tuple(names[1 : names.index("auc")])
        check_numbers(run.conditions, table, (*parameters, *RANKING_METRICS))
        parts = {split: table[table["split"] == split].reset_index(drop=True) for split in judged_splits(run)}
        conditions = [part[list(parameters)].to_dict("records") for part in parts.values()]
        if not parameters or not conditions[0] or conditions[0] != conditions[-1]:
            raise InputError(
                f"{run.conditions} must have the same λ for validation and test; restore the file of the run"
            )
        values = {split: part[list(RANKING_METRICS)] for split, part in parts.items()}
        plain = tuple({str(name): float(value) for name, value in row.items()} for row in conditions[0])
        return cls(parameters, plain, values)

    def best(self, metric: str, split: EvaluatedSplit) -> int | None:
        """Row of the best λ by a metric on a split; the first of equals, None where undefined or not judged."""
        if split not in self.values:
            return None
        return RANKING_METRICS[metric].best(self.values[split][metric])

    def axes(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Values of λ for the rows and columns of a figure; None unless they are a grid of one or two parameters."""
        if len(self.parameters) not in (1, 2):
            return None
        values = [tuple(dict.fromkeys(row[name] for row in self.conditions)) for name in self.parameters]
        rows, columns = values if len(values) == 2 else ((float("nan"),), values[0])
        return (rows, columns) if len(rows) * len(columns) == len(self.conditions) else None


def judged_splits(run: Run) -> tuple[EvaluatedSplit, ...]:
    """Return the splits that a run has predictions for."""
    return EVALUATED_SPLITS if DatasetFacts.load(run).has_validation else ("test",)


def condition_title(condition: Mapping[str, Any]) -> str:
    """``gamma = 0.1, tau = 2``, for people; empty without λ."""
    return ", ".join(f"{name} = {value:g}" for name, value in condition.items())
