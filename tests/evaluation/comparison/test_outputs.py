"""Markdown, CSV, LaTeX, JSON and the page of a comparison hold the same columns and the same numbers."""

import csv
import json
import re
from pathlib import Path

import pytest

from medtail.evaluation.comparison.comparison import Comparison, compare_runs
from medtail.evaluation.comparison.page import write_comparison
from medtail.evaluation.comparison.ranking import rank_comparisons
from medtail.runs.run import Run
from references.pages import read_page

METRICS = ["f1:df", "balanced_accuracy", "iba_0.5", "precision:nv", "cov"]
TITLES = [
    "F1 of df (12 training images)",
    "Balanced accuracy",
    "Index of balanced accuracy, α = 0.5",
    "Precision of nv (700 training images)",
    "Variation of recall (σ/μ) ↓",
]


@pytest.fixture(scope="module")
def runs(make_run, tmp_path_factory) -> list[Run]:
    """Two losses, each with two samplers and two seeds but for one pair."""
    folder = tmp_path_factory.mktemp("runs")
    pairs = [("ce", "uniform"), ("ce", "class_balanced"), ("dal", "uniform")]
    return [
        make_run(
            folder / f"{method}-{sampler}-{seed}",
            method=method,
            seed=10 * number + seed,
            resamples=3,
            settings={"sampling": {"name": sampler}, "training": {"seed": seed}},
        )
        for number, (method, sampler) in enumerate(pairs)
        for seed in range(2)
    ]


@pytest.fixture(scope="module")
def comparison(runs: list[Run]) -> Comparison:
    return compare_runs(runs, metrics=METRICS, rows="loss.name", columns="sampling.name")


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("comparison")
    write_comparison(comparison, folder)
    return folder


def rows_of_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tables_of_markdown(text: str) -> dict[str, list[list[str]]]:
    """Header and rows of each table, by the line before it."""
    tables: dict[str, list[list[str]]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            tables.setdefault(title, []).append([cell.strip() for cell in line.strip("|").split(" | ")])
        elif line and not line.startswith("|"):
            title = line.rstrip(":")
    return tables


def tables_of_latex(text: str) -> dict[str, list[list[str]]]:
    """The same of LaTeX, its symbols read as those of Markdown."""
    symbols = {
        r"$\pm$": "±", r"$\downarrow$": "↓", r"$\rightarrow$": "→", r"$\alpha$": "α", r"$\sigma$": "σ",
        r"$\mu$": "μ", r"\_": "_", "--": "–",
    }  # fmt: skip
    for command, symbol in symbols.items():
        text = text.replace(command, symbol)
    found = re.findall(
        r"\\caption\{([^\n]*)\}\n\\begin\{tabular\}\{l+\}\n(.*?)\\end\{tabular\}", text, re.DOTALL
    )
    return {
        title: [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if " & " in line]
        for title, body in found
    }


def shown(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return "–"
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def test_all_five_have_the_columns_that_were_asked_for(comparison: Comparison, folder: Path) -> None:
    expected = {row["method"]: [comparison.reached(row, name) for name in METRICS] for row in comparison.rows}
    assert len(expected) == 4

    header, *rows = tables_of_markdown((folder / "comparison.md").read_text())["Metrics"]
    assert header == ["Method", "Seeds", *TITLES]
    assert {row[0]: row[2:] for row in rows} == expected

    header, *rows = tables_of_latex((folder / "comparison.tex").read_text())["Metrics"]
    assert header == ["Method", "Seeds", *TITLES]
    assert {row[0]: row[2:] for row in rows} == expected

    table = rows_of_csv(folder / "comparison.csv")
    named = [name.removesuffix("_mean") for name in table[0] if name.endswith("_mean")]
    assert [name for name in named if name != "balanced_accuracy"] == [
        name for name in METRICS if name != "balanced_accuracy"
    ]
    assert {
        row["method"]: [shown(float(row[f"{name}_mean"]), float(row[f"{name}_sd"])) for name in METRICS]
        for row in table
    } == expected

    content = json.loads((folder / "comparison.json").read_text())
    assert list(content["columns"]) == METRICS
    assert {
        row["method"]: [shown(**each(row["metrics"][name])) for name in METRICS] for row in content["methods"]
    } == expected

    page = read_page((folder / "comparison.html").read_text())
    start = next(place for place, row in enumerate(page.rows) if row and row[0] == "Metric")
    assert [row[0] for row in page.rows[start + 1 : start + 1 + len(METRICS)]] == TITLES
    for place, method in enumerate(comparison.labels, start=1):
        assert page.rows[start][place].startswith(method)
        assert [page.row(title)[place] for title in TITLES] == expected[method]


def each(value: dict[str, float | None]) -> dict[str, float | None]:
    return {"mean": value["mean"], "deviation": value["sd"]}


def test_all_five_have_the_table_of_two_settings_for_every_metric(
    comparison: Comparison, folder: Path
) -> None:
    markdown = tables_of_markdown((folder / "comparison.md").read_text())
    latex = tables_of_latex((folder / "comparison.tex").read_text())
    page = read_page((folder / "comparison.html").read_text())
    cells = rows_of_csv(folder / "comparison_cells.csv")
    records = json.loads((folder / "comparison.json").read_text())["crossed"]
    assert [cell["metric"] for cell in cells] == [key for key in METRICS for _ in range(3)]
    runs = comparison.runs
    for key, title in zip(METRICS, TITLES, strict=True):
        heading = f"{title} by loss.name and sampling.name"
        grid = [["loss.name ↓ sampling.name →", "uniform", "class_balanced"], ["ce"], ["dal"]]
        for row, pairs in zip(grid[1:], (("uniform", "class_balanced"), ("uniform",)), strict=True):
            for sampler in pairs:
                own = runs.loc[runs["run"].str.startswith(f"{row[0]}-{sampler}-"), key].iloc[:2]
                expected = (float(own.mean()), float(own.std()))
                row.append(shown(*expected))
                cell = next(
                    cell
                    for cell in cells
                    if (cell["metric"], cell["loss.name"], cell["sampling.name"]) == (key, row[0], sampler)
                )
                assert (float(cell["mean"]), float(cell["sd"])) == pytest.approx(expected)
                assert cell["seeds"] == "2"
        grid[2].append("–")
        assert markdown[heading] == grid
        assert latex[heading] == grid
        place = next(n for n, row in enumerate(page.rows) if row and row[0].startswith("loss.name"))
        assert page.rows[place : place + 3] == grid
        del page.rows[place]
    assert [{name: str(value) for name, value in record.items()} for record in records] == cells


def test_a_table_of_two_settings_goes_with_the_comparison_that_had_it(runs: list[Run], folder: Path) -> None:
    write_comparison(compare_runs(runs), folder)
    assert not (folder / "comparison_cells.csv").exists()


def test_cells_of_several_data_sets_name_their_data(comparison: Comparison, make_run, tmp_path: Path) -> None:
    other = compare_runs(
        [
            make_run(tmp_path / f"{method}", method=method, resamples=3, class_names=("a", "b", "c", "d"))
            for method in ("ce", "dal")
        ],
        rows="loss.name",
        columns="sampling.name",
    )
    object.__setattr__(other, "dataset", "letters")
    cells = rank_comparisons([comparison, other]).cells
    assert list(cells.columns)[:4] == ["data_set", "metric", "loss.name", "sampling.name"]
    assert cells["data_set"].tolist() == ["ham10000"] * 15 + ["letters"] * 2
