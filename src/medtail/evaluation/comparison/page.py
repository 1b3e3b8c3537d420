"""A comparison as files: JSON, CSV, Markdown and a page."""

from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.comparison.comparison import Comparison
from medtail.evaluation.report.drawing import INK, SERIES, draw, shortened
from medtail.evaluation.report.page import Section, render_page, signed
from medtail.evaluation.summaries.frequency_groups import MANY_CLASSES
from medtail.files import replacing, with_cells, write_json, write_text


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.json``, ``.csv``, ``.md`` and ``.html`` into a folder."""
    write_json(folder / "comparison.json", comparison.to_dict())
    table = comparison.table.assign(seeds=[" ".join(map(str, seeds)) for seeds in comparison.table["seeds"]])
    with replacing(folder / "comparison.csv") as temporary:
        with_cells(table).to_csv(temporary, index=False)
    write_text(folder / "comparison.md", comparison.to_markdown())
    write_text(folder / "comparison.html", comparison_page(comparison))


def comparison_page(comparison: Comparison) -> str:
    """Return a self-contained page."""
    rows = comparison.rows
    tested = [row for row in rows if row["method"] != comparison.reference]
    common = {
        "reference": comparison.reference,
        "resampled": comparison.resampled,
        "num_resampled": comparison.num_resampled,
    }
    sections = [
        Section(
            "methods",
            "Methods",
            "comparison_methods.html",
            {
                **common,
                "warnings": comparison.warnings,
                "best": rows[0],
                "figure": _seeds(comparison, rows),
                "tested": tested,
            },
        ),
        Section(
            "tests",
            "Is the difference more than luck?",
            "comparison_tests.html",
            {
                **common,
                "rows": [
                    {
                        **row,
                        "difference": signed(row["difference"]),
                        "interval": f"{signed(row['difference_low'])} to {signed(row['difference_high'])}",
                    }
                    for row in tested
                ],
            },
        ),
        Section(
            "metrics",
            "All metrics",
            "comparison_metrics.html",
            {
                "positive": comparison.positive,
                "methods": [(row["method"], row["seeds"]) for row in rows],
                "rows": [
                    (metric.heading, [comparison.reached(row, name) for row in rows])
                    for name, metric in comparison.metrics.items()
                ],
            },
        ),
        Section(
            "classes",
            "Recall of each class",
            "comparison_classes.html",
            {
                "methods": [row["method"] for row in rows],
                "rows": [
                    (name, [float(comparison.recalls.loc[row["method"], name]) for row in rows])
                    for name in comparison.recalls.columns
                ],
                "groups": [
                    (name, [float(comparison.groups.loc[row["method"], name]) for row in rows])
                    for name in comparison.groups.columns
                ],
                "folded": len(comparison.recalls.columns) >= MANY_CLASSES,
            },
        ),
        Section("runs", "Runs", "comparison_runs.html", {"rows": comparison.runs.to_dict("records")}),
    ]
    return render_page(
        f"Methods on {comparison.dataset}",
        f"{len(comparison.runs)} runs of {len(rows)} methods, {comparison.test_images} test images",
        sections,
    )


def _seeds(comparison: Comparison, rows: list[dict[str, Any]]) -> Markup:
    """Balanced accuracy of every run, and the mean of every method."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for position, row in enumerate(rows):
            own = comparison.runs.loc[comparison.runs["method"] == row["method"], "balanced_accuracy"]
            colour = SERIES[1] if row["method"] == comparison.reference else SERIES[0]
            axes.plot(
                own, [position] * len(own), "o", color=colour, alpha=0.45, markersize=7, markeredgewidth=0
            )
            axes.plot(
                row["balanced_accuracy_mean"], position, "|", color=INK, markersize=18, markeredgewidth=2
            )
        axes.set_yticks(range(len(rows)), [shortened(row["method"]) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel("balanced accuracy on the test split")
        axes.margins(x=0.08)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)

    values = ", ".join(f"{row['method']} {row['balanced_accuracy_mean']:.3f}" for row in rows)
    return draw(
        paint,
        width=8,
        height=1.0 + 0.42 * len(rows),
        description=f"Mean balanced accuracy of each method: {values}",
    )
