"""A reproduction as files: JSON, CSV, Markdown, LaTeX and a page."""

import csv
import io
import math
from pathlib import Path
from typing import Any

from medtail.evaluation.comparison.tables import TextTable
from medtail.evaluation.report.page import Section, number, render_page
from medtail.experiments.reproductions.kinds.base import Reached
from medtail.experiments.reproductions.reproduce import ReproducedPart, Reproduction
from medtail.files import cell as safe_cell
from medtail.files import write_json, write_text

_CSV = ("part", "data", "row", "column", "printed", "printed_deviation", "ours", "deviation", "seeds", "note")


def write_reproduction(done: Reproduction, folder: Path) -> None:
    """Write ``reproduction.json``, ``.csv``, ``.md``, ``.tex`` and ``.html`` into a folder."""
    write_json(folder / "reproduction.json", to_dict(done))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_CSV)
    writer.writerows([safe_cell(str(value)) for value in row] for row in _long_rows(done))
    write_text(folder / "reproduction.csv", buffer.getvalue())
    write_text(folder / "reproduction.tex", to_latex(done))
    write_text(folder / "reproduction.html", to_page(done))
    # Last, because it says which reproduction the folder holds.
    write_text(folder / "reproduction.md", to_markdown(done))


def to_dict(done: Reproduction) -> dict[str, Any]:
    """Return everything but the figures as plain values; undefined values are None."""
    return {
        "format": 1,
        "name": done.definition.name,
        "title": done.definition.title,
        "source": done.definition.source,
        "protocol": done.definition.protocol,
        "budget": done.budget,
        "budget_says": done.spent.says,
        "seeds": done.spent.seeds,
        "training_seconds": round(done.seconds, 1),
        **done.surroundings,
        "stand_ins": done.stand_ins,
        "notes": done.definition.notes,
        "parts": [
            {
                "title": part.title,
                "data": None if part.given is None else {"name": part.given.name, "path": part.given.data},
                "not_run": part.not_run or None,
                "left_out": part.left_out,
                "remarks": part.findings.remarks,
                "cells": [
                    dict(zip(_CSV[2:], _cell_values(part, row, column), strict=True))
                    for row in part.rows
                    for column in part.columns
                    if _known(part, row, column)
                ],
            }
            for part in done.parts
        ],
    }


def _known(part: ReproducedPart, row: str, column: str) -> bool:
    return (row, column) in part.printed or (row, column) in part.findings.cells


def _cell_values(part: ReproducedPart, row: str, column: str) -> list[Any]:
    printed, ours = part.printed.get((row, column)), part.findings.cells.get((row, column))
    return [
        row,
        column,
        None if printed is None else printed.value,
        None if printed is None or not printed.deviation else float(printed.deviation),
        None if ours is None or math.isnan(ours.mean) else ours.mean,
        None if ours is None or math.isnan(ours.deviation) else ours.deviation,
        0 if ours is None else len(ours.values),
        part.left_out.get(row) or (printed.note if printed is not None else "") or None,
    ]


def _long_rows(done: Reproduction) -> list[list[Any]]:
    return [
        [
            "" if value is None else value
            for value in (
                part.title,
                None if part.given is None else part.given.name,
                *_cell_values(part, row, column),
            )
        ]
        for part in done.parts
        for row in part.rows
        for column in part.columns
        if _known(part, row, column)
    ]


def _ours(ours: Reached | None, digits: int) -> str:
    if ours is None or math.isnan(ours.mean):
        return "–"
    if math.isnan(ours.deviation):
        return number(ours.mean, digits)
    return f"{number(ours.mean, digits)} ± {number(ours.deviation, digits)}"


def _digits(part: ReproducedPart, column: str) -> int:
    """As many digits as the paper prints in a column, at least two and at most four."""
    decimals = [
        len(value.text.partition(".")[2])
        for (_, name), value in part.printed.items()
        if name == column and "e" not in value.text
    ]
    return min(4, max([2, *decimals])) if decimals else 3


