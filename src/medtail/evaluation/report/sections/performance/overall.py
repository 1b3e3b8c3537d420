"""Every metric over all classes, with its interval, on test and on validation."""

from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section


def overall(evidence: Evidence) -> Section:
    """The table of the metrics that the task has."""
    validation = None if evidence.validation is None else evidence.validation.measure()
    return Section(
        "metrics",
        "All metrics",
        "section_overall.html",
        {
            "chosen_by_validation": evidence.chosen_by_validation,
            "over_groups": evidence.over_groups,
            "has_validation": validation is not None,
            "rows": [
                {
                    "heading": metric.heading,
                    "tells": metric.tells,
                    "test": evidence.summary[name],
                    "interval": evidence.summary["intervals"][name],
                    "validation": None if validation is None else float(validation[name][0]),
                }
                for name, metric in evidence.facts.task.metrics.items()
            ],
        },
    )
