"""λ of a loss-conditional run, chosen by a metric on validation."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd

from medtail.adaptation.run_predictions import require_validation
from medtail.checks import choice
from medtail.errors import InputError
from medtail.metrics import POSITIVE_CLASS_METRICS
from medtail.runs.run import Run
from medtail.runs.stored_files import check_numbers, read_csv

#: The metrics that λ can be chosen by, which are columns of ``conditions.csv``.
CONDITION_METRICS = tuple(POSITIVE_CLASS_METRICS)


@final
@dataclass(frozen=True)
class ConditionChoice:
    """What one metric would choose.

    Attributes:
        metric: Its column in ``conditions.csv``.
        condition: λ.
        value: Value of the metric at λ, on validation.
    """

    metric: str
    condition: dict[str, float]
    value: float


def check_metric(metric: str) -> None:
    """Refuse a metric that λ cannot be chosen by.

    Raises:
        InputError: It is not one of :data:`CONDITION_METRICS`.
    """
    choice("`metric`", metric, CONDITION_METRICS)


def condition_choices(run: Run, parameters: list[str]) -> list[ConditionChoice]:
    """Return what each metric would choose on validation; the first λ wins a tie. The test rows are not read.

    Args:
        run: A finished run with ``conditions.csv``.
        parameters: Names of λ.

    Raises:
        InputError: The file is missing, or lacks a column or a value, or the run has no validation split.
    """
    path = run.require(run.conditions)
    table = read_csv(path)
    missing = [name for name in ("split", *parameters, *CONDITION_METRICS) if name not in table]
    if missing:
        raise InputError(f"{path} is missing columns {', '.join(missing)}; train the run again")
    check_numbers(path, table, (*parameters, *CONDITION_METRICS))
    validation = table[table["split"] == "validation"]
    if validation.empty:
        require_validation(run)
    return [_choice(validation, parameters, metric, str(path)) for metric in CONDITION_METRICS]


def _choice(table: pd.DataFrame, parameters: list[str], metric: str, path: str) -> ConditionChoice:
    values = table[metric].to_numpy(dtype=np.float64)
    best = POSITIVE_CLASS_METRICS[metric].best(values)
    if best is None:
        raise InputError(
            f"{path} has no {metric} for the validation split; it is undefined where a class is missing"
        )
    condition = {name: float(table[name].iloc[best]) for name in parameters}
    return ConditionChoice(metric, condition, float(values[best]))
