"""Confusion matrices side by side (DAL Figs. 4 and 5)."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.evaluation.report.drawing import INK, draw, shortened
from medtail.metrics import confusion_matrix

#: With more classes, shares do not fit into their cells.
_MOST_WITH_NUMBERS = 10

_PER_LINE = 3


def confusions(runs: Sequence[JudgedRun]) -> Markup:
    """Return the share of each true class by decided class, one matrix for each run, from frequent to rare classes."""
    order = np.argsort(-runs[0].facts.training_counts, kind="stable")
    names = [runs[0].predictions.class_names[index] for index in order]
    size = len(names)
    numbered = size <= _MOST_WITH_NUMBERS
    columns = min(_PER_LINE, len(runs))
    lines = -(-len(runs) // columns)
    shares = [_shares(run)[np.ix_(order, order)] for run in runs]

    def paint(figure: Figure) -> None:
        every = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes in every[len(runs) :]:
            axes.set_axis_off()
        for axes, run, share in zip(every, runs, shares, strict=False):
            # Blue with the share as opacity, which shows on light and dark pages alike.
            pixels = np.empty((size, size, 4))
            pixels[...] = (0.22, 0.50, 0.80, 0.0)
            pixels[..., 3] = share if numbered else np.sqrt(share)
            axes.imshow(pixels, interpolation="nearest", vmin=0, vmax=1)
            axes.set_title(f"{shortened(run.label, 26)}, seed {run.seed}")
            axes.grid(visible=False)
            ticks = range(size) if numbered else []
            axes.set_xticks(ticks, [shortened(name, 8) for name in names] if numbered else [], rotation=60)
            axes.set_yticks(ticks, [shortened(name, 8) for name in names] if numbered else [])
            for row, column in np.argwhere(share >= 0.005) if numbered else []:
                axes.text(
                    column,
                    row,
                    f"{100 * share[row, column]:.0f}",
                    ha="center",
                    va="center",
                    color=INK,
                    fontsize=7.5,
                )

    described = "; ".join(
        f"{run.label} {np.nanmean(np.diagonal(share)):.2f}" for run, share in zip(runs, shares, strict=True)
    )
    return draw(
        paint,
        width=3.1 * columns,
        height=3.3 * lines,
        description=f"Confusion matrices, rows are true classes; mean share on the diagonal: {described}",
    )


def _shares(run: JudgedRun) -> np.ndarray:
    predictions = run.predictions
    counts = confusion_matrix(predictions.targets, predictions.decisions, len(predictions.class_names))
    shares: np.ndarray = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares
