"""The folds side by side, and all images together."""

from collections.abc import Mapping
from typing import Any

from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.metrics import METRICS, POSITIVE_CLASS_METRICS, Metric


def cross_validation(evidence: Evidence) -> Section:
    """The table of metrics: pooled with intervals, mean and deviation over folds, and each fold."""
    summary = evidence.summary
    folds = summary["folds"]
    return Section(
        "folds",
        "Cross-validation",
        "section_cross_validation.html",
        {
            "method": evidence.settings.method,
            "data": evidence.facts.data,
            "images": summary["n"],
            "positive": evidence.facts.positive,
            "over_groups": evidence.over_groups,
            "grouped_by": evidence.facts.group_column,
            "folds": folds["images"],
            "unreadable": len(evidence.facts.unreadable),
            "rows": [
                *_rows(METRICS, summary, folds["metrics"], ""),
                *(
                    _rows(
                        POSITIVE_CLASS_METRICS,
                        summary["binary"],
                        folds["binary"],
                        f"{summary['binary']['positive']}: ",
                    )
                    if "binary" in folds
                    else []
                ),
            ],
        },
    )


def _rows(
    metrics: Mapping[str, Metric], pooled: Mapping[str, Any], folds: Mapping[str, Any], prefix: str
) -> list[dict[str, Any]]:
    return [
        {
            "heading": prefix + metric.heading,
            "pooled": pooled[name],
            "interval": pooled["intervals"][name],
            **folds[name],
        }
        for name, metric in metrics.items()
        if pooled[name] is not None or folds[name]["mean"] is not None
    ]
