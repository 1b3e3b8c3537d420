"""How many images each class has (DAL Fig. 3, metric losses Fig. 5)."""

from typing import Literal, final

import numpy as np
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import INK, SERIES, draw, shortened
from medtail.experiments.reproductions.kinds.base import DrawnFigure, Findings, Kind
from medtail.experiments.reproductions.plan import PlannedPart


@final
class ClassShares(Kind):
    """Bars of the share of each class, from frequent to rare."""

    name: Literal["class_shares"]

    def findings(self, part: PlannedPart) -> Findings:
        counts = part.collection.class_counts()
        order = np.argsort(-counts, kind="stable")
        names = [part.collection.class_names[index] for index in order]
        shares = 100 * counts[order] / counts.sum()

        def paint(figure: Figure) -> None:
            axes = figure.subplots()
            bars = axes.bar(range(len(names)), shares, color=SERIES[0])
            axes.bar_label(bars, [f"{share:.1f}" for share in shares], color=INK, fontsize=9)
            axes.set_xticks(range(len(names)), [shortened(name, 14) for name in names])
            axes.set_ylabel("share of the images, %")
            axes.grid(axis="x", visible=False)

        listed = ", ".join(f"{name} {share:.1f} %" for name, share in zip(names, shares, strict=True))
        drawing = draw(
            paint,
            width=min(9.0, 2.5 + 0.8 * len(names)),
            height=3.4,
            description=f"Shares of the classes: {listed}",
        )
        caption = f"{part.collection.name}: {int(counts.sum())} images, all splits together."
        return Findings(figures=[DrawnFigure(caption, drawing)])
