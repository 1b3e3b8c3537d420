"""How well the model recognises each label of multi-label images."""

from typing import Any

import numpy as np

from medtail import metrics
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.metrics import LabelOutcomes


def labels(evidence: Evidence) -> Section | None:
    """The metrics of each label, one per row; None where each image has one class."""
    if not evidence.facts.multi_label:
        return None
    return Section(
        "classes",
        "Each label",
        "section_labels.html",
        {
            "labels": [_label(evidence, index) for index in evidence.from_frequent_to_rare],
            "grouped_by": evidence.facts.group_column,
            "some_unknown": not evidence.test.known.all(),
        },
    )


def _label(evidence: Evidence, index: int) -> dict[str, Any]:
    known = evidence.test.known[:, index]
    targets, scores = evidence.test.carried[known, index], evidence.test.scores[known, index]
    decisions = evidence.test.decisions[known, index]
    weights = np.ones((len(targets), 1))
    outcomes = LabelOutcomes.weighted(targets[:, None], decisions[:, None], weights)
    return {
        **evidence.summary["classes"][index],
        "train": int(evidence.counts("train")[index]),
        "specificity": float(outcomes.absent.recalls[0, 0]),
        "auc": float(np.squeeze(metrics.roc_auc(targets, scores, weights=weights))),
        "average_precision": float(np.squeeze(metrics.average_precision(targets, scores, weights=weights))),
    }
