"""Grids of trainings: the best value of each, as LCT reports it, and the one that validation chooses."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, final

from medtail.evaluation.tuning.tuning import GridMetrics
from medtail.experiments.jobs import Job
from medtail.experiments.planned_runs import check_planned, plan_grid
from medtail.experiments.reproductions.kinds.base import Findings, Kind, Reached
from medtail.experiments.reproductions.plan import PlannedPart, Row
from medtail.recipes.grid_files import read_grid
from medtail.runs.grid import GridRuns
from medtail.runs.run import EvaluatedSplit


class OfGrids(Kind, ABC):
    """A kind whose rows are grids of trainings; abstract."""

    def jobs(self, part: PlannedPart) -> list[Job]:
        planned = [
            replace(plan, title=f"{part.title}: {plan.title}")
            for row in grid_rows(part)
            for plan in plan_grid(grid_runs(part, row))
        ]
        return check_planned(part.collection, planned, recipe=part.recipe, changes=part.changes)


def grid_rows(part: PlannedPart) -> list[Row]:
    """Return the rows that are grids."""
    return [row for row in part.rows if row.grid is not None and row.not_run is None]


def grid_runs(part: PlannedPart, row: Row) -> GridRuns:
    """Return the runs of a row."""
    grid = read_grid(str(row.grid), part.grid_points)
    return GridRuns(part.folder / grid.name, grid, part.seeds)


def finished_grid(part: PlannedPart, row: Row) -> GridMetrics:
    """Return the metrics of a row whose trainings are finished, which marks their folder as a grid."""
    runs = grid_runs(part, row)
    runs.write()
    return GridMetrics.read(runs)


@final
class GridTable(OfGrids):
    """Rows are grids; a column is one metric of the positive class, at the candidate that is best on test.

    Attributes:
        column: Name of the column.
        metric: Key of :data:`~medtail.evaluation.summaries.ranking_metrics.RANKING_METRICS`.
    """

    name: Literal["grids"]
    column: str
    metric: str

    @property
    def honest(self) -> str:
        """The column of the candidates that validation chooses, which the paper does not print."""
        return f"{self.column}, chosen on validation"

    def columns_of(self, part: str) -> Sequence[str]:
        return [self.column, self.honest]

    def findings(self, part: PlannedPart) -> Findings:
        cells: dict[tuple[str, str], Reached] = {}
        choosers: dict[str, EvaluatedSplit] = {self.column: "test", self.honest: "validation"}
        for row in grid_rows(part):
            metrics = finished_grid(part, row)
            for column, chooser in choosers.items():
                chosen = metrics.best(self.metric, chooser)
                cells[row.label, column] = Reached(
                    () if chosen is None else metrics.of_seeds(chosen, "test", self.metric)
                )
        return Findings(cells)
