"""Of two classes, the figures of the one that is looked for."""

from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.binary import BINARY_TITLES, RECALLS, measure_binary
from medtail.evaluation.summaries.summary import LOWER_IS_BETTER


def looked_for(evidence: Evidence) -> Section | None:
    """What some threshold could reach, and precision at eight recalls; None where a summary has no such figures."""
    binary = evidence.summary.get("binary")
    if binary is None:
        return None
    validation = measure_binary(evidence.validation, evidence.class_names.index(binary["positive"]))
    at_recalls = [(f"{recall:g}", f"precision_at_recall_{recall:g}") for recall in RECALLS]
    return Section(
        "looked_for",
        f"Looking for {binary['positive']}",
        "section_looked_for.html",
        {
            "positive": binary["positive"],
            "rows": [
                {
                    "title": title,
                    "test": binary[name],
                    "interval": binary["intervals"][name],
                    "validation": float(validation[name][0]),
                    "lower_is_better": name in LOWER_IS_BETTER,
                }
                for name, title in BINARY_TITLES.items()
            ],
            "recalls": [
                {
                    "recall": recall,
                    "test": binary["precisions_at_recalls"][recall],
                    "interval": binary["intervals"]["precisions_at_recalls"][recall],
                    "validation": float(validation[name][0]),
                }
                for recall, name in at_recalls
            ],
        },
    )
