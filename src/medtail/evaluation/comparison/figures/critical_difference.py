"""Mean ranks over data sets, and which of them the tests cannot tell apart (Demšar 2006, Fig. 1)."""

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.comparison.ranking import Ranking
from medtail.evaluation.report.drawing import INK, SERIES, draw, shortened


def cliques(ranking: Ranking) -> list[tuple[float, float]]:
    """Return the mean ranks of first and last of each largest group without a critical difference inside.

    Example:
        >>> import pandas as pd
        >>> from medtail.evaluation.comparison.ranking import rank
        >>> values = pd.DataFrame({number: [3.0, 2.0, 1.0] for number in range(6)}, index=["a", "b", "c"])
        >>> cliques(rank(values))
        [(1.0, 2.0), (2.0, 3.0)]
    """
    ranks = ranking.mean_ranks.to_numpy(dtype=np.float64)
    found: list[tuple[float, float]] = []
    for first in ranks:
        last = float(ranks[ranks - first < ranking.critical_difference].max())
        if last > first and not any(low <= first and last <= high for low, high in found):
            found.append((float(first), last))
    return found


def critical_difference(ranking: Ranking) -> Markup:
    """Return rows on an axis of mean ranks; a bar joins those that Nemenyi's test cannot tell apart."""
    means = ranking.mean_ranks
    bars = cliques(ranking)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for position, (label, mean) in enumerate(means.items()):
            axes.plot([mean, mean], [0, position + 1], color=SERIES[7], linewidth=0.8)
            axes.plot(mean, position + 1, "o", color=SERIES[0], markersize=6)
            axes.annotate(
                f"{shortened(str(label), 30)}  {mean:.2f}", (mean, position + 1), xytext=(9, 0),
                textcoords="offset points", va="center", color=INK,
            )  # fmt: skip
        for number, (low, high) in enumerate(bars):
            height = -0.35 - 0.35 * number
            axes.plot([low - 0.04, high + 0.04], [height, height], color=SERIES[1], linewidth=4)
        length = ranking.critical_difference
        axes.plot([1, 1 + length], [-1 - 0.35 * len(bars)] * 2, "|-", color=INK, linewidth=1.2)
        axes.annotate(
            f"critical difference {length:.2f}", (1, -1 - 0.35 * len(bars)), xytext=(0, -12),
            textcoords="offset points", color=INK, fontsize=9,
        )  # fmt: skip
        axes.set_xlim(0.9, len(means) + 0.9)
        axes.set_ylim(len(means) + 0.8, -1.9 - 0.35 * len(bars))
        axes.set_xlabel("mean rank, 1 is best")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y", visible=False)

    described = ", ".join(f"{label} {mean:.2f}" for label, mean in means.items())
    return draw(
        paint,
        width=8,
        height=1.6 + 0.38 * (len(means) + len(bars)),
        description=f"Mean ranks: {described}; critical difference {ranking.critical_difference:.2f}",
    )
