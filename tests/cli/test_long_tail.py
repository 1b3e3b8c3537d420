"""``--positive`` and ``--beta``: a two-class run with a rare class made rarer."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from medtail.data import open_collection


@pytest.fixture(scope="module")
def threes_run(medtail, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digit 3 against the rest, one training image of it for 25 others."""
    folder = tmp_path_factory.mktemp("runs") / "threes"
    options = ("--positive", 3, "--beta", 25, "--epochs", 2, "--out", folder)
    result = medtail("train", "digits-lt", "--method", "ce", *options)
    assert result.returncode == 0, result.stderr
    assert "10 classes, 3 against the rest" in result.stderr
    return folder


def test_only_training_lost_images(threes_run: Path) -> None:
    facts = json.loads((threes_run / "dataset.json").read_text())
    assert facts["class_names"] == ["not_3", "3"]
    assert facts["positive"] == "3"
    # 249 others in training, so 10 of the 27 threes stay; 40 images of each digit in test, 20 in validation.
    assert facts["counts_before_subsample"] == [249, 27]
    assert facts["class_counts"] == {"train": [249, 10], "validation": [180, 20], "test": [360, 40]}
    recipe = yaml.safe_load((threes_run / "recipe.yaml").read_text())
    assert recipe["data"]["positive"] == "3"
    assert recipe["data"]["subsample"] == {"name": "binary", "beta": 25.0, "seed": 0}


def test_the_run_says_which_training_images_were_kept(threes_run: Path) -> None:
    subsample = pd.read_csv(threes_run / "subsample.csv")
    digits = open_collection("digits-lt").table
    assert subsample["id"].tolist() == digits["id"][digits["split"] == "train"].tolist()
    splits = pd.read_csv(threes_run / "splits.csv")
    assert set(splits["id"][splits["split"] == "train"]) == set(subsample["id"][subsample["kept"] == 1])
    left_out = subsample["id"][subsample["kept"] == 0]
    assert len(left_out) == 17
    assert not set(left_out) & set(splits["id"])
    assert splits["split"].value_counts().to_dict() == {"test": 400, "train": 259, "validation": 200}


def test_the_report_says_what_was_left_out(threes_run: Path) -> None:
    page = (threes_run / "report.html").read_text()
    assert (
        "Of 276 training images 17 were left out on purpose (binary subsampling, beta 25.0, seed 0)" in page
    )
    assert "<code>3</code> against all others" in page


def test_evaluate_relabels_other_data(medtail, refuses, threes_run: Path, tmp_path: Path) -> None:
    own = json.loads(medtail("evaluate", threes_run, "--json").stdout)
    digits = open_collection("digits-lt")
    rows = digits.rows("test")
    images = np.stack([digits.source.read(int(row))[..., 0] for row in rows])
    np.savez(
        tmp_path / "digits.npz", train_images=images[:2], train_labels=digits.targets[rows][:2],
        test_images=images, test_labels=digits.targets[rows],
    )  # fmt: skip
    again = medtail("evaluate", threes_run, "--data", tmp_path / "digits.npz", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == {**own, "data": "digits"}
    labels = np.where(digits.targets[rows] == 3, 8, digits.targets[rows])
    np.savez(
        tmp_path / "no_threes.npz", train_images=images, train_labels=labels,
        test_images=images, test_labels=labels,
    )  # fmt: skip
    sentence = refuses("evaluate", threes_run, "--data", tmp_path / "no_threes.npz")
    assert "--positive must be a class of" in sentence
    assert "got '3'" in sentence


def test_a_run_goes_on_with_its_own_settings_only(medtail, refuses, threes_run: Path) -> None:
    options = ("--positive", 3, "--epochs", 2, "--out", threes_run, "--resume")
    sentence = refuses("train", "digits-lt", "--method", "ce", "--beta", 5, *options)
    assert "data.subsample.beta=5.0 (saved: 25.0)" in sentence


def test_beta_needs_two_classes(refuses, tmp_path: Path) -> None:
    options = ("--epochs", 1, "--out", tmp_path / "run")
    assert "beta is the ratio of two classes, got 10 classes" in refuses(
        "train", "digits-lt", "--method", "ce", "--beta", 10, *options
    )
    sentence = refuses("train", "digits-lt", "--method", "ce", "--positive", 10, *options)
    assert "--positive must be a class of digits-lt (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), got '10'" in sentence
    assert not (tmp_path / "run").exists()


def test_compare_trains_every_run_on_the_same_two_classes(medtail, tmp_path: Path) -> None:
    options = ("--positive", 3, "--beta", 50, "--seeds", 1, "--epochs", 1, "--jobs", 1, "--out", tmp_path)
    result = medtail("compare", "digits-lt", "--methods", "ce,balanced_softmax", "--json", *options)
    assert result.returncode == 0, result.stderr
    assert set(json.loads(result.stdout)["methods"][0]["recalls"]) == {"not_3", "3"}
    for name in ("ce-seed0", "balanced_softmax-seed0"):
        facts = json.loads((tmp_path / name / "dataset.json").read_text())
        assert facts["class_counts"]["train"] == [249, 5]


def test_inspect_looks_at_one_class_against_the_rest(medtail) -> None:
    findings = json.loads(medtail("inspect", "digits-lt", "--positive", 3, "--json").stdout)
    assert "not_3" in json.dumps(findings)


def test_classes_are_taken_together_and_against_others(medtail, refuses) -> None:
    pair = ("inspect", "digits-lt", "--positive", "8+9", "--negative", "0", "--json")
    findings = json.loads(medtail(*pair).stdout)
    assert findings["class_names"] == ["0", "8+9"]
    assert findings["counts"]["train"] == [100, 5]
    assert "--negative must name other classes" in refuses(*pair[:5], "9+8")