def _text(part: ReproducedPart, row: str, column: str) -> tuple[str, str]:
    """Our number and the printed one, for people."""
    ours, printed = part.findings.cells.get((row, column)), part.printed.get((row, column))
    left_out = ours is None and (bool(part.not_run) or row in part.left_out)
    own = "not run" if left_out else _ours(ours, _digits(part, column))
    return own, "–" if printed is None else str(printed)


def _form(part: ReproducedPart) -> str:
    return "Ours (printed)." if part.printed else "Ours; the paper prints no numbers."


def _in_one_cell(part: ReproducedPart, row: str, column: str) -> str:
    ours, printed = _text(part, row, column)
    return f"{ours} ({printed})" if part.printed else ours


def _tabled(done: Reproduction) -> list[ReproducedPart]:
    return [part for part in done.parts if part.rows and part.columns]


def _table(done: Reproduction, part: ReproducedPart) -> TextTable:
    return TextTable(
        f"{done.definition.title}: {part.title}. {_form(part)}",
        ["Row", *part.columns],
        [[row, *(_in_one_cell(part, row, column) for column in part.columns)] for row in part.rows],
    )


def _about(done: Reproduction) -> list[str]:
    """What was done, one sentence per line."""
    commit = done.surroundings["git_commit"]
    at = f", commit {commit[:9]}" if commit else ""
    trained = f"; the trainings took {_duration(done.seconds)}" if done.definition.kind.needs_data else ""
    return [
        f"{done.definition.source}",
        f"The paper's protocol: {done.definition.protocol}",
        f"Ours, at the {done.budget} budget: {done.spent.says}",
        f"medtail {done.surroundings['medtail']}{at}, {done.surroundings['hardware']}{trained}.",
    ]


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} minutes"


def _remarks(done: Reproduction) -> list[str]:
    labels_of: dict[str, dict[str, None]] = {}
    for part in done.parts:
        for label, why in part.left_out.items():
            labels_of.setdefault(why, {})[label] = None
    # Labels hold commas.
    left_out = [f"{'; '.join(labels)}: not run, {why}." for why, labels in labels_of.items()]
    remarks = [remark for part in done.parts for remark in part.findings.remarks]
    return [*dict.fromkeys([*done.stand_ins, *left_out, *remarks, *done.definition.notes])]


def to_markdown(done: Reproduction) -> str:
    """Return the tables as Markdown, our number before the printed one in brackets."""
    lines = [f"# {done.definition.name}: {done.definition.title}", ""]
    for sentence in _about(done):
        lines += [sentence, ""]
    for part in _tabled(done):
        lines += [f"## {part.title}", "", _form(part), "", *_table(done, part).markdown(), ""]
    if any(part.findings.figures for part in done.parts):
        lines += ["The figures are in `reproduction.html`.", ""]
    lines += [f"- {remark}" for remark in _remarks(done)]
    return "\n".join(lines).rstrip() + "\n"


def to_latex(done: Reproduction) -> str:
    """Return the tables as LaTeX, our number before the printed one in brackets; they need ``booktabs``."""
    lines = [
        f"% {done.definition.name}: {done.definition.title}",
        *(f"% {sentence}" for sentence in _about(done)),
    ]
    lines += [f"% {remark}" for remark in _remarks(done)]
    return "\n".join([*lines, *(_table(done, part).latex() for part in _tabled(done))])


def to_page(done: Reproduction) -> str:
    """Return a self-contained page with tables and figures."""
    sections = [
        Section(
            "about",
            "What was run",
            "reproduction_about.html",
            {"sentences": _about(done), "remarks": _remarks(done)},
        )
    ]
    for index, part in enumerate(done.parts):
        sections.append(
            Section(
                f"part-{index}",
                part.title,
                "reproduction_part.html",
                {
                    "not_run": part.not_run,
                    "printed": bool(part.printed),
                    "columns": part.columns,
                    "rows": [
                        (
                            row,
                            part.left_out.get(row, ""),
                            [_text(part, row, column) for column in part.columns],
                        )
                        for row in part.rows
                    ],
                    "figures": part.findings.figures,
                },
            )
        )
    return render_page(
        f"{done.definition.name}: {done.definition.title}",
        f"Ours beside the paper's, at the {done.budget} budget",
        sections,
    )
