"""Tuned grids as files: JSON, CSV, Markdown and a page with the figures of LCT's paper."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from medtail.evaluation.report.drawing import SERIES
from medtail.evaluation.report.hyperparameter_figures import (
    AGAINST_AUC,
    Model,
    auc_against_others,
    heat_map,
    models_of_conditions,
    precision_at_recalls,
    precision_limits,
)
from medtail.evaluation.report.page import Section, render_page
from medtail.evaluation.summaries.condition_metrics import condition_title
from medtail.evaluation.summaries.ranking_metrics import RANKING_METRICS
from medtail.evaluation.tuning.tuning import Candidate, GridMetrics, Tuning, value_on_test
from medtail.files import replacing, with_cells, write_json, write_text
from medtail.metrics import POSITIVE_CLASS_METRICS
from medtail.metrics.metric import PRECISION_METRICS
from medtail.runs.grid import axis_label, short_name
from medtail.runs.run import EVALUATED_SPLITS, EvaluatedSplit


def write_tuning(tuning: Tuning, folder: Path) -> None:
    """Write ``tuning.json``, ``.csv``, ``.md`` and ``.html`` into a folder."""
    page = tuning_page(tuning)
    write_json(folder / "tuning.json", tuning.to_dict())
    with replacing(folder / "tuning.csv") as temporary:
        with_cells(tuning.table).to_csv(temporary, index=False)
    write_text(folder / "tuning.md", tuning.to_markdown())
    write_text(folder / "tuning.html", page)


def tuning_page(tuning: Tuning) -> str:
    """Return a self-contained page with the figures of the paper."""
    pairs = _pairs(tuning.grids)
    sections = [
        _values(tuning),
        _choices(tuning),
        Section(
            "recalls",
            "Precision at eight recalls",
            "tuning_recalls.html",
            {"pairs": [_recalls(grid, baseline) for grid, baseline in pairs], "positive": tuning.positive},
        ),
    ]
    scatters = [scatter for grid, baseline in pairs if (scatter := one_model(grid, baseline)) is not None]
    if scatters:
        sections.append(
            Section("one-model", "One model, many λ", "tuning_scatter.html", {"scatters": scatters})
        )
    sections += [
        Section(
            "maps", "Over the grid", "tuning_maps.html", {"grids": [_maps(grid) for grid in tuning.grids]}
        ),
        Section(
            "grids",
            "What was trained",
            "tuning_grids.html",
            {"grids": [_facts(grid) for grid in tuning.grids]},
        ),
    ]
    trainings = sum(len(grid.grid.points) * grid.seeds for grid in tuning.grids)
    positive = f", positive class {tuning.positive}" if tuning.positive else ""
    return render_page(
        f"Tuning on {tuning.dataset}",
        f"{trainings} trainings in {len(tuning.grids)} grid{'s' if len(tuning.grids) > 1 else ''}{positive}; "
        f"{tuning.images['validation']} validation and {tuning.images['test']} test images",
        sections,
    )


def _values(tuning: Tuning) -> Section:
    def rows(protocol: str) -> list[tuple[str, list[str]]]:
        return [
            (
                POSITIVE_CLASS_METRICS[metric].heading,
                [value_on_test(grid, metric, protocol) for grid in tuning.grids],
            )
            for metric in POSITIVE_CLASS_METRICS
        ]

    return Section(
        "values",
        "What tuning is worth",
        "tuning_values.html",
        {
            "grids": [(grid.grid.name, grid.seeds, len(grid.candidates)) for grid in tuning.grids],
            "positive": tuning.positive,
            "doubts": tuning.doubts,
            "honest": rows("chosen_on_validation"),
            "dishonest": rows("best_on_test"),
        },
    )


def _choices(tuning: Tuning) -> Section:
    metrics = []
    for metric in POSITIVE_CLASS_METRICS:
        chosen = {grid.grid.name: (grid, grid.best(metric, "validation")) for grid in tuning.grids}
        rows = [
            {
                "grid": name,
                "training": candidate.point.title,
                "condition": condition_title(candidate.condition),
                "values": [str(grid.estimate(candidate, split, metric)) for split in EVALUATED_SPLITS],
            }
            for name, (grid, candidate) in chosen.items()
            if candidate is not None
        ]
        metrics.append((POSITIVE_CLASS_METRICS[metric].heading, rows))
    return Section("choices", "What validation chooses", "tuning_choices.html", {"metrics": metrics})


def _pairs(grids: Sequence[GridMetrics]) -> list[tuple[GridMetrics, GridMetrics | None]]:
    """Every grid once: with its baseline if that is among them, or alone."""
    by_name = {grid.grid.name: grid for grid in grids}
    pairs = [(grid, by_name.get(grid.grid.baseline or "")) for grid in grids]
    taken = {baseline.grid.name for _, baseline in pairs if baseline is not None}
    return [(grid, baseline) for grid, baseline in pairs if grid.grid.name not in taken]


def _recalls(grid: GridMetrics, baseline: GridMetrics | None) -> dict[str, Any]:
    """LCT's Fig. 1, with the models chosen on validation, and on test as there."""
    panels = {
        "Chosen on validation": compared_at_recalls(grid, baseline, "validation"),
        "Chosen on test (not honest)": compared_at_recalls(grid, baseline, "test"),
    }
    limits = precision_limits([model for models in panels.values() for model in models])
    return {
        "title": grid.grid.name if baseline is None else f"{grid.grid.name} against {baseline.grid.name}",
        "grid": grid.grid.name if grid.parameters else None,
        "baseline": baseline.grid.name if baseline else None if grid.parameters else grid.grid.name,
        "figures": [precision_at_recalls(models, title, limits) for title, models in panels.items()],
    }


