"""Figures of grids of trainings: LCT Figs. 1, 2 and 4 to 8."""

from collections.abc import Sequence
from typing import Any, Literal, final

from medtail.evaluation.report.hyperparameter_figures import precision_at_recalls, precision_limits
from medtail.evaluation.tuning.page import compared_at_recalls, metric_map, one_model
from medtail.evaluation.tuning.tuning import GridMetrics
from medtail.experiments.reproductions.kinds.base import DrawnFigure, Findings, Reached
from medtail.experiments.reproductions.kinds.grids import OfGrids, finished_grid, grid_rows
from medtail.experiments.reproductions.plan import PlannedPart


@final
class PrecisionAtRecalls(OfGrids):
    """Precision at eight recalls: the models of one grid that are best at some recall, and one of another (LCT Fig. 1).

    Attributes:
        pairs: Rows of a loss-conditional grid and of its baseline.
    """

    name: Literal["precision_at_recalls"]
    pairs: list[tuple[str, str]]

    def findings(self, part: PlannedPart) -> Findings:
        grids = _finished(part)
        panels = [
            (f"{row} against {baseline}", compared_at_recalls(grids[row], grids[baseline], "test"))
            for row, baseline in self.pairs
            if row in grids and baseline in grids
        ]
        limits = precision_limits([model for _, models in panels for model in models])
        return Findings(
            figures=[
                DrawnFigure(
                    "Models chosen on test, as the paper does.", precision_at_recalls(models, title, limits)
                )
                for title, models in panels
            ]
        )


@final
class OneModel(OfGrids):
    """Every λ of one loss-conditional model beside one model of its baseline (LCT Figs. 2 and 8).

    Attributes:
        pair: Rows of the loss-conditional grid and of its baseline.
    """

    name: Literal["one_model"]
    pair: tuple[str, str]

    def findings(self, part: PlannedPart) -> Findings:
        grids = _finished(part)
        scatter: dict[str, Any] | None = one_model(grids[self.pair[0]], grids[self.pair[1]])
        if scatter is None:
            return Findings(remarks=["No area under ROC is defined, so that there is nothing to draw."])
        caption = (
            f"{scatter['conditions']} λ of {scatter['training']} of {self.pair[0]}, by {scatter['shown']}; "
            f"the cross is the best training of {self.pair[1]}."
        )
        return Findings(figures=[DrawnFigure(caption, scatter["figure"])])


@final
class HeatMap(OfGrids):
    """A metric on test over a grid of trainings, and over λ within each (LCT Figs. 4 to 7).

    Attributes:
        column: Name of the metric's column: its best value on test is beside the printed one.
        metric: Its key.
    """

    name: Literal["heat_map"]
    column: str
    metric: str

    def columns_of(self, part: str) -> Sequence[str]:
        return [self.column]

    def findings(self, part: PlannedPart) -> Findings:
        cells, figures = {}, []
        for label, grid in _finished(part).items():
            best = grid.best(self.metric, "test")
            if best is not None:
                cells[label, self.column] = Reached(grid.of_seeds(best, "test", self.metric))
            drawing = metric_map(grid, self.metric)
            if drawing is not None:
                caption = (
                    f"{label}: {len(grid.grid.points)} of {grid.grid.size} trainings; the others are blank."
                )
                figures.append(DrawnFigure(caption, drawing))
        return Findings(cells, figures)


def _finished(part: PlannedPart) -> dict[str, GridMetrics]:
    return {row.label: finished_grid(part, row) for row in grid_rows(part)}
