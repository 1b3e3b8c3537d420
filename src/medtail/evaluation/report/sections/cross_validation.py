"""The folds side by side, and all images together."""

from collections.abc import Mapping
from typing import Any

from medtail.evaluation.report.evidence import RunEvidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.binary import BINARY_TITLES
from medtail.evaluation.summaries.summary import LOWER_IS_BETTER, METRIC_TITLES


def cross_validation(evidence: RunEvidence) -> Section:
    """The table of metrics: pooled with intervals, mean and deviation over folds, and each fold."""
    summary = evidence.summary
    folds = summary["folds"]
    return Section(
        "folds",
        "Cross-validation",
        "section_cross_validation.html",
        {
            "method": evidence.method,
            "data": evidence.facts.data,
            "images": summary["n"],
            "positive": evidence.facts.positive,
            "grouped_by": evidence.facts.group_column,
            "folds": folds["images"],
            "unreadable": len(evidence.facts.unreadable),
            "rows": [
                *_rows(METRIC_TITLES, summary, folds["metrics"], ""),
                *(
                    _rows(
                        BINARY_TITLES,
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
    titles: Mapping[str, str], pooled: Mapping[str, Any], folds: Mapping[str, Any], prefix: str
) -> list[dict[str, Any]]:
    return [
        {
            "title": prefix + title,
            "pooled": pooled[name],
            "interval": pooled["intervals"][name],
            **folds[name],
            "lower_is_better": name in LOWER_IS_BETTER,
        }
        for name, title in titles.items()
        if pooled[name] is not None or folds[name]["mean"] is not None
    ]
