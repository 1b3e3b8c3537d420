"""Tables of text, which Markdown, LaTeX and pages show alike."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from medtail.evaluation.comparison.significance.differences import p_value
from medtail.evaluation.report.page import number, signed

if TYPE_CHECKING:
    from medtail.evaluation.comparison.comparison import Comparison

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "–": "--", "↓": r"$\downarrow$",
    "→": r"$\rightarrow$", "α": r"$\alpha$", "σ": r"$\sigma$", "μ": r"$\mu$", "≥": r"$\geq$", "≤": r"$\leq$",
    "×": r"$\times$", "−": r"$-$", "γ": r"$\gamma$", "τ": r"$\tau$", "λ": r"$\lambda$", "β": r"$\beta$",
}  # fmt: skip


@final
@dataclass(frozen=True)
class TextTable:
    """A table whose cells are text.

    Attributes:
        title: What it shows.
        header: Of each column.
        rows: Cells, as many as the header has.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> list[str]:
        """Return lines of Markdown, without the title."""
        cells = [[text.replace("|", "\\|") for text in row] for row in (self.header, *self.rows)]
        lines = [f"| {' | '.join(row)} |" for row in cells]
        return [lines[0], "|" + " --- |" * len(self.header), *lines[1:]]

    def latex(self) -> str:
        r"""Return a table for LaTeX with the package ``booktabs``.

        Example:
            >>> print(TextTable("Recall", ["Method", "mel"], [["dbm_bs", "0.700 ± 0.010"]]).latex().splitlines()[6])
            dbm\_bs & 0.700 $\pm$ 0.010 \\
        """
        lines = [" & ".join(map(_latex, row)) + r" \\" for row in (self.header, *self.rows)]
        return "\n".join(
            [
                r"\begin{table}", rf"\caption{{{_latex(self.title)}}}",
                rf"\begin{{tabular}}{{{'l' * len(self.header)}}}", r"\toprule",
                lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
            ]
        )  # fmt: skip


def _latex(text: str) -> str:
    return re.sub("|".join(map(re.escape, _LATEX)), lambda match: _LATEX[match[0]], text)


def comparison_tables(comparison: "Comparison") -> list[TextTable]:
    """Return the tables of metrics, then one of tests against each of reference, best and free rival."""
    tables = [
        TextTable(
            group.title,
            ["Method", "Seeds", *(metric.heading for metric in group.columns.values())],
            [
                [
                    row["method"],
                    str(len(row["seeds"])),
                    *(comparison.reached(row, name) for name in group.columns),
                ]
                for row in comparison.rows
            ],
        )
        for group in comparison.column_groups
    ]
    return [*tables, *tables_of_tests(comparison)]


def tables_of_tests(comparison: "Comparison") -> list[TextTable]:
    """Return one table of tests against each of reference, best and free rival; none for a single row."""
    roles = {
        comparison.reference: "the reference",
        **({} if comparison.rival is None else {comparison.rival: "the free rival"}),
        comparison.best: "the best",
    }
    return [
        TextTable(
            f"Balanced accuracy against {other}, {roles[other]}, over shared seeds",
            [
                "Method",
                "Verdict",
                "Difference",
                f"95 % interval over {comparison.num_resampled} {comparison.resampled}s",
                "Shared seeds",
                "t",
                "p",
                "p (Holm)",
                "p (McNemar, per seed)",
            ],
            [
                [
                    one.method,
                    "; ".join(filter(None, (one.verdict, one.note))),
                    signed(one.difference),
                    f"{signed(one.low)} to {signed(one.high)}",
                    str(one.shared_seeds),
                    number(one.t, 2),
                    p_value(one.p),
                    p_value(one.p_holm),
                    one.image_p,
                ]
                for one in differences
            ],
        )
        for other, differences in comparison.against.items()
        if differences
    ]
