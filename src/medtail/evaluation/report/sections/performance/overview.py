"""In short: the numbers to read when reading nothing else."""

from typing import Any

from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.metrics.intervals import FEW_UNITS


def overview(evidence: Evidence) -> Section:
    """The headline metrics, the classes recognised best and worst, and those the test split cannot judge."""
    summary = evidence.summary
    by_recall = sorted(
        (entry for entry in summary["classes"] if entry["n"] > 0), key=lambda entry: float(entry["recall"])
    )
    # Both sides of a label are judged, so a label that all images carry is as hopeless as one that none carries.
    unjudged = [
        entry["name"]
        for entry in summary["classes"]
        if not entry["n"] or (evidence.facts.multi_label and entry["n"] == entry.get("known", summary["n"]))
    ]
    return Section(
        "short",
        "In short",
        "section_overview.html",
        {
            "summary": summary,
            "protocol": evidence.settings.protocol,
            "multi_label": evidence.facts.multi_label,
            "method": evidence.settings.method,
            "combined": evidence.combined,
            "cards": _label_cards(summary)
            if evidence.facts.multi_label
            else _class_cards(summary, by_recall[0]),
            "by_recall": by_recall,
            "num_judged": len(summary["classes"]) - len(unjudged),
            "unjudged": unjudged,
            "unknown": sum(summary["n"] - entry.get("known", summary["n"]) for entry in summary["classes"]),
            "grouped_by": evidence.facts.group_column,
            "groups": evidence.test.num_groups,
            "few_groups": (evidence.test.num_groups or FEW_UNITS) < FEW_UNITS,
        },
    )


def _class_cards(summary: dict[str, Any], worst: dict[str, Any]) -> list[dict[str, Any]]:
    lowest_recall = {
        "label": f"Lowest recall: {worst['name']}",
        "value": worst["recall"],
        "interval": worst["recall_interval"],
    }
    return [
        _card("Balanced accuracy", summary, "balanced_accuracy"),
        lowest_recall,
        _card("Macro F1", summary, "macro_f1"),
        _card("Area under ROC", summary, "auc"),
        _card("Accuracy", summary, "accuracy"),
        _card("Calibration error", summary, "ece"),
    ]


def _label_cards(summary: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        _card("Balanced accuracy", summary, "balanced_accuracy"),
        _card("Macro F1", summary, "macro_f1"),
        _card("Area under ROC", summary, "auc"),
        _card("Average precision", summary, "average_precision"),
        _card("All labels right", summary, "accuracy"),
    ]


def _card(label: str, summary: dict[str, Any], name: str) -> dict[str, Any]:
    return {"label": label, "value": summary[name], "interval": summary["intervals"][name]}
