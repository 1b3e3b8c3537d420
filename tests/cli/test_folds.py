"""``train --folds``: a fresh model per fold, and every image judged by the one that was trained without it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from medtail.data import open_collection
from medtail.runs.predictions import Predictions
from references.stripes import write_stripes

OPTIONS = ("--method", "ce", "--epochs", 1, "--folds", 3)


@pytest.fixture(scope="module")
def folds_run(medtail, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "folds"
    result = medtail("train", "digits-lt", *OPTIONS, "--out", folder)
    assert result.returncode == 0, result.stderr
    assert "400 images of the test split that digits-lt brings are in no fold" in result.stderr
    assert "mean ± sd of folds" in result.stdout
    return folder


def test_every_image_is_judged_once_by_the_model_that_did_not_learn_it(folds_run: Path) -> None:
    folds = pd.read_csv(folds_run / "folds.csv", dtype={"id": str})
    digits = open_collection("digits-lt").table
    assert folds["id"].tolist() == digits["id"][digits["split"] != "test"].tolist()
    pooled = Predictions.read(folds_run / "predictions" / "out_of_fold.parquet")
    assert pooled.ids.tolist() == folds["id"].tolist()
    for number in (1, 2, 3):
        run = folds_run / "folds" / f"fold-{number}"
        splits = pd.read_csv(run / "splits.csv", dtype={"id": str})
        tested = set(folds["id"][folds["fold"] == number])
        assert set(splits["id"][splits["split"] == "test"]) == tested
        assert set(splits["id"]) == set(folds["id"])
        assert (splits["split"] == "validation").sum() > 0
        own = Predictions.read(run / "predictions" / "test.parquet")
        place = {name: row for row, name in enumerate(pooled.ids)}
        rows = [place[name] for name in own.ids]
        assert np.array_equal(pooled.probabilities[rows], own.probabilities)
        assert np.array_equal(pooled.targets[rows], own.targets)


def test_each_fold_has_a_model_of_its_own(folds_run: Path) -> None:
    weights = [
        torch.load(folds_run / "folds" / f"fold-{number}" / "checkpoints" / "best.ckpt", weights_only=False)[
            "state_dict"
        ]
        for number in (1, 2)
    ]
    name = next(key for key in weights[0] if key.endswith("weight"))
    assert not torch.equal(weights[0][name], weights[1][name])


def test_the_summary_is_of_all_images_and_of_each_fold(folds_run: Path) -> None:
    summary = json.loads((folds_run / "summary.json").read_text())
    assert (summary["split"], summary["n"], len(summary["score_prior"])) == ("out_of_fold", 476, 10)
    pooled = Predictions.read(folds_run / "predictions" / "out_of_fold.parquet")
    assert summary["accuracy"] == pytest.approx(pooled.measure()["accuracy"][0])
    values = [
        json.loads((folds_run / "folds" / f"fold-{number}" / "summary.json").read_text())["auc"]
        for number in (1, 2, 3)
    ]
    auc = summary["folds"]["metrics"]["auc"]
    assert auc["values"] == values
    assert auc["mean"] == pytest.approx(np.mean(values))
    assert auc["sd"] == pytest.approx(np.std(values, ddof=1))
    assert [sum(images.values()) for images in summary["folds"]["images"]] == [476] * 3


def test_the_report_tables_the_folds(folds_run: Path) -> None:
    page = (folds_run / "report.html").read_text()
    assert "3-fold cross-validation" in page
    assert "Each of 476 images of <code>digits-lt</code> was judged once" in page
    assert "Fold 3" in page
    assert "No column names the patient or lesion" in page
    assert "Recall of each class" in page


def test_finished_folds_stay_and_lost_ones_are_trained(medtail, folds_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folds_run, copy)
    shutil.rmtree(copy / "folds" / "fold-2")
    for name in ("summary.json", "report.html", "predictions/out_of_fold.parquet"):
        (copy / name).unlink()
    before = (copy / "folds" / "fold-1" / "environment.json").read_text()
    result = medtail("train", "digits-lt", *OPTIONS, "--out", copy, "--resume")
    assert result.returncode == 0, result.stderr
    assert (copy / "folds" / "fold-1" / "environment.json").read_text() == before
    ours, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (copy, folds_run))
    assert ours == theirs


def test_folds_go_on_as_they_began(refuses, folds_run: Path) -> None:
    start = ("train", "digits-lt", "--method", "ce", "--out", folds_run)
    assert "--out must be a new or empty folder" in refuses(*start, "--epochs", 1, "--folds", 3)
    resumed = (*start, "--resume")
    assert "has 3 folds, got --folds 4" in refuses(*resumed, "--epochs", 1, "--folds", 4)
    assert "training.epochs=3 (saved: 1)" in refuses(*resumed, "--epochs", 3, "--folds", 3)
    sentence = refuses(*resumed, "--epochs", 1)
    assert "is a cross-validation of 3 folds; continue it with --folds 3" in sentence


def test_other_verbs_ask_for_one_fold(refuses, medtail, folds_run: Path) -> None:
    sentence = refuses("adapt", folds_run, "--balanced-accuracy")
    assert "is a cross-validation, which has no dataset.json of its own; give one of its folds" in sentence
    assert "must have the same test images, but" in refuses("evaluate", folds_run)
    result = medtail("evaluate", folds_run / "folds" / "fold-1", "--json")
    assert json.loads(result.stdout)["split"] == "test"


def test_what_cannot_be_folded_is_refused(refuses, tmp_path: Path) -> None:
    start = ("train", "digits-lt", "--method", "ce", "--epochs", 1, "--out", tmp_path / "run")
    assert "folds must be a whole number of at least 2, got 1" in refuses(*start, "--folds", 1)
    sentence = refuses(*start, "--folds", 500)
    assert (
        "folds must be at most the number of images, got 500 for 474 of digits-lt, where copies" in sentence
    )
    sentence = refuses(*start, "--folds", 2, "--set", "training.devices=2")
    assert "folds are trained on one device, got training.devices=2" in sentence
    assert "scale" in refuses(*start, "--folds", 3, "--set", "loss.scale=8")
    assert not (tmp_path / "run").exists()


def test_several_labels_and_patients(medtail, tmp_path: Path) -> None:
    write_stripes(tmp_path / "stripes")
    table = pd.read_csv(tmp_path / "stripes" / "labels.csv", dtype=str)
    table["patient"] = [f"p{row // 3}" for row in range(len(table))]
    table.drop(columns="split", errors="ignore").to_csv(tmp_path / "stripes" / "labels.csv", index=False)
    options = ("--method", "asl", "--backbone", "resnet8", "--epochs", 1, "--image-size", 16, "--folds", 2)
    result = medtail("train", tmp_path / "stripes", *options, "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    folds = pd.read_csv(tmp_path / "run" / "folds.csv", dtype=str)
    assert folds.columns.tolist() == ["id", "group", "fold"]
    assert (folds.groupby("group")["fold"].nunique() == 1).all()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["n"] == len(table)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "nor another image of its <code>patient</code>" in page
    assert "No column names the patient or lesion" not in page


def test_one_class_against_the_rest_with_a_cut_tail(medtail, tmp_path: Path) -> None:
    options = ("--method", "ce", "--epochs", 1, "--folds", 2, "--positive", 3, "--beta", 20)
    result = medtail("train", "digits-lt", *options, "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    # Judged: all 47 threes outside the test split; learned from: a twentieth of the others.
    assert [(entry["name"], entry["n"]) for entry in summary["classes"]] == [("not_3", 429), ("3", 47)]
    for number in (1, 2):
        facts = json.loads((tmp_path / "run" / "folds" / f"fold-{number}" / "dataset.json").read_text())
        others, threes = facts["class_counts"]["train"]
        assert threes == int(others / 20 + 0.5) < facts["counts_before_subsample"][1]
    assert summary["binary"]["positive"] == "3"
    assert len(summary["folds"]["binary"]["average_precision"]["values"]) == 2
    assert "3: Average precision" in (tmp_path / "run" / "report.html").read_text()
