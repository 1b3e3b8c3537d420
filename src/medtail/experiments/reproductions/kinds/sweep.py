"""A metric over the values of settings, one line each (DBM Fig. 3)."""

from collections.abc import Sequence
from typing import Literal, final

from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import MUTED, SERIES, draw
from medtail.experiments.reproductions.kinds.base import DrawnFigure, Findings, OfVariants, Reached
from medtail.experiments.reproductions.kinds.methods import Measure
from medtail.experiments.reproductions.measures import JudgedSplit, measure
from medtail.experiments.reproductions.plan import PlannedPart
from medtail.recipes.schema import Settings


@final
class Panel(Settings):
    """One setting: the rows in the order of its values."""

    title: str
    rows: dict[str, float]


@final
class Sweep(OfVariants):
    """Panels of one setting each, with a baseline across.

    Attributes:
        column: Name of the metric's column.
        measure: The metric; in percent.
        baseline: The row that is drawn as a line across.
        panels: What is drawn.
    """

    name: Literal["sweep"]
    column: str
    measure: Measure
    baseline: str
    panels: list[Panel]

    def columns_of(self, part: str) -> Sequence[str]:
        return [self.column]

    def findings(self, part: PlannedPart) -> Findings:
        reached = {
            row.label: Reached(tuple(100 * measure(JudgedSplit(run), self.measure) for run in part.runs(row)))
            for row in part.trained_rows
        }
        caption = f"{part.title}; the line is {self.baseline}."
        figures = [DrawnFigure(caption, self._draw(panel, reached)) for panel in self.panels]
        return Findings({(label, self.column): value for label, value in reached.items()}, figures)

    def _draw(self, panel: Panel, reached: dict[str, Reached]) -> Markup:
        shown = {value: reached[label].mean for label, value in panel.rows.items() if label in reached}

        def paint(figure: Figure) -> None:
            axes = figure.subplots()
            axes.plot(list(shown), list(shown.values()), "o-", color=SERIES[0])
            if self.baseline in reached:
                axes.axhline(reached[self.baseline].mean, color=MUTED, linestyle="dashed")
            axes.set_xlabel(panel.title)
            axes.set_ylabel(f"{self.column}, %")

        listed = ", ".join(f"{value:g}: {mean:.1f}" for value, mean in shown.items())
        return draw(paint, width=4.8, height=3.4, description=f"{self.column} by {panel.title}: {listed}")
