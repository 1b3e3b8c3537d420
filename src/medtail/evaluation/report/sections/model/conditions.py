"""One loss-conditional model at every λ: what each metric would choose, and the price in the other metrics."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from medtail.evaluation.report.drawing import SERIES
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.hyperparameter_figures import (
    AGAINST_AUC,
    Model,
    auc_against_others,
    heat_map,
    models_of_conditions,
    precision_at_recalls,
    precision_limits,
)
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.condition_metrics import ConditionMetrics, condition_title
from medtail.evaluation.summaries.ranking_metrics import RANKING_METRICS
from medtail.evaluation.summaries.validation_doubts import validation_doubts
from medtail.metrics import POSITIVE_CLASS_METRICS


def conditions(evidence: Evidence) -> Section | None:
    """LCT's Figs. 1, 2 and 5 of one run; None if the model has no λ."""
    if not evidence.run.conditions.is_file():
        return None
    table = ConditionMetrics.of_files(evidence.run)
    chosen = {metric: table.best(metric, "validation") for metric in POSITIVE_CLASS_METRICS}
    binary = evidence.summary.get("binary")
    return Section(
        "conditions",
        "One model, many λ",
        "section_conditions.html",
        {
            "parameters": table.parameters,
            "conditions": len(table.conditions),
            "positive": binary["positive"] if binary else None,
            "doubts": validation_doubts(evidence.facts),
            "shown": table.parameters[-1],
            "has_validation": evidence.facts.has_validation,
            "rows": [_choice(table, metric, index) for metric, index in chosen.items() if index is not None],
            "scatter": _scatter(table, chosen),
            "recalls": _recalls(table, chosen["average_precision"]),
            "maps": [
                (POSITIVE_CLASS_METRICS[metric].heading, drawn)
                for metric, index in chosen.items()
                if (drawn := _map(table, metric, index)) is not None
            ],
        },
    )


def _choice(table: ConditionMetrics, metric: str, index: int) -> dict[str, Any]:
    return {
        "metric": POSITIVE_CLASS_METRICS[metric].heading,
        "condition": condition_title(table.conditions[index]),
        "validation": float(table.values["validation"][metric].iloc[index]),
        "test": float(table.values["test"][metric].iloc[index]),
    }


def _on_test(table: ConditionMetrics, index: int) -> dict[str, float]:
    return {name: float(table.values["test"][name].iloc[index]) for name in RANKING_METRICS}


def _models(table: ConditionMetrics, chosen: Mapping[str, int | None]) -> list[Model]:
    reached = [_on_test(table, index) for index in range(len(table.conditions))]
    return models_of_conditions(table.conditions, reached, chosen)


def _scatter(table: ConditionMetrics, chosen: Mapping[str, int | None]) -> Markup:
    values = table.values["test"]["auc"]
    return auc_against_others(
        _models(table, {metric: chosen[metric] for metric in AGAINST_AUC}),
        table.parameters[-1],
        f"AUC against Brier score, precision at recall 0.99 and F1 of {len(values)} λ on the test split; "
        f"AUC from {values.min():.3f} to {values.max():.3f}",
    )


def _recalls(table: ConditionMetrics, chosen: int | None) -> Markup:
    models = [replace(model, label=None, opacity=0.25 + 0.6 * model.opacity) for model in _models(table, {})]
    if chosen is not None:
        label = f"chosen for average precision: {condition_title(table.conditions[chosen])}"
        models.append(Model(_on_test(table, chosen), label, SERIES[1]))
    return precision_at_recalls(models, f"Precision of {len(table.conditions)} λ", precision_limits(models))


def _map(table: ConditionMetrics, metric: str, chosen: int | None) -> Markup | None:
    axes = table.axes()
    if axes is None:
        return None
    rows, columns = axes
    shape = (1, 1, len(rows), len(columns))
    several = len(table.parameters) == 2
    outlined = None if chosen is None else (0, 0, *divmod(chosen, len(columns)))
    return heat_map(
        table.values["test"][metric].to_numpy().reshape(shape),
        POSITIVE_CLASS_METRICS[metric],
        rows=[f"{value:g}" for value in rows] if several else [""],
        columns=[f"{value:g}" for value in columns],
        row_title=table.parameters[0] if several else "",
        column_title=table.parameters[-1],
        outlined=outlined,
        width=4.9,
    )
