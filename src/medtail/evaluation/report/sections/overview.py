"""In short: the numbers to read when reading nothing else."""

from typing import Any

from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section


def overview(evidence: Evidence) -> Section:
    """The headline figures and what they mean in one sentence each."""
    summary = evidence.summary
    tested = [entry for entry in summary["classes"] if entry["n"] > 0]
    by_recall = sorted(tested, key=lambda entry: float(entry["recall"]))
    return Section(
        "short",
        "In short",
        "section_overview.html",
        {
            "summary": summary,
            "method": evidence.method,
            "cards": [
                _card("Balanced accuracy", summary, "balanced_accuracy"),
                {
                    "label": f"Lowest recall: {by_recall[0]['name']}",
                    "value": by_recall[0]["recall"],
                    "interval": by_recall[0]["recall_interval"],
                },
                _card("Macro F1", summary, "macro_f1"),
                _card("Area under ROC", summary, "auc"),
                _card("Accuracy", summary, "accuracy"),
                _card("Calibration error", summary, "ece"),
            ],
            "worst": by_recall[0],
            "best": by_recall[-1],
            "tested": len(tested),
            "absent": [entry["name"] for entry in summary["classes"] if entry["n"] == 0],
            "grouped_by": evidence.facts.group_column,
        },
    )


def _card(label: str, summary: dict[str, Any], name: str) -> dict[str, Any]:
    return {"label": label, "value": summary[name], "interval": summary["intervals"][name]}
