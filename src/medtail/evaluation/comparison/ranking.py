"""Rows over several data sets: mean ranks, and whether they differ by more than luck."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.evaluation.comparison.comparison import Comparison
from medtail.evaluation.comparison.significance.differences import LEVEL, p_value
from medtail.evaluation.comparison.tables import TextTable
from medtail.evaluation.report.page import number


@final
@dataclass(frozen=True)
class Ranking:
    r"""Mean ranks over data sets, with Friedman's test and Nemenyi's (Demšar 2006).

    Two rows differ where their mean ranks are at least the critical difference
    :math:`q_\alpha\sqrt{k(k+1)/6N}` apart, for k rows and N data sets.

    Attributes:
        values: What is ranked, mean balanced accuracy over seeds: one row per label and one column per data set.
        ranks: Rank in each data set, from 1 for the best; the mean of equals. Best mean rank first.
        p: Of Friedman's test that all rows are alike; NaN where it needs more rows or data sets.
        critical_difference: Of mean ranks, at level 0.05; NaN as ``p``.
        p_values: Nemenyi's, for each pair of rows; NaN as ``p``.
    """

    values: pd.DataFrame
    ranks: pd.DataFrame
    p: float
    critical_difference: float
    p_values: pd.DataFrame

    @property
    def mean_ranks(self) -> "pd.Series[float]":
        """By label, best first."""
        return self.ranks.mean(axis=1)

    @property
    def sentence(self) -> str:
        """What the tests say, in words."""
        sets = self.ranks.shape[1]
        if np.isnan(self.p):
            return (
                f"Friedman's test needs three rows and two data sets, there are {len(self.ranks)} and {sets}."
            )
        shown = p_value(self.p)
        told = f"Friedman's test over {sets} data sets: p {shown if shown.startswith('<') else f'= {shown}'}"
        labels = list(self.ranks.index)
        pairs = [
            f"{first} and {second}"
            for place, first in enumerate(labels)
            for second in labels[place + 1 :]
            if self.p_values.loc[first, second] < LEVEL
        ]
        if self.p >= LEVEL:
            return f"{told}; there is no evidence of a difference between any two rows."
        if not pairs:
            return f"{told}; the rows are not all alike, but Nemenyi's test tells no two of them apart."
        return f"{told}; these differ by Nemenyi's test: {', '.join(pairs)}."

    @property
    def table(self) -> TextTable:
        """Mean rank, then the rank in each data set."""
        return TextTable(
            "Ranks by balanced accuracy, 1 is best",
            ["Method", "Mean rank", *map(str, self.ranks.columns)],
            [
                [label, number(float(np.mean(ranks)), 2), *(f"{rank:g}" for rank in ranks)]
                for label, ranks in zip(map(str, self.ranks.index), self.ranks.to_numpy(), strict=True)
            ],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "mean_ranks": self.mean_ranks.to_dict(),
            "ranks": self.ranks.T.to_dict(),
            "friedman_p": None if np.isnan(self.p) else self.p,
            "critical_difference": None if np.isnan(self.p) else self.critical_difference,
            "nemenyi_p": None if np.isnan(self.p) else self.p_values.to_dict(),
            "conclusion": self.sentence,
        }


def rank(values: pd.DataFrame) -> Ranking:
    """Rank rows in every data set, and test the ranks.

    Args:
        values: One row per label and one column per data set; higher is better.

    Example:
        >>> ranking = rank(pd.DataFrame({"a": [0.9, 0.8, 0.7], "b": [0.9, 0.7, 0.8]}, index=["x", "y", "z"]))
        >>> ranking.mean_ranks.to_dict()
        {'x': 1.0, 'y': 2.5, 'z': 2.5}
    """
    # SciPy's statistics take half a second to import.
    from scipy.stats import friedmanchisquare, studentized_range

    ranks = values.rank(ascending=False)
    ranks = ranks.loc[ranks.mean(axis=1).sort_values(kind="stable").index]
    rows, sets = ranks.shape
    nan = float("nan")
    labels = list(ranks.index)
    if rows < 3 or sets < 2:
        return Ranking(values, ranks, nan, nan, pd.DataFrame(nan, index=labels, columns=labels))
    p = float(friedmanchisquare(*values.to_numpy()).pvalue) if (ranks.nunique() > 1).any() else 1.0
    spread = np.sqrt(rows * (rows + 1) / (6 * sets))
    # The quantiles of Nemenyi's test are those of the studentised range, divided by √2.
    critical = float(studentized_range.ppf(1 - LEVEL, rows, np.inf) / np.sqrt(2) * spread)
    mean = ranks.mean(axis=1).to_numpy()
    apart = np.abs(mean[:, None] - mean[None, :]) / spread * np.sqrt(2)
    p_values = pd.DataFrame(studentized_range.sf(apart, rows, np.inf), index=labels, columns=labels)
    return Ranking(values, ranks, p, critical, p_values)


@final
@dataclass(frozen=True)
class RankedComparisons:
    """The same rows on several data sets.

    Attributes:
        comparisons: One per data set.
        ranking: Of the rows that all of them have.
    """

    comparisons: Sequence[Comparison]
    ranking: Ranking

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "data_sets": [comparison.to_dict() for comparison in self.comparisons],
            "ranking": self.ranking.to_dict(),
        }

    def to_markdown(self) -> str:
        """Return the ranks, then the comparison of each data set."""
        parts = [
            f"{self.ranking.table.title}:",
            "",
            *self.ranking.table.markdown(),
            "",
            self.ranking.sentence,
            "",
        ]
        return "\n".join([*parts, *(comparison.to_markdown() for comparison in self.comparisons)])

    def to_latex(self) -> str:
        """Return the same tables for LaTeX with the package ``booktabs``."""
        return "\n".join([self.ranking.table.latex(), *(one.to_latex() for one in self.comparisons)])

    @property
    def table(self) -> pd.DataFrame:
        """The rows of all data sets, with the data set in the first column."""
        return self._joined([one.table for one in self.comparisons])

    @property
    def cells(self) -> pd.DataFrame:
        """The cells of the tables of two settings of all data sets, likewise; empty where there are none."""
        return self._joined([one.cells for one in self.comparisons])

    def _joined(self, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
        names = [one.dataset for one in self.comparisons]
        return pd.concat(tables, keys=names, names=["data_set", None]).reset_index("data_set")


def rank_comparisons(comparisons: Sequence[Comparison]) -> RankedComparisons:
    """Rank the rows of several comparisons by mean balanced accuracy.

    Args:
        comparisons: Of different data sets.

    Raises:
        InputError: There is only one, two are of one data set, or no row is in all of them.
    """
    names = [comparison.dataset for comparison in comparisons]
    if len(comparisons) < 2 or len(set(names)) < len(names):
        raise InputError(f"comparisons must be of two or more different data sets, got {', '.join(names)}")
    means = [one.table.set_index("method")["balanced_accuracy_mean"] for one in comparisons]
    values = pd.concat(means, axis=1, keys=names, join="inner")
    if values.empty:
        raise InputError(f"comparisons must have a row in common, those of {', '.join(names)} do not")
    return RankedComparisons(list(comparisons), rank(values))
