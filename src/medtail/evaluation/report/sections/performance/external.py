"""Images from elsewhere: where they come from, how they are mixed, and whether the model knows their kind."""

from typing import Any

import numpy as np

from medtail.evaluation.report.evidence import Evidence, ExternalData
from medtail.evaluation.report.page import Section


def external(evidence: Evidence) -> Section | None:
    """The external data beside the training data; None for a run's own report."""
    data = evidence.external_data
    if data is None:
        return None
    train = evidence.counts("train") / max(1, evidence.facts.num_images["train"])
    carried, known = evidence.test.carried.sum(axis=0), evidence.test.known.sum(axis=0)
    return Section(
        "external",
        "External data",
        "section_external.html",
        {
            "data": data,
            "images": len(evidence.test.ids),
            "trained_on": evidence.facts.name,
            "noun": evidence.facts.task.noun,
            "classes": [
                {
                    "name": evidence.class_names[index],
                    "n": int(carried[index]),
                    "share": carried[index] / max(1, known[index]),
                    "train": train[index],
                }
                for index in evidence.from_frequent_to_rare
            ],
            "typicality": None if data.atypicality is None else _typicality(data, data.atypicality),
        },
    )


def _typicality(data: ExternalData, atypicality: np.ndarray) -> dict[str, Any]:
    """How many images are unlike those of validation, beside how many were to be expected."""
    share, expected = float((atypicality >= data.unlike_from).mean()), 1 - data.unlike_from
    return {
        "median": float(np.median(atypicality)),
        "share": share,
        "expected": expected,
        "test": data.test_share,
        "unlike": share > 2 * max(expected, data.test_share or 0.0),
    }
