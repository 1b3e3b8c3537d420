"""What the operating point that ``medtail adapt`` chose does to the test split."""

from typing import Any

import numpy as np

from medtail import metrics
from medtail.errors import InputError
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.json_values import defined, defined_interval
from medtail.evaluation.summaries.summary import LOWER_IS_BETTER, METRIC_TITLES, bootstrap_interval, measure
from medtail.metrics import Outcomes
from medtail.metrics.undefined import ratio
from medtail.operating_point import ClassConditionalSets, MinimumCost, OperatingPoint
from medtail.runs.predictions import Predictions

_SHOWN = ("accuracy", "balanced_accuracy", "macro_f1", "auc", "average_precision", "brier", "ece")

#: A test split whose classes are as frequent as this of the prior, is at the prior.
_SAME_MIX = 0.005


def operating_point(evidence: Evidence) -> Section | None:
    """Test metrics before and after, where an operating point was chosen."""
    run = evidence.run
    if not run.operating_point.is_file():
        return None
    point = OperatingPoint.read(run.operating_point, evidence.class_names)
    before = evidence.test
    after = Predictions.read(run.require(run.operating_point_predictions))
    if not np.array_equal(after.ids, before.ids):
        raise InputError(
            f"{run.operating_point_predictions} must be of the test split of the run; write it with medtail adapt"
        )
    costs = point.decision.costs if isinstance(point.decision, MinimumCost) else None
    tables = [_table("As the test split is", before, after, costs, np.ones(len(before.ids)))]
    weights = _weights(before, point)
    if weights is not None:
        tables.append(_table("With classes as frequent as in --prior", before, after, costs, weights))
    return Section(
        "operating-point",
        "Operating point",
        "section_operating_point.html",
        {
            "words": point.words,
            "notes": point.notes,
            "tables": tables,
            "classes": _classes(evidence, before, after),
            "sets": None if point.set_rule is None else _sets(evidence, point.set_rule, after),
            "grouped_by": evidence.facts.group_column,
        },
    )


def _weights(test: Predictions, point: OperatingPoint) -> np.ndarray | None:
    """How much each test case counts at the prior that was asked for; None where the split is at it already."""
    prior = point.goal.get("prior")
    if not prior:
        return None
    asked = np.array([prior[name] for name in test.class_names])
    shares = np.bincount(test.targets, minlength=len(asked)) / len(test.targets)
    if np.abs(asked - shares).max() < _SAME_MIX:
        return None
    per_class = np.divide(asked, shares, out=np.zeros_like(asked), where=shares > 0)
    weights: np.ndarray = per_class[test.targets]
    return weights


def _table(
    title: str, before: Predictions, after: Predictions, costs: np.ndarray | None, weights: np.ndarray
) -> dict[str, Any]:
    """Rows of a figure before and after."""
    columns = [_figures(predictions, costs, weights) for predictions in (before, after)]
    return {
        "title": title,
        "rows": [
            {
                "title": METRIC_TITLES.get(name, "Cost of a decision"),
                "lower_is_better": name in LOWER_IS_BETTER or name == "expected_cost",
                "before": columns[0][name],
                "after": columns[1][name],
            }
            for name in columns[0]
        ],
    }


def _figures(
    predictions: Predictions, costs: np.ndarray | None, weights: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Value and bootstrap interval of each figure, cases counted by their weights."""
    names = [*_SHOWN, *([] if costs is None else ["expected_cost"])]

    def statistic(drawn: np.ndarray) -> np.ndarray:
        counted = drawn * weights[:, None]
        values = measure(predictions, counted)
        if costs is not None:
            cost = metrics.expected_cost(predictions.targets, predictions.decisions, costs, weights=counted)
            values["expected_cost"] = np.asarray(cost)
        return np.stack([values[name] for name in names], axis=-1)

    resampled = metrics.bootstrap(statistic, predictions.units)
    whole = statistic(np.ones((len(weights), 1)))[0]
    figures = {}
    for name, value, column in zip(names, whole, resampled.T, strict=True):
        known = defined(float(value))
        figures[name] = {"value": known, "interval": bootstrap_interval(name, known, column)}
    return figures


def _classes(evidence: Evidence, before: Predictions, after: Predictions) -> list[dict[str, Any]]:
    """Recall and precision of each class, from frequent to rare."""
    size = len(evidence.class_names)
    was, now = (
        Outcomes.of(metrics.confusion_matrix(predictions.targets, predictions.decisions, size))
        for predictions in (before, after)
    )
    return [
        {
            "name": evidence.class_names[index],
            "n": int(now.targets[index]),
            "before": _recall(was, index),
            "after": _recall(now, index),
            "precision_before": defined(float(was.precisions[index])),
            "precision_after": defined(float(now.precisions[index])),
        }
        for index in evidence.from_frequent_to_rare
    ]


def _recall(outcomes: Outcomes, index: int) -> dict[str, Any]:
    hits, targets = int(outcomes.hits[index]), int(outcomes.targets[index])
    interval = defined_interval(metrics.wilson_interval(hits, targets))
    return {"value": defined(float(outcomes.recalls[index])), "interval": interval}


def _sets(evidence: Evidence, rule: ClassConditionalSets, after: Predictions) -> dict[str, Any]:
    """How often sets hold the true class, and how large they are."""
    inside = rule.contains(after.probabilities)
    sizes = inside.sum(axis=1)
    classes = []
    for index in evidence.from_frequent_to_rare:
        own = after.targets == index
        held, count = int(inside[own, index].sum()), int(own.sum())
        classes.append(
            {
                "name": evidence.class_names[index],
                "n": count,
                "coverage": defined(float(ratio(np.asarray(held), np.asarray(count)))),
                "interval": defined_interval(metrics.wilson_interval(held, count)),
                "size": float(sizes[own].mean()) if count else None,
            }
        )
    return {
        "coverage": rule.coverage,
        "classes": classes,
        "mean_size": float(sizes.mean()),
        "single": float((sizes == 1).mean()),
        "empty": float((sizes == 0).mean()),
    }
