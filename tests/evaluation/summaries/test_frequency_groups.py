"""Many-, medium- and few-shot classes in summaries and comparisons."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from medtail.data.splitting.long_tail import exponential_counts
from medtail.evaluation.comparison.comparison import compare_runs
from medtail.evaluation.comparison.page import comparison_page
from medtail.evaluation.summaries.frequency_groups import frequency_groups
from medtail.evaluation.summaries.summary import summarize
from medtail.runs.predictions import Predictions

TRAIN = exponential_counts(np.full(24, 500), 100)
NAMES = tuple(f"class {index:02d}" for index in range(24))
TEST = (10,) * 23 + (0,)


def test_the_limits_are_those_of_the_papers() -> None:
    counts = np.array([101, 100, 20, 19, 1])
    assert frequency_groups(counts) == {"many": [0], "medium": [1, 2], "few": [3, 4]}
    assert frequency_groups(np.array([500, 400])) == {"many": [0, 1]}


def test_figures_are_those_of_the_images_of_a_group(make_predictions) -> None:
    predictions: Predictions = make_predictions(NAMES, TEST, skill=1.0)
    groups = summarize(predictions, "test", resamples=5, training_counts=TRAIN)["groups"]
    assert list(groups) == ["many", "medium", "few"]
    for name, members in (
        ("many", TRAIN > 100),
        ("medium", (TRAIN >= 20) & (TRAIN <= 100)),
        ("few", TRAIN < 20),
    ):
        of_group = members[predictions.targets]
        right = predictions.decisions[of_group] == predictions.targets[of_group]
        assert groups[name]["classes"] == members.sum()
        assert groups[name]["n"] == of_group.sum()
        assert groups[name]["accuracy"] == pytest.approx(right.mean())
        # Ten images a class but for the one that has none.
        assert groups[name]["balanced_accuracy"] == pytest.approx(right.mean())


def test_few_classes_are_looked_at_one_by_one(make_predictions) -> None:
    predictions = make_predictions(NAMES[:19], TEST[:19])
    assert "groups" not in summarize(predictions, "test", resamples=5, training_counts=TRAIN[:19])


def test_a_group_without_test_images_is_undefined(make_predictions) -> None:
    predictions = make_predictions(NAMES, (10,) * 5 + (0,) * 19)
    groups = summarize(predictions, "test", resamples=5, training_counts=TRAIN)["groups"]
    assert groups["few"] == {
        "classes": int((TRAIN < 20).sum()),
        "n": 0,
        "accuracy": None,
        "balanced_accuracy": None,
    }


def test_a_comparison_tables_the_groups(make_run, tmp_path: Path) -> None:
    runs = [
        make_run(
            tmp_path / f"{method}-{seed}", class_names=NAMES, train=TRAIN.tolist(), test=TEST, method=method,
            seed=seed, settings={"training": {"seed": seed}}, resamples=3, images_per_group=None,
        )
        for method in ("ce", "dal") for seed in (0, 1)
    ]  # fmt: skip
    comparison = compare_runs(runs)
    groups = [
        summarize(Predictions.read(run.predictions("test")), "test", resamples=3, training_counts=TRAIN)[
            "groups"
        ]
        for run in runs
    ]
    for method, own in (("ce", groups[:2]), ("dal", groups[2:])):
        entry = next(entry for entry in comparison.to_dict()["methods"] if entry["method"] == method)
        for name in ("many", "medium", "few"):
            mean = np.mean([group[name]["accuracy"] for group in own])
            assert entry["metrics"][f"group:{name}"]["mean"] == pytest.approx(mean)
    assert "Accuracy on classes by their training images" in comparison.to_markdown()
    assert "Accuracy on classes of over 100 training images" in comparison_page(comparison)
    json.dumps(comparison.to_dict(), allow_nan=False)


def test_a_comparison_of_few_classes_has_no_groups(make_run, tmp_path: Path) -> None:
    runs = [make_run(tmp_path / method, method=method, resamples=3) for method in ("ce", "dal")]
    comparison = compare_runs(runs)
    assert not [name for name in comparison.to_dict()["methods"][0]["metrics"] if name.startswith("group:")]
    assert "by their training images" not in comparison.to_markdown()
    assert "Accuracy on classes" not in comparison_page(comparison)
    assert not math.isnan(comparison.table["balanced_accuracy_mean"][0])
