"""The recalls of all classes and seeds of each row."""

from typing import cast

import numpy as np
from markupsafe import Markup
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from medtail.evaluation.comparison.comparison import Comparison
from medtail.evaluation.report.drawing import INK, SERIES, draw, shortened

#: With fewer values, a density shows the kernel and not the values.
_FEWEST_FOR_A_DENSITY = 5


def violins(comparison: Comparison) -> Markup:
    """Return the spread of recall over classes and seeds: a dot is one class of one run."""
    values = {
        label: np.concatenate([run.recalls for run in comparison.judged if run.label == label])
        for label in comparison.labels
    }
    values = {label: each[~np.isnan(each)] for label, each in values.items()}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for position, each in enumerate(values.values()):
            if len(each) >= _FEWEST_FOR_A_DENSITY and np.ptp(each) > 0:
                drawn = axes.violinplot(
                    [each], [position], widths=0.8, showextrema=False, orientation="horizontal"
                )
                for body in cast("list[PolyCollection]", drawn["bodies"]):
                    body.set_facecolor(SERIES[0])
                    body.set_alpha(0.3)
            axes.plot(
                each, [position] * len(each), "o", color=SERIES[0], markersize=4, alpha=0.6, markeredgewidth=0
            )
            axes.plot(np.median(each), position, "|", color=INK, markersize=16, markeredgewidth=2)
        axes.set_yticks(range(len(values)), [shortened(label) for label in values])
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("recall of a class in a run")
        axes.grid(axis="y", visible=False)

    medians = ", ".join(f"{label} {np.median(each):.2f}" for label, each in values.items())
    return draw(
        paint,
        width=8,
        height=1.0 + 0.55 * len(values),
        description=f"Recall of every class in every run; medians: {medians}",
    )
