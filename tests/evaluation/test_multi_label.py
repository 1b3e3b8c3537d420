"""Predictions, summary and report of multi-label images."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from medtail import metrics
from medtail.errors import InputError
from medtail.evaluation import (
    MultiLabelPredictions,
    Predictions,
    compare_runs,
    read_predictions,
    summarize,
    write_report,
)
from medtail.metrics import METRICS
from medtail.runs.run import Run

UNDEFINED = {"geometric_mean", "mcc", "iba_0.1", "iba_0.5", "iba_1.0", "cov", "ece"}


def draw(
    size: int = 120, names: tuple[str, ...] = ("edema", "effusion", "mass"), seed: int = 0, per_group: int = 1
) -> MultiLabelPredictions:
    generator = np.random.default_rng(seed)
    targets = (generator.random((size, len(names))) < np.linspace(0.6, 0.15, len(names))).astype(np.int64)
    scores = 2.0 * targets - 1.0 + generator.normal(size=targets.shape)
    return MultiLabelPredictions(
        ids=np.array([f"image {row}" for row in range(size)]),
        targets=targets,
        probabilities=1 / (1 + np.exp(-scores)),
        class_names=names,
        groups=np.array([f"p{row // per_group}" for row in range(size)]) if per_group > 1 else None,
    )


def changed(predictions: MultiLabelPredictions, **fields: object) -> MultiLabelPredictions:
    return MultiLabelPredictions(**{**vars(predictions), **fields})


# ------------------------------------------------------------------------------------------ predictions


@pytest.mark.parametrize("per_group", [1, 3])
def test_what_is_written_is_read(tmp_path: Path, per_group: int) -> None:
    written = draw(per_group=per_group)
    written.write(tmp_path / "test.parquet")
    read = read_predictions(tmp_path / "test.parquet")
    assert isinstance(read, MultiLabelPredictions)
    for name, value in vars(written).items():
        assert np.array_equal(getattr(read, name), value), name
    columns = list(pd.read_parquet(tmp_path / "test.parquet").columns)
    patient = ["patient"] if per_group > 1 else []
    assert columns == [
        "id", *patient, "target_edema", "target_effusion", "target_mass",
        "probability_edema", "probability_effusion", "probability_mass",
    ]  # fmt: skip


def test_a_file_of_classes_is_read_as_such(make_predictions, tmp_path: Path) -> None:
    make_predictions(["a", "b"], [3, 4]).write(tmp_path / "test.parquet")
    assert isinstance(read_predictions(tmp_path / "test.parquet"), Predictions)


def test_a_label_is_there_from_probability_one_half_on() -> None:
    half = np.array([[0.5, 0.49999, 0.50001]])
    predictions = changed(
        draw(1), probabilities=half, targets=np.zeros((1, 3), dtype=np.int64), ids=np.array(["a"])
    )
    assert predictions.decisions.tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"targets": np.zeros(4, dtype=int)},
            "targets must be 0 or 1, with one row per image",
        ),
        ({"targets": np.full((4, 3), 2)}, "targets must be 0 or 1"),
        ({"probabilities": np.full((4, 3), 1.5)}, "got 1.5 for label edema of image 'image 0'"),
        ({"probabilities": np.full((4, 3), np.nan)}, "probabilities must lie in"),
        ({"probabilities": np.full((4, 2), 0.5)}, r"probabilities must have one row per image.*\(4, 3\)"),
        ({"ids": np.array(["a", "a", "b", "c"])}, "ids must be unique, 'a' occurs"),
        ({"groups": np.array(["p"])}, "groups must name one group for each of 4 images"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(draw(4), **fields)


def test_a_file_that_lacks_a_target_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    draw(4).write(path)
    pd.read_parquet(path).drop(columns="target_mass").to_parquet(path)
    with pytest.raises(
        InputError, match="must have the columns id, and target_<class> and probability_<class>"
    ):
        read_predictions(path)


def test_a_missing_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    draw(4).write(path)
    table = pd.read_parquet(path)
    table["target_mass"] = [1.0, np.nan, 0.0, 0.0]
    table.to_parquet(path)
    with pytest.raises(
        InputError, match=r"column target_mass of .* must have a value in every row, 1 have none"
    ):
        read_predictions(path)


# ---------------------------------------------------------------------------------------------- summary


@pytest.mark.parametrize("seed", range(4))
def test_the_summary_is_scikit_learns(seed: int) -> None:
    predictions = draw(seed=seed)
    truth, scores, decided = predictions.targets, predictions.probabilities, predictions.decisions
    summary = summarize(predictions, "test", resamples=20)
    assert summary["n"] == 120
    labels = zip(truth.T, decided.T, strict=True)
    expected = {
        "accuracy": reference.accuracy_score(truth, decided),
        "balanced_accuracy": np.mean([reference.balanced_accuracy_score(*label) for label in labels]),
        "macro_f1": reference.f1_score(truth, decided, average="macro"),
        "auc": reference.roc_auc_score(truth, scores, average="macro"),
        "average_precision": reference.average_precision_score(truth, scores, average="macro"),
        "brier": np.mean(
            [reference.brier_score_loss(*label) for label in zip(truth.T, scores.T, strict=True)]
        ),
    }
    for name, value in expected.items():
        assert summary[name] == pytest.approx(value), name
    parts = reference.precision_recall_fscore_support(truth, decided)
    for entry, precision, recall, f1, support in zip(summary["classes"], *parts, strict=True):
        assert entry["n"] == support
        assert [entry["precision"], entry["recall"], entry["f1"]] == pytest.approx([precision, recall, f1])


def test_every_key_is_there_and_what_several_labels_do_not_have_is_null() -> None:
    summary = summarize(draw(), "test", resamples=20)
    assert set(METRICS) <= set(summary)
    assert {name for name in METRICS if summary[name] is None} == UNDEFINED
    assert {name for name, interval in summary["intervals"].items() if interval is None} == UNDEFINED
    json.dumps(summary, allow_nan=False)


def test_measures_of_many_weightings_are_those_of_repeated_images() -> None:
    predictions = draw(40)
    weights = np.random.default_rng(1).integers(0, 3, (40, 4))
    stacked = predictions.measure(weights)
    for column in range(4):
        rows = np.repeat(np.arange(40), weights[:, column])
        ids = np.array([str(place) for place in range(len(rows))])
        repeated = changed(
            predictions,
            ids=ids,
            targets=predictions.targets[rows],
            probabilities=predictions.probabilities[rows],
        )
        for name, value in repeated.measure().items():
            assert stacked[name][column] == pytest.approx(value[0], nan_ok=True), name


def test_intervals_draw_whole_patients() -> None:
    single = draw(120)
    grouped = changed(single, groups=np.repeat([f"p{number}" for number in range(6)], 20))
    narrow, wide = (summarize(each, "test", resamples=200)["intervals"]["auc"] for each in (single, grouped))
    assert narrow != wide
    drawn = metrics.bootstrap(lambda weights: grouped.measure(weights)["auc"], grouped.units, resamples=200)
    assert wide == pytest.approx(list(metrics.percentile_interval(drawn)))


def test_a_label_with_one_side_only_is_left_out() -> None:
    predictions = draw()
    targets = predictions.targets.copy()
    targets[:, 2] = 0
    summary = summarize(changed(predictions, targets=targets), "test", resamples=20)
    assert summary["classes"][2]["n"] == 0
    assert summary["classes"][2]["recall"] is None
    two = changed(
        predictions,
        targets=targets[:, :2],
        probabilities=predictions.probabilities[:, :2],
        class_names=predictions.class_names[:2],
    )
    others = summarize(two, "test", resamples=20)
    for name in ("balanced_accuracy", "auc", "average_precision"):
        assert summary[name] == pytest.approx(others[name])


# ----------------------------------------------------------------------------------------------- report


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
        "Recipe and versions",
    ]
    assert "200 training, 60 validation and 120 test images" in re.sub(r"\s+", " ", page)
    assert "Every test image, or none" not in page


def test_the_report_shows_what_the_summary_holds(label_run) -> None:
    predictions = draw()
    page = write_report(label_run(predictions)).read_text()
    rows = dict(
        re.findall(r'<tr><th scope="row" title="\w+">(\w+)</th>(.*?)</tr>', page.split("Each label")[-1])
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


def test_runs_of_several_labels_are_not_compared(label_run) -> None:
    with pytest.raises(
        InputError,
        match=r"holds several labels per image, which only `train\(\)`, `evaluate\(\)` and `predict\(\)`",
    ):
        compare_runs([label_run(draw())])
