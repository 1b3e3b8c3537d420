"""Metrics of the positive class: which class it is, their values, and where they are shown."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as reference

from medtail.evaluation.comparison.comparison import compare_runs
from medtail.evaluation.comparison.page import write_comparison
from medtail.evaluation.report.report import write_report
from medtail.evaluation.summaries.binary import measure_binary
from medtail.evaluation.summaries.summary import summarize
from medtail.metrics.metric import POSITIVE_CLASS_METRICS, RECALLS
from medtail.runs.facts import positive_class
from medtail.training.inference.condition_sweep import conditions_table
from references.facts import make_facts
from references.pages import read_page

NAMES = ("benign", "melanoma")


@pytest.fixture(scope="module")
def predictions(make_predictions):
    return make_predictions(NAMES, (150, 25), skill=1.0, images_per_group=2)


def test_the_class_with_fewer_training_images_is_positive_unless_one_is_named() -> None:
    assert positive_class(np.array([900, 20])) == 1
    assert positive_class(np.array([20, 900])) == 0
    assert positive_class([50, 50]) == 1
    assert positive_class([20, 900], named="melanoma") == 1
    assert make_facts(("a", "b"), [20, 900]).positive_id == 0
    assert make_facts(("not_melanoma", "melanoma"), [20, 900], positive="melanoma").positive_id == 1


@pytest.mark.parametrize("positive", [0, 1])
def test_numbers_are_those_of_scikit_learn(predictions, positive: int) -> None:
    binary = summarize(predictions, "test", positive=positive, resamples=20)["binary"]
    targets, scores = predictions.targets == positive, predictions.probabilities[:, positive]
    assert binary["positive"] == NAMES[positive]
    assert binary["auc"] == pytest.approx(reference.roc_auc_score(targets, scores))
    assert binary["average_precision"] == pytest.approx(reference.average_precision_score(targets, scores))
    assert binary["brier"] == pytest.approx(reference.brier_score_loss(targets, scores))
    thresholds = np.unique(scores)
    f1 = [reference.f1_score(targets, scores >= threshold) for threshold in thresholds]
    balanced = [reference.balanced_accuracy_score(targets, scores >= threshold) for threshold in thresholds]
    assert binary["max_f1"] == pytest.approx(max(f1))
    assert binary["max_balanced_accuracy"] == pytest.approx(max(balanced))
    precisions, recalls, _ = reference.precision_recall_curve(targets, scores)
    for recall in RECALLS:
        expected = precisions[:-1][recalls[:-1] >= recall - 1e-12].max()
        assert binary["precisions_at_recalls"][f"{recall:g}"] == pytest.approx(expected)
    assert binary["precision_at_recall_0.99"] == binary["precisions_at_recalls"]["0.99"]


def test_intervals_hold_the_values_and_are_of_the_groups(predictions) -> None:
    summary = summarize(predictions, "test", resamples=200)
    binary, intervals = summary["binary"], summary["binary"]["intervals"]
    assert list(binary) == ["positive", *POSITIVE_CLASS_METRICS, "precisions_at_recalls", "intervals"]
    for name in POSITIVE_CLASS_METRICS:
        low, high = intervals[name]
        assert low <= binary[name] <= high
    assert set(intervals["precisions_at_recalls"]) == {f"{recall:g}" for recall in RECALLS}
    # The same resamples as those of the metrics over all classes, and for two classes the same area.
    assert intervals["auc"] == pytest.approx(summary["intervals"]["auc"])
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_several_weightings_are_each_alone(predictions) -> None:
    weights = np.random.default_rng(0).integers(0, 3, size=(len(predictions.ids), 4)).astype(float)
    together = measure_binary(predictions, 1, weights)
    for index, column in enumerate(weights.T):
        for name, value in measure_binary(predictions, 1, column[:, None]).items():
            np.testing.assert_allclose(together[name][index], value[0])


@pytest.mark.parametrize("positive", [0, 1])
def test_the_conditions_of_a_run_are_judged_by_the_same_metrics(predictions, positive: int) -> None:
    table = conditions_table(
        [{"tau": 1.0}], predictions.probabilities[None], predictions.targets, positive=positive
    )
    values = measure_binary(predictions, positive)
    for name in (*POSITIVE_CLASS_METRICS, *(f"precision_at_recall_{recall:g}" for recall in RECALLS)):
        assert table[name][0] == pytest.approx(values[name][0])


def test_without_images_of_the_class_metrics_are_null(make_predictions) -> None:
    predictions = make_predictions(NAMES, (20, 0))
    summary = summarize(predictions, "test", resamples=10)
    binary = summary["binary"]
    assert binary["max_f1"] is None and binary["intervals"]["max_f1"] is None
    assert binary["precisions_at_recalls"]["0.5"] is None
    assert binary["brier"] is not None


def test_three_classes_have_no_binary_metrics(make_predictions) -> None:
    assert "binary" not in summarize(make_predictions(("a", "b", "c"), (9, 9, 9)), "test", resamples=5)


def two_class_run(make_run, folder: Path, method: str, seed: int, **changes):
    return make_run(
        folder,
        class_names=NAMES,
        train=changes.pop("train", (700, 12)),
        test=(120, 20),
        method=method,
        seed=seed,
        resamples=20,
        settings={"training": {"seed": seed}},
        **changes,
    )


def test_a_comparison_shows_them_when_runs_are_of_two_classes(make_run, tmp_path: Path) -> None:
    runs = [
        two_class_run(make_run, tmp_path / f"{method}-{seed}", method, seed, skill=skill)
        for method, skill in (("ce", 1.0), ("dal", 2.0))
        for seed in range(2)
    ]
    comparison = compare_runs(runs)
    assert comparison.positive == "melanoma"
    text = comparison.to_markdown()
    assert "Positive class: **melanoma**." in text
    for metric in POSITIVE_CLASS_METRICS.values():
        assert metric.title in text
    row = next(row for row in comparison.rows if row["method"] == "dal")
    values = [run.read_summary() for run in runs[2:]]
    # The fixture's summaries know no facts; class 1 is the rarer one here.
    expected = [value["binary"]["max_f1"] for value in values]
    assert row["binary_max_f1_mean"] == pytest.approx(np.mean(expected))
    assert row["binary_max_f1_sd"] == pytest.approx(np.std(expected, ddof=1))
    write_comparison(comparison, tmp_path / "out")
    page = read_page((tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")).text
    assert "The positive class is melanoma." in page
    saved = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert saved["positive"] == "melanoma"
    assert not math.isnan(saved["methods"][0]["metrics"]["binary_precision_at_recall_0.99"]["mean"])


def test_the_rarer_class_is_positive_in_a_comparison_whatever_its_id(make_run, tmp_path: Path) -> None:
    run = two_class_run(make_run, tmp_path / "run", "ce", 0, train=(12, 700))
    assert compare_runs([run]).positive == "benign"


def test_a_comparison_of_several_classes_has_none(make_run, tmp_path: Path) -> None:
    comparison = compare_runs([make_run(tmp_path / "run", method="ce", resamples=5)])
    assert comparison.positive is None
    assert not any(name.startswith("binary") for name in comparison.table.columns)
    assert "Positive class" not in comparison.to_markdown()


def test_the_report_has_a_section_of_them(make_run, tmp_path: Path) -> None:
    run = two_class_run(make_run, tmp_path / "run", "dal", 0)
    write_report(run)
    page = read_page(run.report.read_text(encoding="utf-8"))
    binary = run.read_summary()["binary"]
    assert "Positive class: melanoma" in page.text
    assert page.row("Highest F1 of any threshold")[1] == f"{binary['max_f1']:.3f}"
    assert page.row("0.98")[1] == f"{binary['precisions_at_recalls']['0.98']:.3f}"
    write_report(several := make_run(tmp_path / "several", resamples=5))
    assert "Positive class" not in several.report.read_text(encoding="utf-8")
