"""Two ways to decide on the same images: their confusion matrices, their places on the curves, their rates."""

from typing import Any

import numpy as np
from markupsafe import Markup

from medtail.evaluation.report.class_curves import ClassCurves
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.reliability_figure import reliability_figure
from medtail.evaluation.report.sections.layout import CLASSES_IN_COLOUR
from medtail.evaluation.report.sections.performance.confusion import confusion_rows
from medtail.evaluation.summaries.clinical_rates import clinical_rates
from medtail.runs.predictions import SavedPredictions


def decisions_compared(evidence: Evidence, after: SavedPredictions) -> dict[str, Any]:
    """Return what the section on the operating point shows of the decisions before and after it.

    Args:
        evidence: Of the run; its predictions are those before.
        after: The same images at the operating point.

    Returns:
        ``matrices`` and ``curves``, empty with more classes than colours; ``rates`` and ``reliability``, of the
        positive class of two, else empty and None.
    """
    before, few = evidence.test, len(evidence.class_names) <= CLASSES_IN_COLOUR
    decided = {"before": before, "after": after}
    names = [evidence.class_names[index] for index in evidence.from_frequent_to_rare]
    drawn = evidence.drawn_classes if few else []
    return {
        "names": names,
        "matrices": [
            {"title": title.capitalize(), "rows": confusion_rows(predictions, evidence.from_frequent_to_rare)}
            for title, predictions in decided.items()
            if few
        ],
        "curves": ClassCurves(after, drawn, {}, decided).figures() if drawn else [],
        "rates": _rates(evidence, after),
        "reliability": _reliability(evidence, after),
    }


def _rates(evidence: Evidence, after: SavedPredictions) -> list[dict[str, Any]]:
    positive = evidence.positive
    if positive is None:
        return []
    pairs = zip(clinical_rates(evidence.test, positive), clinical_rates(after, positive), strict=True)
    return [{"before": before, "after": now} for before, now in pairs]


def _reliability(evidence: Evidence, after: SavedPredictions) -> Markup | None:
    """The calibration of the positive class before and after; None where probabilities stayed as they were."""
    before, positive = evidence.test, evidence.positive
    if positive is None or np.allclose(before.probabilities, after.probabilities, atol=1e-6):
        return None
    return reliability_figure({"before": before, "after": after}, positive)
