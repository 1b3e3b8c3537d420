"""The metrics of the positive class of two."""

from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.binary import measure_binary
from medtail.metrics.metric import POSITIVE_CLASS_METRICS, PRECISION_METRICS, RECALLS


def positive_class(evidence: Evidence) -> Section | None:
    """What some threshold could reach, and precision at eight recalls; None unless there are two classes."""
    binary = evidence.summary.get("binary")
    if binary is None:
        return None
    positive = evidence.class_names.index(binary["positive"])
    validation = None if evidence.validation is None else measure_binary(evidence.validation, positive)
    at_recalls = [(f"{recall:g}", name) for recall, name in zip(RECALLS, PRECISION_METRICS, strict=True)]
    return Section(
        "positive-class",
        f"Positive class: {binary['positive']}",
        "section_positive_class.html",
        {
            "positive": binary["positive"],
            "over_groups": evidence.over_groups,
            "has_validation": validation is not None,
            "rows": [
                {
                    "heading": metric.heading,
                    "test": binary[name],
                    "interval": binary["intervals"][name],
                    "validation": None if validation is None else float(validation[name][0]),
                }
                for name, metric in POSITIVE_CLASS_METRICS.items()
            ],
            "recalls": [
                {
                    "recall": recall,
                    "test": binary["precisions_at_recalls"][recall],
                    "interval": binary["intervals"]["precisions_at_recalls"][recall],
                    "validation": None if validation is None else float(validation[name][0]),
                }
                for recall, name in at_recalls
            ],
        },
    )
