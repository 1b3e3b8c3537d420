"""How often images are of the positive class where a probability of it was stated."""

from collections.abc import Mapping

from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import INK, MUTED, SERIES, draw
from medtail.evaluation.summaries.clinical_rates import stated_and_observed
from medtail.runs.predictions import SavedPredictions


def reliability_figure(predictions: Mapping[str, SavedPredictions], positive: int) -> Markup:
    """Draw stated against observed shares of the positive class, in groups of equal size with 95 % intervals.

    Args:
        predictions: Of two classes, by what they are.
        positive: Id of the positive class.
    """
    groups = {
        what: stated_and_observed(each.probabilities[:, positive], each.targets == positive)
        for what, each in predictions.items()
    }
    name = next(iter(predictions.values())).class_names[positive]
    highest = max(max(group["stated"], group["high"]) for rows in groups.values() for group in rows)
    limit = min(1.0, 1.08 * highest)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, limit], [0, limit], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        for colour, (what, rows) in zip(SERIES, groups.items(), strict=False):
            stated = [group["stated"] for group in rows]
            axes.vlines(
                stated, [group["low"] for group in rows], [group["high"] for group in rows], color=colour,
                alpha=0.35, linewidth=2,
            )  # fmt: skip
            axes.plot(
                stated, [group["observed"] for group in rows], "o-", color=colour, label=what, markersize=5
            )
        axes.set_xlim(-0.02 * limit, 1.02 * limit)
        axes.set_ylim(-0.02 * limit, 1.02 * limit)
        axes.set_xlabel("stated probability (mean of a group)")
        axes.set_ylabel("share of the group")
        axes.set_title("Stated and observed shares")
        if len(groups) > 1:
            figure.legend(loc="outside lower left", ncols=2, labelcolor=INK, handlelength=1.4)

    described = "; ".join(
        f"{what}: " + ", ".join("{stated:.2f} stated, {observed:.2f} observed".format(**row) for row in rows)
        for what, rows in groups.items()
    )
    return draw(paint, width=4.8, height=4.2, description=f"Calibration of {name}: {described}")
