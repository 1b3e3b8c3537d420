"""A table of two settings, one in rows and one in columns: losses × samplers, for example."""

from collections.abc import Sequence

import numpy as np

from medtail.errors import InputError
from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.evaluation.comparison.tables import TextTable
from medtail.evaluation.report.page import mean_and_deviation
from medtail.metrics import Metric
from medtail.naming import listing, nearest


def check_factors(rows: str | None, columns: str | None) -> None:
    """Refuse one setting without another.

    Raises:
        InputError: One is missing.
    """
    if (rows is None) != (columns is None):
        raise InputError("`rows` and `columns` make one table of two settings; give both, or neither")


def factor_table(
    judged: Sequence[JudgedRun], values: Sequence[float], metric: Metric, rows: str, columns: str
) -> TextTable:
    """Return the mean ± sd of a metric over seeds for each pair of two settings.

    Args:
        judged: Runs that differ in these settings.
        values: The metric of each.
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
    return TextTable(
        f"{metric.heading} by {rows} and {columns}",
        [f"{rows} ↓ {columns} →", *dict.fromkeys(settings[columns])],
        [
            [row, *(_cell(cells.get((row, column))) for column in dict.fromkeys(settings[columns]))]
            for row in dict.fromkeys(settings[rows])
        ],
    )


def _settings(judged: Sequence[JudgedRun], name: str) -> list[str]:
    flat = [{"method": run.method, "label": run.label, **run.settings.flat} for run in judged]
    known = {key for each in flat for key in each}
    if name not in known:
        raise InputError(
            f"`rows` and `columns` must be settings of the runs, got {name}{nearest(name, sorted(known))}; "
            f"e.g. {listing(['method', 'loss.name', 'sampling.name'])}"
        )
    return [str(each.get(name, "not set")) for each in flat]


def _cell(values: Sequence[float] | None) -> str:
    if values is None:
        return "–"
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return mean_and_deviation(float(np.mean(values)), deviation)