def compared_at_recalls(
    grid: GridMetrics, baseline: GridMetrics | None, chooser: EvaluatedSplit
) -> list[Model]:
    """Return the baseline's best models at some recall, and the grid's best by average precision (LCT Fig. 1)."""
    plain = grid if baseline is None and not grid.parameters else baseline
    models = []
    if plain is not None:
        for number, candidate in enumerate(_best_at_some_recall(plain, chooser)):
            colour = SERIES[1:][number % (len(SERIES) - 1)]
            models.append(Model(_means(plain, candidate), candidate.title, colour, 0.85))
    if grid is not plain:
        chosen = grid.best("average_precision", chooser)
        if chosen is not None:
            label = f"{grid.grid.name} at {condition_title(chosen.condition)}\n{chosen.point.title}"
            models.append(Model(_means(grid, chosen), label, SERIES[0]))
    return models


def _best_at_some_recall(grid: GridMetrics, chooser: EvaluatedSplit) -> list[Candidate]:
    best = {
        chosen.place: chosen for name in PRECISION_METRICS if (chosen := grid.best(name, chooser)) is not None
    }
    return list(best.values())


def _means(grid: GridMetrics, candidate: Candidate) -> dict[str, float]:
    """Test values over seeds."""
    return {name: grid.estimate(candidate, "test", name).mean for name in RANKING_METRICS}


def one_model(grid: GridMetrics, baseline: GridMetrics | None) -> dict[str, Any] | None:
    """Draw every λ of one training beside one training of the baseline, each with the best AUC (LCT Fig. 2)."""
    best = grid.best("auc", "validation")
    if best is None or not grid.parameters:
        return None
    training = best.place[0]
    shown = grid.parameters[-1]
    chosen = {
        metric: None if (at := grid.best(metric, "validation", training)) is None else at.place[1]
        for metric in AGAINST_AUC
    }
    reached = [_means(grid, grid.candidate((training, index))) for index in range(len(grid.conditions))]
    models = models_of_conditions(grid.conditions, reached, chosen)
    against = None if baseline is None else baseline.best("auc", "validation")
    if baseline is not None and against is not None:
        models.append(Model(_means(baseline, against), baseline.grid.name, SERIES[1], cross=True))
    return {
        "grid": grid.grid.name,
        "training": best.point.title,
        "shown": shown,
        "conditions": len(grid.conditions),
        "baseline": None if baseline is None or against is None else (baseline.grid.name, against.title),
        "figure": auc_against_others(
            models,
            shown,
            f"AUC against three metrics for {len(grid.conditions)} λ of {best.point.title} of {grid.grid.name}",
        ),
    }


def _maps(grid: GridMetrics) -> dict[str, Any]:
    """LCT's Figs. 4 to 7: a metric on test over the trainings, and over λ within each."""
    return {
        "name": grid.grid.name,
        "parameters": grid.parameters,
        "values": [
            ", ".join(f"{value:g}" for value in dict.fromkeys(row[name] for row in grid.conditions))
            for name in grid.parameters
        ],
        "maps": [
            (POSITIVE_CLASS_METRICS[metric].heading, drawn)
            for metric in POSITIVE_CLASS_METRICS
            if (drawn := metric_map(grid, metric))
        ],
    }


def metric_map(grid: GridMetrics, metric: str) -> Markup | None:
    """Draw a metric on test over a grid (LCT Figs. 4 to 7).

    None if the grid has more than two settings, or λ more than two parameters.
    """
    axes = list(grid.grid.axes.items())
    if len(axes) > 2 or len(grid.parameters) > 2:
        return None
    if len(axes) == 1:
        axes = [("", [""]), *axes]
    (row_path, rows), (column_path, columns) = axes
    inner = [
        list(dict.fromkeys(condition[name] for condition in grid.conditions)) for name in grid.parameters
    ]
    small = [1] * (2 - len(inner)) + [len(values) for values in inner]
    values = np.full((len(rows) * len(columns), small[0] * small[1]), np.nan)
    numbers = [point.number for point in grid.grid.points]
    values[numbers] = grid.means("test", metric)
    shape = (len(rows), len(columns), small[0], small[1])
    chosen = grid.best(metric, "validation")
    outlined = None
    if chosen is not None:
        flat = chosen.point.number * values.shape[1] + chosen.place[1]
        outlined = tuple(int(index) for index in np.unravel_index(flat, shape))
    return heat_map(
        values.reshape(shape),
        POSITIVE_CLASS_METRICS[metric],
        rows=[axis_label(value) for value in rows],
        columns=[axis_label(value) for value in columns],
        row_title=short_name(row_path),
        column_title=short_name(column_path),
        outlined=outlined,  # type: ignore[arg-type]
        width=9.6,
    )


def _facts(grid: GridMetrics) -> dict[str, Any]:
    return {
        "name": grid.grid.name,
        "description": grid.grid.description,
        "method": grid.grid.method,
        "axes": [
            (path, ", ".join(axis_label(value) for value in values))
            for path, values in grid.grid.axes.items()
        ],
        "points": len(grid.grid.points),
        "size": grid.grid.size,
        "seeds": grid.seeds,
        "conditions": len(grid.conditions) if grid.parameters else None,
    }
