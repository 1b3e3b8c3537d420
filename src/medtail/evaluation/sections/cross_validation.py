"""The folds side by side, and all images together."""

from medtail.evaluation.evidence import RunEvidence
from medtail.evaluation.page import Section
from medtail.evaluation.summary import LOWER_IS_BETTER, METRIC_TITLES


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
            "data": evidence.facts["data"],
            "images": summary["n"],
            "positive": evidence.facts.get("positive"),
            "grouped_by": evidence.facts["group_column"],
            "folds": folds["images"],
            "unreadable": len(evidence.facts["unreadable"]),
            "rows": [
                {
                    "title": title,
                    "pooled": summary[name],
                    "interval": summary["intervals"][name],
                    **folds["metrics"][name],
                    "lower_is_better": name in LOWER_IS_BETTER,
                }
                for name, title in METRIC_TITLES.items()
                if summary[name] is not None or folds["metrics"][name]["mean"] is not None
            ],
        },
    )
