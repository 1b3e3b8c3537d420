"""In short, where images carry several labels."""

from typing import Any

from medtail.evaluation.report.evidence import LabelEvidence
from medtail.evaluation.report.page import Section


def label_overview(evidence: LabelEvidence) -> Section:
    """The headline figures, the label found best and worst, and those the test split cannot judge."""
    summary = evidence.summary
    found = sorted(
        (entry for entry in summary["classes"] if entry["n"] > 0), key=lambda entry: float(entry["recall"])
    )
    one_sided = [entry["name"] for entry in summary["classes"] if entry["n"] in (0, summary["n"])]
    return Section(
        "short",
        "In short",
        "section_label_overview.html",
        {
            "summary": summary,
            "method": evidence.method,
            "cards": [
                _card("Balanced accuracy", summary, "balanced_accuracy"),
                _card("Macro F1", summary, "macro_f1"),
                _card("Area under ROC", summary, "auc"),
                _card("Average precision", summary, "average_precision"),
                _card("All labels right", summary, "accuracy"),
            ],
            "found": found,
            "judged": len(summary["classes"]) - len(one_sided),
            "one_sided": one_sided,
            "grouped_by": evidence.facts.group_column,
        },
    )


def _card(label: str, summary: dict[str, Any], name: str) -> dict[str, Any]:
    return {"label": label, "value": summary[name], "interval": summary["intervals"][name]}
