"""Angles to the class centres at the end of training, over the scale that each run was trained with."""

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.comparison.comparison import Comparison
from medtail.evaluation.report.drawing import INK, MUTED, SERIES, draw, plain_powers, shortened
from medtail.runs.stored_files import read_csv

_KINDS = {"target": "own class", "negative": "wrong classes"}
_COLUMNS = ["scale", *(f"{kind}_{quantile}" for kind in _KINDS for quantile in ("q05", "q50", "q95"))]


def angles(comparison: Comparison) -> Markup | None:
    """Return median angles and the range of 90 % of them for each run with ``angles.csv``; None if none has it."""
    last = [
        (run.label, read_csv(run.run.angles, numbers=_COLUMNS).iloc[-1])
        for run in comparison.judged
        if run.adapted_from is None and run.run.angles.is_file()
    ]
    if not last:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for (kind, name), colour, side in zip(_KINDS.items(), SERIES, (0.97, 1.03), strict=False):
            scales = np.array([row["scale"] for _, row in last]) * side
            low, middle, high = (
                np.degrees([row[f"{kind}_{quantile}"] for _, row in last])
                for quantile in ("q05", "q50", "q95")
            )
            axes.errorbar(
                scales,
                middle,
                yerr=[middle - low, high - middle],
                fmt="o",
                color=colour,
                label=name,
                linewidth=1.2,
            )
        for label, row in dict(last).items():
            axes.annotate(
                shortened(label, 18), (row["scale"], np.degrees(row["negative_q95"])), xytext=(0, 5),
                textcoords="offset points", ha="center", color=INK, fontsize=8,
            )  # fmt: skip
        axes.axhline(90, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xscale("log")
        plain_powers(axes.xaxis)
        axes.margins(x=0.15, y=0.12)
        axes.set_xlabel("scale at the end of training")
        axes.set_ylabel("degrees")
        axes.legend(loc="best")

    described = ", ".join(
        f"{label} at scale {row['scale']:.3g}: {np.degrees(row['target_q50']):.0f}°" for label, row in last
    )
    return draw(paint, width=8, height=4, description=f"Median angle to the own class: {described}")
