"""Whether the stated probabilities can be taken at their word."""

import numpy as np
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import MUTED, SERIES, draw
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.report.reliability_figure import reliability_figure
from medtail.metrics import reliability_bins


def calibration(evidence: Evidence) -> Section | None:
    """The reliability diagram of the test split, with the expected calibration error; None for labels."""
    if evidence.facts.multi_label:
        return None
    positive = evidence.positive
    bins = reliability_bins(evidence.test.targets, evidence.test.probabilities)
    filled = bins.counts > 0
    width = float(bins.edges[1])
    starts = bins.edges[:-1]
    error = evidence.summary["ece"]
    gap = float(
        np.sum(bins.counts[filled] * (bins.confidences[filled] - bins.accuracies[filled])) / bins.counts.sum()
    )

    def paint(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
        upper.bar(
            starts[filled],
            bins.accuracies[filled],
            width,
            align="edge",
            color=SERIES[0],
            alpha=0.45,
            linewidth=0,
        )
        upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        upper.plot(bins.confidences[filled], bins.accuracies[filled], "o", color=SERIES[0], markersize=5)
        upper.set_ylabel("share decided correctly")
        upper.set_ylim(0, 1.02)
        upper.set_title(f"Expected calibration error {error:.3f}")
        lower.bar(starts, bins.counts, width, align="edge", color=MUTED, alpha=0.6, linewidth=0)
        lower.set_ylabel("images")
        lower.set_xlabel("stated probability of the decision")
        lower.set_xlim(0, 1)
        lower.locator_params(axis="y", nbins=3)

    return Section(
        "calibration",
        "Reliability of the probabilities",
        "section_calibration.html",
        {
            "ece": error,
            "gap": gap,
            "bins": len(starts),
            "positive": None if positive is None else evidence.class_names[positive],
            "stated": None if positive is None else float(evidence.test.probabilities[:, positive].mean()),
            "share": None if positive is None else float((evidence.test.targets == positive).mean()),
            "positive_figure": None
            if positive is None
            else reliability_figure({evidence.judged.kind: evidence.test}, positive),
            "figure": draw(
                paint,
                width=5.6,
                height=5,
                description=f"Reliability diagram; expected calibration error {error:.3f}, "
                f"confidence is on average {gap:+.3f} above accuracy",
            ),
        },
    )
