"""The report of multi-label images."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn import metrics as reference

from medtail.evaluation import MultiLabelPredictions, summarize, write_report
from medtail.runs.run import Run
from references.labels import changed, draw


@pytest.fixture
def label_run(make_run: Callable[..., Run], tmp_path: Path) -> Callable[..., Run]:
    """A finished run of several labels: the files of one of classes, with what differs written anew."""

    def write(test: MultiLabelPredictions) -> Run:
        names = test.class_names
        run = make_run(tmp_path / "run", class_names=names, train=[90] * len(names), test=[9] * len(names))
        draw(60, names, seed=5).write(run.predictions("validation"))
        test.write(run.predictions("test"))
        facts = run.read_dataset() | {"num_images": {"train": 200, "validation": 60, "test": len(test.ids)}}
        run.dataset.write_text(json.dumps(facts))
        run.summary.write_text(json.dumps(summarize(test, "test", resamples=20)))
        return run

    return write


def headings(page: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page)


def test_the_report_has_the_sections_that_make_sense(label_run) -> None:
    page = write_report(label_run(draw())).read_text()
    assert headings(page) == [
        "In short",
        "Data",
        "All metrics",
        "Each label",
        "Precision-recall and ROC curves",
        "Training",
        "Model card and methods",
        "Recipe and versions",
    ]
    assert "200 training, 60 validation and 120 test images" in re.sub(r"\s+", " ", page)
    assert "Every test image, or none" not in page


def test_the_report_shows_what_the_summary_holds(label_run) -> None:
    predictions = draw()
    page = write_report(label_run(predictions)).read_text()
    rows = dict(
        re.findall(
            r'<tr><th scope="row" title="\w+">(\w+)</th>(.*?)</tr>',
            page.split("Each label")[-1].split('id="curves"')[0],
        )
    )
    truth, scores = predictions.targets[:, 2], predictions.probabilities[:, 2]
    decided = predictions.decisions[:, 2]
    for value in (
        reference.recall_score(truth, decided),
        reference.recall_score(truth, decided, pos_label=0),
        reference.precision_score(truth, decided),
        reference.roc_auc_score(truth, scores),
        reference.average_precision_score(truth, scores),
    ):
        assert f"<td>{value:.3f}</td>" in rows["mass"]


def test_the_report_names_labels_that_cannot_be_judged(label_run) -> None:
    predictions = draw()
    targets = predictions.targets.copy()
    targets[:, 0] = 0
    targets[:, 1] = 1
    page = write_report(label_run(changed(predictions, targets=targets))).read_text()
    assert "Every test image, or none, carries edema, effusion." in page
    assert "run over the other 1." in page


def test_a_report_of_many_labels_and_of_two_can_be_written(label_run) -> None:
    for names in (tuple(f"finding {number}" for number in range(14)), ("edema", "mass")):
        page = write_report(label_run(draw(200, names))).read_text()
        assert all(name in page for name in names)
