"""summary.json: its keys, its numbers, what is null."""

import json
import time
import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from medtail.errors import InputError
from medtail.evaluation.summaries.summary import summarize
from medtail.metrics import METRICS
from medtail.runs.predictions import Predictions

CONTRACT = [
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "geometric_mean",
    "mcc",
    "iba_0.1",
    "iba_0.5",
    "iba_1.0",
]
CONTRACT += ["cov", "auc", "average_precision", "brier", "ece"]


@pytest.fixture(scope="module")
def predictions(make_predictions) -> Predictions:
    return make_predictions(("akiec", "bcc", "df", "nv"), (18, 26, 8, 120))


def test_keys_are_those_of_the_contract(predictions: Predictions) -> None:
    summary = summarize(predictions, "test", resamples=20)
    assert list(summary) == ["split", "n", "classes", *CONTRACT, "intervals", "groups_resampled"]
    assert summary["groups_resampled"] == len(np.unique(predictions.groups))
    assert list(summary["intervals"]) == list(METRICS) == CONTRACT
    assert set(summary["classes"][0]) == {"name", "n", "recall", "precision", "f1", "recall_interval"}
    assert {name for name, metric in METRICS.items() if metric.better == "lower"} == {"cov", "brier", "ece"}
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_numbers_are_those_of_scikit_learn(predictions: Predictions) -> None:
    summary = summarize(predictions, "test", resamples=20)
    targets, probabilities = predictions.targets, predictions.probabilities
    decisions = probabilities.argmax(axis=1)
    assert (summary["split"], summary["n"]) == ("test", 172)
    assert summary["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(targets, decisions))
    assert summary["balanced_accuracy"] == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(targets, decisions)
    )
    assert summary["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(targets, decisions, average="macro"))
    assert summary["mcc"] == pytest.approx(sklearn_metrics.matthews_corrcoef(targets, decisions))
    assert summary["auc"] == pytest.approx(
        sklearn_metrics.roc_auc_score(targets, probabilities, multi_class="ovr")
    )
    assert summary["average_precision"] == pytest.approx(
        sklearn_metrics.average_precision_score(np.eye(4)[targets], probabilities)
    )
    assert summary["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(targets, probabilities))
    precisions, recalls, f1, sizes = sklearn_metrics.precision_recall_fscore_support(targets, decisions)
    for index, entry in enumerate(summary["classes"]):
        assert entry["name"] == predictions.class_names[index]
        assert entry["n"] == sizes[index]
        assert entry["recall"] == pytest.approx(recalls[index])
        assert entry["precision"] == pytest.approx(precisions[index])
        assert entry["f1"] == pytest.approx(f1[index])
        low, high = entry["recall_interval"]
        assert 0 <= low < entry["recall"] < high <= 1


def test_intervals_hold_the_value_and_shrink_with_more_images(make_predictions) -> None:
    names = ("akiec", "bcc", "df", "nv")
    few = summarize(make_predictions(names, (18, 26, 8, 120)), "test", resamples=300)
    many = summarize(make_predictions(names, (180, 260, 80, 1200)), "test", resamples=300)
    for name in CONTRACT:
        low, high = few["intervals"][name]
        assert low < few[name] < high, name
        narrow_low, narrow_high = many["intervals"][name]
        assert narrow_high - narrow_low < 0.6 * (high - low), name


def test_intervals_of_what_noise_raises_hold_the_value_too(make_predictions) -> None:
    # Sixty equal classes of ten images: the recalls differ by noise alone, and every resample adds more.
    summary = summarize(
        make_predictions([f"class {index}" for index in range(60)], [10] * 60), "test", resamples=100
    )
    for name in ("cov", "ece"):
        low, high = summary["intervals"][name]
        assert low < summary[name] < high, name


def test_the_bootstrap_draws_groups(make_predictions) -> None:
    names, counts = ("a", "b"), (60, 60)
    alone = make_predictions(names, counts, images_per_group=None)
    repeated = Predictions(
        ids=np.array([f"{name} view {view}" for name in alone.ids for view in range(8)]),
        targets=np.repeat(alone.targets, 8),
        probabilities=np.repeat(alone.probabilities, 8, axis=0),
        class_names=alone.class_names,
        groups=np.repeat(alone.ids, 8),
    )

    def width(predictions: Predictions) -> float:
        low, high = summarize(predictions, "test", resamples=400)["intervals"]["balanced_accuracy"]
        return high - low

    ungrouped = Predictions(
        repeated.ids, repeated.targets, repeated.probabilities, repeated.class_names, None
    )
    assert width(repeated) == pytest.approx(width(alone), rel=0.25)
    assert width(ungrouped) < 0.5 * width(repeated)


def test_a_class_without_images_is_null_and_left_out(make_predictions) -> None:
    predictions = make_predictions(("akiec", "bcc", "df"), (20, 30, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # null says it
        summary = summarize(predictions, "test", resamples=50)
    absent = summary["classes"][2]
    assert (absent["n"], absent["recall"], absent["recall_interval"]) == (0, None, None)
    recalls = [entry["recall"] for entry in summary["classes"][:2]]
    assert summary["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert summary["intervals"]["balanced_accuracy"] is not None


def test_one_class_alone_leaves_what_compares_classes_undefined() -> None:
    predictions = Predictions(
        np.array(["a", "b"]), np.array([0, 0]), np.array([[0.9, 0.1], [0.4, 0.6]]), ("x", "y"), None
    )
    summary = summarize(predictions, "test", resamples=50)
    assert summary["auc"] is None
    assert summary["intervals"]["auc"] is None
    assert summary["iba_1.0"] is None
    assert summary["mcc"] is None
    assert summary["accuracy"] == 0.5


def test_seed_decides_the_intervals(predictions: Predictions) -> None:
    first, again, other = (summarize(predictions, "test", seed=seed, resamples=30) for seed in (1, 1, 2))
    assert first == again
    assert first["intervals"] != other["intervals"]
    assert {key: first[key] for key in CONTRACT} == {key: other[key] for key in CONTRACT}


def test_nothing_to_summarize_is_refused() -> None:
    empty = Predictions(np.empty(0, dtype=str), np.empty(0, dtype=int), np.empty((0, 2)), ("x", "y"), None)
    with pytest.raises(
        InputError, match="predictions of the test split must hold at least one image, got none"
    ):
        summarize(empty, "test")


def test_a_thousand_resamples_of_a_usual_test_set_take_seconds(make_predictions) -> None:
    counts = (37, 53, 117, 12, 98, 865, 16)
    predictions = make_predictions([f"class {index}" for index in range(7)], counts)
    started = time.process_time()
    summarize(predictions, "test")
    assert time.process_time() - started < 20  # about 1 s alone on one core
