"""summary.json of multi-label images."""

import json

import numpy as np
import pytest
from sklearn import metrics as reference

from medtail import metrics
from medtail.evaluation import summarize
from medtail.metrics import LABEL_METRICS, METRICS
from references.labels import changed, draw

UNDEFINED = {"geometric_mean", "mcc", "iba_0.1", "iba_0.5", "iba_1.0", "cov", "ece"}


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
    assert list(LABEL_METRICS) == [name for name in METRICS if name not in UNDEFINED]
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


def test_unknown_labels_are_left_out_and_counted() -> None:
    whole = draw(seed=2)
    known = np.random.default_rng(0).random(whole.targets.shape) < 0.6
    summary = summarize(changed(whole, targets=np.where(known, whole.targets, np.nan)), "test", resamples=20)
    assert [entry["known"] for entry in summary["classes"]] == known.sum(axis=0).tolist()
    assert [entry["n"] for entry in summary["classes"]] == (known * whole.targets).sum(axis=0).tolist()
    columns = [
        (whole.targets[rows, label], whole.probabilities[rows, label]) for label, rows in enumerate(known.T)
    ]
    assert summary["auc"] == pytest.approx(np.mean([reference.roc_auc_score(*column) for column in columns]))
    assert summary["average_precision"] == pytest.approx(
        np.mean([reference.average_precision_score(*column) for column in columns])
    )
    assert summary["brier"] == pytest.approx(
        np.mean([reference.brier_score_loss(*column) for column in columns])
    )
    json.dumps(summary, allow_nan=False)
