"""A table of one metric: rows and columns are two choices, such as loss × sampling."""

from collections.abc import Sequence
from typing import Literal, final

from medtail.experiments.reproductions.kinds.base import Findings, OfVariants, Reached
from medtail.experiments.reproductions.kinds.methods import Measure
from medtail.experiments.reproductions.measures import JudgedSplit, measure
from medtail.experiments.reproductions.plan import PlannedPart, Row


@final
class CrossedTable(OfVariants):
    """Every variant is one cell, in its own row and column.

    Attributes:
        measure: The number in the cells.
        columns: In the order of the paper.
        percent: Whether the paper prints percent.
    """

    name: Literal["crossed"]
    measure: Measure
    columns: list[str]
    percent: bool = False

    def label_of(self, row: Row) -> str:
        return str(row.row)

    def columns_of(self, part: str) -> Sequence[str]:
        return self.columns

    def findings(self, part: PlannedPart) -> Findings:
        factor = 100.0 if self.percent else 1.0
        return Findings(
            {
                (str(row.row), str(row.column)): Reached(
                    tuple(factor * measure(JudgedSplit(run), self.measure) for run in part.runs(row))
                )
                for row in part.trained_rows
            }
        )
