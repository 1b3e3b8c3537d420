"""Confusion matrices side by side, of the best run of each method (DAL Figs. 4 and 5)."""

from collections.abc import Sequence
from typing import Literal, final

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import INK, SERIES, SURFACE, draw, shortened
from medtail.experiments.reproductions.kinds.base import DrawnFigure, Findings, OfVariants, Reached
from medtail.experiments.reproductions.measures import JudgedSplit, measure
from medtail.experiments.reproductions.plan import PlannedPart
from medtail.metrics import confusion_matrix

#: Text takes the colour of the page on cells stronger than this.
_STRONG = 0.55


@final
class Confusions(OfVariants):
    """One matrix per variant: the shares of each true class, of the seed with the best balanced accuracy on test."""

    name: Literal["confusions"]

    def columns_of(self, part: str) -> Sequence[str]:
        return ["BAcc of the best seed"]

    def findings(self, part: PlannedPart) -> Findings:
        cells, figures = {}, []
        for row in part.trained_rows:
            judged = [JudgedSplit(run) for run in part.runs(row)]
            reached = [measure(run, "balanced_accuracy") for run in judged]
            best = int(np.argmax(reached))
            cells[row.label, "BAcc of the best seed"] = Reached((reached[best],))
            figures.append(DrawnFigure(f"{row.label}, seed {best}.", _matrix(judged[best])))
        return Findings(cells, figures)


def _matrix(judged: JudgedSplit) -> Markup:
    images = judged.predictions
    order = np.argsort(-judged.facts.training_counts, kind="stable")
    counts = confusion_matrix(images.targets, images.decisions, len(order))[np.ix_(order, order)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [shortened(images.class_names[index], 10) for index in order]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for (row, column), share in np.ndenumerate(shares):
            axes.fill_between([column, column + 1], row, row + 1, color=SERIES[0], alpha=share, linewidth=0)
            axes.annotate(
                f"{share:.2f}", (column + 0.5, row + 0.5), ha="center", va="center", fontsize=8,
                color=SURFACE if share > _STRONG else INK,
            )  # fmt: skip
        middles = np.arange(len(names)) + 0.5
        axes.set_xticks(middles, names, rotation=45, ha="right")
        axes.set_yticks(middles, names)
        axes.set_xlim(0, len(names))
        axes.set_ylim(len(names), 0)
        axes.set_xlabel("decided class")
        axes.set_ylabel("true class")
        axes.grid(visible=False)

    return draw(
        paint,
        width=4.9,
        height=4.6,
        description=f"Confusion matrix of {len(names)} classes, mean recall {np.diagonal(shares).mean():.2f}",
    )
