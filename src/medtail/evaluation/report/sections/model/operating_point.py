"""What the operating point of a run does to the test split."""

from typing import Any

import numpy as np

from medtail import metrics
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.report.sections.model.decisions_compared import decisions_compared
from medtail.evaluation.summaries.json_values import defined, defined_interval
from medtail.evaluation.summaries.summary import bootstrap_interval
from medtail.metrics import METRICS, Metric, Outcomes
from medtail.metrics.metric import EXPECTED_COST, HEADLINE_METRICS
from medtail.metrics.undefined import ratio
from medtail.operating_point import ClassConditionalSets, MinimumCost, OperatingPoint
from medtail.runs.predictions import Predictions, SavedPredictions

#: A test split has the shares of the prior if each class's share differs from it by less than this.
_SAME_MIX = 0.005


def operating_point(evidence: Evidence) -> Section | None:
    """Test metrics before and after the operating point; None if the run has none."""
    after = evidence.adapted
    if after is None:
        return None
    point = OperatingPoint.read(evidence.run.operating_point, evidence.class_names)
    before = evidence.test
    costs = point.decision.costs if isinstance(point.decision, MinimumCost) else None
    tables = [_table(f"As {evidence.judged.split} is", before, after, costs, np.ones(len(before.ids)))]
    weights = _weights(before, point)
    if weights is not None:
        tables.append(_table("With classes as frequent as in the prior", before, after, costs, weights))
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
            "over_groups": evidence.over_groups,
            "positive": None if evidence.positive is None else evidence.class_names[evidence.positive],
            **decisions_compared(evidence, after),
            "grouped_by": evidence.facts.group_column,
        },
    )


def _weights(test: SavedPredictions, point: OperatingPoint) -> np.ndarray | None:
    """How much each test case counts at the prior that was asked for; None if the split has that prior already."""
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
    title: str, before: SavedPredictions, after: Predictions, costs: np.ndarray | None, weights: np.ndarray
) -> dict[str, Any]:
    """The metrics before and after, one per row."""
    columns = [_measured(predictions, costs, weights) for predictions in (before, after)]
    return {
        "title": title,
        "rows": [
            {
                "heading": metric.heading,
                "before": columns[0][name],
                "after": columns[1][name],
            }
            for name, metric in _metrics(costs).items()
        ],
    }


def _metrics(costs: np.ndarray | None) -> dict[str, Metric]:
    """The metrics to show, by key; the expected cost only where there are costs."""
    shown = {name: METRICS[name] for name in HEADLINE_METRICS}
    return shown if costs is None else {**shown, EXPECTED_COST.key: EXPECTED_COST}


def _measured(
    predictions: SavedPredictions, costs: np.ndarray | None, weights: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Value and bootstrap interval of each metric, cases counted by their weights."""
    shown = _metrics(costs)

    def statistic(drawn: np.ndarray) -> np.ndarray:
        counted = drawn * weights[:, None]
        values = predictions.measure(counted)
        if costs is not None:
            cost = metrics.expected_cost(predictions.targets, predictions.decisions, costs, weights=counted)
            values[EXPECTED_COST.key] = np.asarray(cost)
        return np.stack([values[name] for name in shown], axis=-1)

    resampled = metrics.bootstrap(statistic, predictions.units)
    whole = statistic(predictions.once())[0]
    measured = {}
    for metric, value, column in zip(shown.values(), whole, resampled.T, strict=True):
        known = defined(float(value))
        measured[metric.key] = {"value": known, "interval": bootstrap_interval(metric, known, column)}
    return measured


def _classes(evidence: Evidence, before: SavedPredictions, after: Predictions) -> list[dict[str, Any]]:
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
    """How often the sets hold the true class, and how large they are."""
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
