"""A comparison as files: JSON, CSV, Markdown, LaTeX and a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.comparison.comparison import Comparison
from medtail.evaluation.comparison.costs import costs
from medtail.evaluation.comparison.figures.angles import angles
from medtail.evaluation.comparison.figures.best_seeds import best_seeds
from medtail.evaluation.comparison.figures.confusions import confusions
from medtail.evaluation.comparison.figures.critical_difference import critical_difference
from medtail.evaluation.comparison.figures.embeddings import embeddings
from medtail.evaluation.comparison.figures.violins import violins
from medtail.evaluation.comparison.ranking import RankedComparisons
from medtail.evaluation.comparison.recipe_differences import recipe_differences
from medtail.evaluation.comparison.tables import tables_of_tests
from medtail.evaluation.report.drawing import INK, SERIES, draw, shortened
from medtail.evaluation.report.page import Section, render_page
from medtail.evaluation.summaries.frequency_groups import MANY_CLASSES
from medtail.files import replacing, with_cells, write_json, write_text


def write_comparison(comparison: Comparison | RankedComparisons, folder: Path) -> None:
    """Write ``comparison.json``, ``.csv``, ``.md``, ``.tex`` and ``.html`` into a folder.

    Tables of two settings are also in ``comparison_cells.csv``, one row per cell.
    """
    write_json(folder / "comparison.json", comparison.to_dict())
    table = comparison.table.assign(seeds=[" ".join(map(str, seeds)) for seeds in comparison.table["seeds"]])
    _write_csv(table, folder / "comparison.csv")
    if comparison.cells.empty:
        (folder / "comparison_cells.csv").unlink(missing_ok=True)
    else:
        _write_csv(comparison.cells, folder / "comparison_cells.csv")
    write_text(folder / "comparison.md", comparison.to_markdown())
    write_text(folder / "comparison.tex", comparison.to_latex())
    write_text(folder / "comparison.html", comparison_page(comparison))


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as temporary:
        with_cells(table).to_csv(temporary, index=False)


def comparison_page(comparison: Comparison | RankedComparisons) -> str:
    """Return a self-contained page."""
    if isinstance(comparison, Comparison):
        runs = sum(run.adapted_from is None for run in comparison.judged)
        rows = len(comparison.labels)
        return render_page(
            f"Methods on {comparison.dataset}",
            f"{runs} runs, {rows} rows, {comparison.test_images} {comparison.split} images",
            _sections(comparison),
        )
    names = [one.dataset for one in comparison.comparisons]
    ranked = Section("ranks", "Ranks", "comparison_ranks.html", _ranks(comparison))
    parts = [
        Section(
            f"{section.anchor}-{number}", f"{one.dataset}: {section.title}", section.template, section.content
        )
        for number, one in enumerate(comparison.comparisons, start=1)
        for section in _sections(one)
    ]
    return render_page("Methods on several data sets", ", ".join(names), [ranked, *parts])


def _ranks(comparison: RankedComparisons) -> dict[str, Any]:
    ranking = comparison.ranking
    return {
        "table": ranking.table,
        "sentence": ranking.sentence,
        "figure": None if ranking.p != ranking.p else critical_difference(ranking),
    }


def _sections(comparison: Comparison) -> list[Section]:
    rows = comparison.rows
    best = best_seeds(comparison)
    noun = comparison.judged[0].facts.task.noun
    counts = comparison.judged[0].facts.training_counts
    sections = [
        Section(
            "methods",
            "Methods",
            "comparison_methods.html",
            {
                "reference": comparison.reference,
                "rival": comparison.rival,
                "resampled": comparison.resampled,
                "sentences": comparison.sentences,
                "warnings": comparison.warnings,
                "rows": rows,
                "figure": _seeds(comparison, rows),
                "crossed": [table.text for table in comparison.crossed],
            },
        ),
        Section(
            "tests",
            "Is the difference more than luck?",
            "comparison_tests.html",
            {"resampled": comparison.resampled, "tables": tables_of_tests(comparison)},
        ),
        Section(
            "metrics",
            "All metrics",
            "comparison_metrics.html",
            {
                "methods": [(row["method"], row["seeds"]) for row in rows],
                "positive": comparison.positive,
                "rows": [
                    (metric.heading, [comparison.reached(row, name) for row in rows])
                    for name, metric in comparison.metrics.items()
                ],
            },
        ),
        Section(
            "classes",
            f"Recall of each {noun}",
            "comparison_classes.html",
            {
                "methods": comparison.labels,
                "rows": [
                    (
                        name,
                        int(count),
                        comparison.recalls.loc[comparison.labels, name].tolist(),
                    )
                    for name, count in zip(comparison.recalls.columns, counts, strict=True)
                ],
                "folded": len(comparison.recalls.columns) >= MANY_CLASSES,
                "figure": violins(comparison),
            },
        ),
    ]
    one_class = not comparison.judged[0].facts.multi_label
    sections += _of_figures(
        (
            "confusions",
            "Confusion matrices",
            "comparison_confusions.html",
            confusions(best) if one_class else None,
        ),
        ("angles", "Angles over scales", "comparison_angles.html", angles(comparison)),
    )
    planes = embeddings(best) if one_class and comparison.split == "test" else {}
    if planes:
        sections.append(Section("features", "Features", "comparison_features.html", {"planes": planes}))
    return [
        *sections,
        Section("costs", "Cost", "comparison_costs.html", {"rows": costs(comparison)}),
        Section(
            "recipes",
            "Differences between recipes",
            "comparison_recipes.html",
            {
                "methods": [label for label in comparison.labels if label not in comparison.adapted],
                "rows": recipe_differences(comparison),
            },
        ),
        Section("runs", "Runs", "comparison_runs.html", {"rows": comparison.runs.to_dict("records")}),
    ]


def _of_figures(*parts: tuple[str, str, str, Markup | None]) -> Sequence[Section]:
    """Sections of one figure, without those that nothing was saved for."""
    return [
        Section(anchor, title, template, {"figure": figure})
        for anchor, title, template, figure in parts
        if figure is not None
    ]


def _seeds(comparison: Comparison, rows: list[dict[str, Any]]) -> Markup:
    """Balanced accuracy of every run, the mean of every row and its interval."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for position, row in enumerate(rows):
            own = comparison.runs.loc[comparison.runs["method"] == row["method"], "balanced_accuracy"]
            special = {comparison.reference: SERIES[1], comparison.rival: SERIES[2]}
            colour = special.get(row["method"], SERIES[0])
            interval = [row["balanced_accuracy_low"], row["balanced_accuracy_high"]]
            axes.plot(interval, [position] * 2, color=colour, linewidth=5, alpha=0.2, solid_capstyle="butt")
            axes.plot(
                own, [position] * len(own), "o", color=colour, alpha=0.45, markersize=7, markeredgewidth=0
            )
            axes.plot(
                row["balanced_accuracy_mean"], position, "|", color=INK, markersize=18, markeredgewidth=2
            )
        axes.set_yticks(range(len(rows)), [shortened(row["method"]) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(f"balanced accuracy on the {comparison.split} split")
        axes.margins(x=0.08)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)

    values = ", ".join(f"{row['method']} {row['balanced_accuracy_mean']:.3f}" for row in rows)
    return draw(
        paint,
        width=8,
        height=1.0 + 0.42 * len(rows),
        description=f"Mean balanced accuracy of each row: {values}",
    )
