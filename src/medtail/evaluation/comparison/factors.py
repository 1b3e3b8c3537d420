"""A table of two settings, one in rows and one in columns: losses × samplers, for example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from medtail.errors import InputError
from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.evaluation.comparison.tables import TextTable
from medtail.evaluation.report.page import mean_and_deviation
from medtail.metrics import Metric
from medtail.naming import listing, nearest


@final
@dataclass(frozen=True)
class FactorTable:
    """A metric for each pair of two settings.

    Attributes:
        key: The metric's column.
        metric: What it is.
        rows: A setting by its path.
        columns: Another one.
        cells: The values of the metric over seeds, by the values of both settings.
    """

    key: str
    metric: Metric
    rows: str
    columns: str
    cells: Mapping[tuple[str, str], Sequence[float]]

    @property
    def text(self) -> TextTable:
        """Mean ± sd in a grid; a dash where nothing was run."""
        names = dict.fromkeys(column for _, column in self.cells)
        return TextTable(
            f"{self.metric.heading} by {self.rows} and {self.columns}",
            [f"{self.rows} ↓ {self.columns} →", *names],
            [
                [row, *(self._cell(row, column) for column in names)]
                for row in dict.fromkeys(row for row, _ in self.cells)
            ],
        )

    def _cell(self, row: str, column: str) -> str:
        values = self.cells.get((row, column))
        return "–" if values is None else mean_and_deviation(*_mean_and_sd(values))

    @property
    def records(self) -> list[dict[str, Any]]:
        """One mapping per cell: ``metric``, the value of each setting, ``mean``, ``sd`` and ``seeds``, their number."""
        return [
            {
                "metric": self.key,
                self.rows: row,
                self.columns: column,
                **dict(zip(("mean", "sd"), _mean_and_sd(values), strict=True)),
                "seeds": len(values),
            }
            for (row, column), values in self.cells.items()
        ]


def check_factors(rows: str | None, columns: str | None) -> None:
    """Refuse one setting without another.

    Raises:
        InputError: One is missing, or both are the same.
    """
    if rows is not None and rows == columns:
        raise InputError(f"`rows` and `columns` must be two settings, got {rows} twice; name another one")
    if (rows is None) != (columns is None):
        raise InputError("`rows` and `columns` make one table of two settings; give both, or neither")


def factor_table(
    judged: Sequence[JudgedRun], values: Sequence[float], key: str, metric: Metric, rows: str, columns: str
) -> FactorTable:
    """Return a metric for each pair of two settings.

    Args:
        judged: Runs that differ in these settings.
        values: The metric of each.
        key: The metric's column.
        metric: What it is.
        rows: A setting by its path, e.g. ``loss.name``, or ``method`` or ``label``.
        columns: Another one, e.g. ``sampling.name``.

    Raises:
        InputError: No run has such a setting, or two labels have one value of both.
    """
    settings = {name: _settings(judged, name) for name in (rows, columns)}
    cells: dict[tuple[str, str], list[float]] = {}
    holders: dict[tuple[str, str], str] = {}
    for run, place, value in zip(
        judged, zip(settings[rows], settings[columns], strict=True), values, strict=True
    ):
        holder = holders.setdefault(place, run.label)
        if holder != run.label:
            raise InputError(
                f"`rows` and `columns` must tell rows of a comparison apart, {holder} and {run.label} both have "
                f"{rows}={place[0]} and {columns}={place[1]}; name another setting"
            )
        cells.setdefault(place, []).append(value)
    return FactorTable(key, metric, rows, columns, cells)


def _settings(judged: Sequence[JudgedRun], name: str) -> list[str]:
    flat = [{"method": run.method, "label": run.label, **run.settings.flat} for run in judged]
    known = {key for each in flat for key in each}
    if name not in known:
        raise InputError(
            f"`rows` and `columns` must be settings of the runs, got {name}{nearest(name, sorted(known))}; "
            f"e.g. {listing(['method', 'loss.name', 'sampling.name'])}"
        )
    return [str(each.get(name, "not set")) for each in flat]


def _mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return float(np.mean(values)), deviation
