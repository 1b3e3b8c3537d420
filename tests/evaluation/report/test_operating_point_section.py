"""The report after an operating point was chosen: decisions before and after, by name, on the curves, in matrices."""

from pathlib import Path

import numpy as np
import pytest

from medtail.errors import InputError
from medtail.evaluation.report.report import write_report
from medtail.operating_point import OperatingPoint
from medtail.operating_point.decisions import ClassThreshold
from medtail.operating_point.prior_shift import PriorShift
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from references.pages import Page, read_page, what_a_page_needs_from_elsewhere

NAMES = ("nevus", "melanoma")


@pytest.fixture(scope="module")
def run(make_run, tmp_path_factory) -> Run:
    run = make_run(
        tmp_path_factory.mktemp("runs") / "run",
        resamples=5,
        class_names=NAMES,
        train=(900, 90),
        test=(200, 40),
    )
    point = OperatingPoint(
        class_names=NAMES,
        decision=ClassThreshold(1, 0.2),
        steps=(PriorShift(np.array([0.9, 0.1]), np.array([0.8, 0.2])),),
    )
    point.applied_to(Predictions.read(run.predictions("test"))).write(run.operating_point_predictions)
    point.write(run.operating_point)
    write_report(run)
    return run


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return read_page(run.report.read_text(encoding="utf-8"))


def outcomes(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """The truth, and what the rule decides, by hand."""
    test = Predictions.read(run.predictions("test"))
    odds = test.probabilities * np.array([0.8 / 0.9, 0.2 / 0.1])
    return test.targets == 1, odds[:, 1] / odds.sum(axis=1) >= 0.2


def test_rates_have_their_names(run: Run, page: Page) -> None:
    truth, decided = outcomes(run)
    for name, right, of in (
        ("Sensitivity", truth & decided, truth),
        ("Specificity", ~truth & ~decided, ~truth),
        ("Positive predictive value", truth & decided, decided),
        ("Negative predictive value", ~truth & ~decided, ~decided),
    ):
        row = page.row(name)
        assert row[3] == f"{right.sum() / of.sum():.3f}"
        assert row[5] == f"{right.sum()} of {of.sum()}"
    before = Predictions.read(run.predictions("test")).decisions == 1
    assert page.row("Sensitivity")[1] == f"{(truth & before).sum() / truth.sum():.3f}"


def test_the_confusion_matrix_stands_before_and_after(run: Run, page: Page) -> None:
    truth, decided = outcomes(run)
    found, missed = (truth & decided).sum(), (truth & ~decided).sum()
    rows = [row for row in page.rows if row[0] == "melanoma" and len(row) == 3]
    share = f"{100 * found / truth.sum():.0f}\u00a0%"
    assert len(rows) == 3  # before, after, and in the section of the run without it
    assert rows[1] == ["melanoma", f"{missed}{100 * missed / truth.sum():.0f}\u00a0%", f"{found}{share}"]
    assert rows[0] == rows[2] != rows[1]


def test_decisions_are_marked_on_the_curves(run: Run, page: Page) -> None:
    truth, decided = outcomes(run)
    described = [drawing["aria-label"] for drawing in page.drawings]
    roc = next(text for text in described if text.startswith("ROC, AUC") and "after" in text)
    assert (
        f"after: melanoma at false positive rate {decided[~truth].mean():.2f}, "
        f"true positive rate {decided[truth].mean():.2f}" in roc
    )
    curve = next(text for text in described if text.startswith("Precision and recall") and "after" in text)
    assert (
        f"after: melanoma at recall {decided[truth].mean():.2f}, precision {truth[decided].mean():.2f}"
        in curve
    )


def test_the_calibration_of_the_positive_class_is_drawn(run: Run, page: Page) -> None:
    described = [
        d["aria-label"] for d in page.drawings if d["aria-label"].startswith("Calibration of melanoma")
    ]
    assert len(described) == 2  # of the operating point before and after, and of the run
    test = Predictions.read(run.predictions("test"))
    lowest = np.argsort(test.probabilities[:, 1])[:24]
    first = (
        f"test: {test.probabilities[lowest, 1].mean():.2f} stated, {test.targets[lowest].mean():.2f} observed"
    )
    assert described[1].startswith(f"Calibration of melanoma: {first}")


def test_the_page_is_whole(page: Page) -> None:
    assert page.unclosed == []
    assert what_a_page_needs_from_elsewhere(page) == []
    assert len(page.ids) == len(set(page.ids))


def test_more_classes_have_matrices_and_curves_but_no_rates(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=5)
    test = Predictions.read(run.predictions("test"))
    point = OperatingPoint(class_names=test.class_names, decision=ClassThreshold(2, 0.05))
    point.applied_to(test).write(run.operating_point_predictions)
    point.write(run.operating_point)
    page = read_page(write_report(run).read_text(encoding="utf-8"))
    assert len([row for row in page.rows if row[0] == "df" and len(row) == 5]) >= 3
    assert not any(row[:1] == ["Sensitivity"] for row in page.rows)
    assert any("after: nv at recall" in drawing["aria-label"] for drawing in page.drawings)


def test_predictions_of_other_images_are_refused(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=5)
    test = Predictions.read(run.predictions("test"))
    point = OperatingPoint(class_names=test.class_names, decision=ClassThreshold(2, 0.05))
    point.applied_to(test.rows(np.arange(9))).write(run.operating_point_predictions)
    point.write(run.operating_point)
    with pytest.raises(InputError, match="must be of the test split of the run"):
        write_report(run)
