"""The report's section of a model with λ: figures, and the choices of validation."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from medtail.evaluation.report.report import write_report
from medtail.evaluation.summaries.condition_metrics import ConditionMetrics
from medtail.metrics import POSITIVE_CLASS_METRICS
from medtail.runs.run import Run
from references.grids import CLASSES, VALUES, write_conditions
from references.pages import Page, read_page, what_a_page_needs_from_elsewhere

ALL_VALUES = {**VALUES, "scale": [1.0, 2.0]}


def figures(condition: Mapping[str, float], split: str) -> dict[str, float]:
    """Validation is best where every parameter is largest, test where every one is smallest."""
    share = sum(condition[name] / max(ALL_VALUES[name]) for name in condition) / len(condition)
    good = share if split == "validation" else 1 - share
    return {"auc": 0.7 + 0.2 * good, "brier": 0.3 - 0.2 * good, "average_precision": 0.1 + 0.2 * good}


def report(make_run, folder: Path, parameters: int, classes: Mapping = CLASSES) -> Page:
    values = dict(list(ALL_VALUES.items())[:parameters])
    method = {"name": "loss_conditional", "distributions": {name: [0.0, 1.0, 1.0] for name in values}}
    run: Run = make_run(
        folder, method="vs_lct", settings={"method": method}, resamples=2, epochs=3, **classes
    )
    write_conditions(run, values, figures)
    return read_page(write_report(run).read_text(encoding="utf-8"))


def _of_conditions(page: Page) -> list[str]:
    descriptions = [drawing["aria-label"] for drawing in page.drawings]
    return [text for text in descriptions if " λ" in text or (" over " in text and "faint" in text)]


@pytest.mark.parametrize(("parameters", "drawings"), [(1, 8), (2, 8), (3, 2)])
def test_any_number_of_parameters_has_its_section(
    make_run, tmp_path: Path, parameters: int, drawings: int
) -> None:
    page = report(make_run, tmp_path / "run", parameters)
    assert "One model, many λ" in page.headings
    assert len(_of_conditions(page)) == drawings
    assert not what_a_page_needs_from_elsewhere(page) and not page.unclosed
    assert len(page.ids) == len(set(page.ids))


def test_the_table_shows_what_validation_chooses_beside_its_test_value(make_run, tmp_path: Path) -> None:
    page = report(make_run, tmp_path / "run", 2)
    row = next(row for row in page.rows if row[:2] == ["Area under ROC", "gamma = 0.3, tau = 4"])
    assert row[2:] == ["0.900", "0.700"]
    row = next(row for row in page.rows if row[:2] == ["Brier score ↓", "gamma = 0.3, tau = 4"])
    assert row[2:] == ["0.100", "0.300"]
    # All values are equal there: the first λ.
    assert ["Highest F1 of any threshold", "gamma = 0, tau = 0", "0.500", "0.500"] in page.rows
    assert "The positive class is melanoma" in page.text


def test_heat_maps_are_of_every_metric_on_test(make_run, tmp_path: Path) -> None:
    described = _of_conditions(report(make_run, tmp_path / "run", 2))
    assert "Area under ROC over gamma and tau: faint 0.700, strong 0.900" in described
    assert "Brier score over gamma and tau: faint 0.300, strong 0.100" in described
    titles = {metric.title for metric in POSITIVE_CLASS_METRICS.values()}
    assert sum(text.partition(" over ")[0] in titles for text in described) == len(POSITIVE_CLASS_METRICS)


def test_several_classes_are_means(make_run, tmp_path: Path) -> None:
    classes = {"class_names": ("a", "b", "c"), "train": (90, 30, 10), "test": (30, 20, 10)}
    page = report(make_run, tmp_path / "run", 2, classes)
    assert "Metrics are means over classes, one against the rest" in page.text


def test_a_model_without_conditions_has_no_section(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=2, **CLASSES)
    page = read_page(write_report(run).read_text(encoding="utf-8"))
    assert "One model, many λ" not in page.headings


@pytest.mark.filterwarnings("error")
def test_undefined_figures_leave_holes(make_run, tmp_path: Path) -> None:
    method = {"name": "loss_conditional", "distributions": {"gamma": [0.0, 1.0, 1.0]}}
    run = make_run(tmp_path / "run", settings={"method": method}, resamples=2, epochs=3, **CLASSES)
    undefined = {name: float("nan") for name in POSITIVE_CLASS_METRICS}
    undefined |= {
        f"precision_at_recall_{recall:g}": float("nan") for recall in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
    }
    write_conditions(run, {"gamma": [0.0, 1.0]}, lambda condition, split: undefined)
    page = read_page(write_report(run).read_text(encoding="utf-8"))
    descriptions = [drawing["aria-label"] for drawing in page.drawings]
    assert "Area under ROC over gamma: undefined" in descriptions
    assert not any(row[:2] == ["Area under ROC", "gamma = 0"] for row in page.rows)


def test_conditions_are_a_product_or_no_picture(make_run, tmp_path: Path) -> None:
    method = {"name": "loss_conditional", "distributions": {"gamma": [0, 1, 1], "tau": [0, 1, 1]}}
    run = make_run(tmp_path / "run", settings={"method": method}, resamples=2, epochs=3, **CLASSES)
    write_conditions(run, VALUES, figures)
    rows, columns = ConditionMetrics.read(run).axes()
    assert list(product(rows, columns)) == list(product(*VALUES.values()))
    lines = run.conditions.read_text().splitlines(keepends=True)
    run.conditions.write_text("".join(line for line in lines if ",0.3,4.0," not in line))
    assert ConditionMetrics.read(run).axes() is None
