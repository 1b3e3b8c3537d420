"""The tables of a report as CSV, for computing, and as LaTeX, for a paper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from medtail import metrics
from medtail.evaluation.report.authors.reporting_items import reporting_items
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.summaries.clinical_rates import Rate, clinical_rates
from medtail.evaluation.summaries.subgroups import subgroup_recalls
from medtail.files import replacing, with_cells, write_text

#: Longer cells are sentences.
_LONGEST = 40

#: The most classes of which the whole confusion matrix is a table, and the mistakes that are listed of more.
MOST_CROSSED, _MISTAKES = 100, 500


@final
@dataclass(frozen=True)
class AuthorTable:
    """A table of a paper.

    Attributes:
        name: Of its files.
        caption: What it shows.
        rows: Texts, whole numbers, shares or metrics, by column; an interval is a pair, and None is undefined.
    """

    name: str
    caption: str
    rows: Sequence[dict[str, Any]]

    def write(self, folder: Path) -> None:
        """Write ``NAME.csv``, with the ends of intervals in columns of their own, and ``NAME.tex``."""
        with replacing(folder / f"{self.name}.csv") as temporary:
            with_cells(self._numbers()).to_csv(temporary, index=False, float_format="%.6g")
        write_text(folder / f"{self.name}.tex", self._latex())

    def _numbers(self) -> pd.DataFrame:
        return pd.DataFrame([dict(_cells(row)) for row in self.rows])

    def _latex(self) -> str:
        """A booktabs table; the interval of a number stands behind it."""
        table = pd.DataFrame([_printed(row) for row in self.rows])
        style = table.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
        text: str = style.to_latex(
            hrules=True,
            column_format="".join(_column(table[name]) for name in table),
            caption=_escaped(self.caption),
            label=f"tab:{self.name}",
            position="tbp",
        )
        return text


def _cells(row: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if name.endswith("interval"):
            low, high = (None, None) if value is None else value
            yield name.replace("interval", "low"), low
            yield name.replace("interval", "high"), high
        else:
            yield name, value


def _printed(row: dict[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in row.items():
        if name.endswith("interval"):
            last = next(reversed(cells))
            if value is not None:
                cells[last] += f" [{value[0]:.3f}, {value[1]:.3f}]"
        elif value is None:
            cells[name.replace("_", " ")] = "–"
        else:
            cells[name.replace("_", " ")] = f"{value:.3f}" if isinstance(value, float) else str(value)
    return cells


def _column(cells: "pd.Series[str]") -> str:
    """Sentences are broken into lines, names stand on the left, numbers on the right."""
    if cells.str.len().max() > _LONGEST:
        return "p{7cm}"
    return "r" if cells.str.match(r"[\d–]").all() else "l"


def _escaped(text: str) -> str:
    for sign in "&%$#_{}":
        text = text.replace(sign, f"\\{sign}")
    return text


def author_tables(evidence: Evidence) -> list[AuthorTable]:
    """Return the tables of a finished run; those that the run has nothing for are left out."""
    split = evidence.judged.split
    tables = [
        AuthorTable("metrics", f"Metrics on {split} with 95 % intervals", _metrics(evidence)),
        AuthorTable("classes", f"Each {_noun(evidence)}, from frequent to rare", class_rows(evidence)),
        AuthorTable("subgroups", f"Recall in subgroups of {split}", subgroup_rows(evidence)),
        _confusion(evidence),
        AuthorTable("operating_point", f"Decisions on {split} before and after", _point(evidence)),
        AuthorTable("reporting_items", "Items of TRIPOD+AI and STARD 2015", reporting_items(evidence)),
    ]
    return [table for table in tables if table.rows]


def write_tables(evidence: Evidence, folder: Path) -> None:
    """Write the tables to ``folder``."""
    for table in author_tables(evidence):
        table.write(folder)


def _noun(evidence: Evidence) -> str:
    return evidence.facts.task.noun


def _metrics(evidence: Evidence) -> list[dict[str, Any]]:
    validation = None if evidence.validation is None else evidence.validation.measure()
    return [
        {
            "metric": metric.title,
            "value": evidence.summary[name],
            "interval": evidence.summary["intervals"][name],
            **({} if validation is None else {"validation": float(validation[name][0])}),
        }
        for name, metric in evidence.facts.task.metrics.items()
    ]


def class_rows(evidence: Evidence) -> list[dict[str, Any]]:
    """Return one row per class or label: counts, recall, precision, F1 and areas, with intervals."""
    areas = evidence.class_areas
    counts = {split: evidence.counts(split) for split in ("train", "validation")}
    return [
        {
            _noun(evidence): entry["name"],
            **{split: int(count[index]) for split, count in counts.items()},
            evidence.judged.kind: entry["n"],
            "recall": entry["recall"],
            "recall_interval": entry["recall_interval"],
            "precision": entry["precision"],
            "f1": entry["f1"],
            **areas[index],
        }
        for index in evidence.from_frequent_to_rare
        for entry in [evidence.summary["classes"][index]]
    ]


def subgroup_rows(evidence: Evidence) -> list[dict[str, Any]]:
    """Return one row per subgroup and class; none where the data named no attributes."""
    return subgroup_recalls(evidence.test, evidence.attributes)


def _confusion(evidence: Evidence) -> AuthorTable:
    """The confusion matrix, or the most frequent mistakes among more classes than a table has columns."""
    if evidence.facts.multi_label:
        return AuthorTable("confusion", "", [])
    names, order = evidence.class_names, evidence.from_frequent_to_rare
    counts = metrics.confusion_matrix(evidence.test.targets, evidence.test.decisions, len(names))
    if len(names) > MOST_CROSSED:
        mistakes = counts * (1 - np.eye(len(names), dtype=counts.dtype))
        most = np.argsort(-mistakes, axis=None, kind="stable")[:_MISTAKES]
        caption = f"The most frequent mistakes, up to {_MISTAKES}"
        return AuthorTable(
            "confusion",
            caption,
            [
                {
                    "true class": names[row],
                    "decided class": names[column],
                    "images": int(counts[row, column]),
                    "share_of_true_class": float(counts[row, column] / counts[row].sum()),
                }
                for row, column in zip(*np.unravel_index(most, counts.shape), strict=True)
                if mistakes[row, column]
            ],
        )
    return AuthorTable(
        "confusion",
        "Images by true class (rows) and decided class (columns)",
        [
            {"true class": names[row], **{names[column]: int(counts[row, column]) for column in order}}
            for row in order
        ],
    )


def _point(evidence: Evidence) -> list[dict[str, Any]]:
    if evidence.adapted is None:
        return []
    if evidence.positive is not None:
        pairs = zip(
            clinical_rates(evidence.test, evidence.positive),
            clinical_rates(evidence.adapted, evidence.positive),
            strict=True,
        )
    else:
        pairs = zip(_recalls(evidence, adapted=False), _recalls(evidence, adapted=True), strict=True)
    return [
        {
            "rate": after.title,
            "before": before.value,
            "before_interval": before.interval,
            "after": after.value,
            "after_interval": after.interval,
        }
        for before, after in pairs
    ]


def _recalls(evidence: Evidence, *, adapted: bool) -> list[Rate]:
    predictions = evidence.adapted if adapted else evidence.test
    assert predictions is not None
    outcomes = predictions.outcomes()
    hits, images = outcomes.hits[0], outcomes.targets[0]
    return [
        Rate(f"Recall of {evidence.class_names[index]}", "", int(hits[index]), int(images[index]))
        for index in evidence.from_frequent_to_rare
    ]
