"""The numbers that the papers print: ``printed.csv``, one row per number with its table, part, row and column."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import final


@final
@dataclass(frozen=True)
class PrintedValue:
    """A number of a paper.

    Attributes:
        paper: Short name of the paper: dal, lct, alpa, metric-losses or dbm.
        item: Its table or figure, such as ``table1``.
        part: Which of several data sets the number is of.
        row: Name of its row, shortened to the method.
        column: Name of its column.
        text: The number as it is printed.
        deviation: The standard deviation as it is printed; empty if there is none.
        note: What to know about it; empty for most.
    """

    paper: str
    item: str
    part: str
    row: str
    column: str
    text: str
    deviation: str
    note: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)

    def __str__(self) -> str:
        return f"{self.text} ± {self.deviation}" if self.deviation else self.text


@cache
def all_printed() -> tuple[PrintedValue, ...]:
    """Return every printed number, in the order of the file."""
    text = (resources.files(__package__) / "printed.csv").read_text(encoding="utf-8")
    return tuple(PrintedValue(*row) for row in list(csv.reader(text.splitlines()))[1:])


def printed_values(paper: str, item: str) -> dict[tuple[str, str, str], PrintedValue]:
    """Return the numbers of one table or figure, by part, row and column.

    Example:
        >>> printed_values("dal", "table1")["ISIC 2018", "DAL", "BAcc"].value
        0.7348
    """
    return {
        (printed.part, printed.row, printed.column): printed
        for printed in all_printed()
        if (printed.paper, printed.item) == (paper, item)
    }
