"""Several labels an image, from a table to predictions of new images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from references.stripes import STRIPES, write_stripes

NAMES = sorted(STRIPES)

SETTINGS = (
    "--backbone", "resnet8", "--batch-size", 32, "--epochs", 4, "--image-size", 16,
    "--set", "optimizer.name=adamw", "--set", "optimizer.learning_rate=0.003",
)  # fmt: skip


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "stripes"
    write_stripes(folder)
    return folder


@pytest.fixture(scope="session")
def stripes_run(medtail, stripes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "stripes"
    result = medtail("train", stripes, "--method", "asl", "--out", folder, *SETTINGS)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def copy(stripes: Path, tmp_path: Path):
    """The same images with a changed table."""

    def make(change) -> Path:
        folder = tmp_path / "changed"
        folder.mkdir()
        (folder / "images").symlink_to(stripes / "images")
        change(pd.read_csv(stripes / "labels.csv", dtype=str)).to_csv(folder / "labels.csv", index=False)
        return folder

    return make


def test_it_learns_and_writes_the_files_of_a_run(stripes_run: Path) -> None:
    written = {str(path.relative_to(stripes_run)) for path in stripes_run.rglob("*") if path.is_file()}
    assert written == {
        "recipe.yaml", "dataset.json", "splits.csv", "environment.json", "metrics.csv", "checkpoints/best.ckpt",
        "checkpoints/last.ckpt", "predictions/validation.parquet", "predictions/test.parquet", "summary.json",
        "report.html", "augmented.png", "features/test.npz", "model_card.md", "README.md",
        *(f"tables/{name}.{form}" for name in ("metrics", "classes", "reporting_items") for form in ("csv", "tex")),
    }  # fmt: skip
    summary = json.loads((stripes_run / "summary.json").read_text())
    assert [entry["name"] for entry in summary["classes"]] == NAMES
    assert summary["balanced_accuracy"] > 0.85  # guessing gives 0.5
    assert summary["auc"] > 0.95
    assert summary["mcc"] is None


def test_patients_stay_whole_and_counts_are_of_labels(stripes: Path, stripes_run: Path) -> None:
    splits = pd.read_csv(stripes_run / "splits.csv", dtype=str)
    assert splits.groupby("group")["split"].nunique().max() == 1
    table = pd.read_csv(stripes / "labels.csv", dtype={"image": str}).set_index("image")
    facts = json.loads((stripes_run / "dataset.json").read_text())
    for split, rows in splits.groupby("split"):
        labels = table.loc[rows["id"], [f"label_{name}" for name in NAMES]]
        assert facts["class_counts"][split] == labels.sum().tolist()
        assert facts["num_images"][split] == len(rows)


def test_predictions_hold_the_labels_of_the_table(stripes: Path, stripes_run: Path) -> None:
    table = pd.read_csv(stripes / "labels.csv", dtype={"image": str}).set_index("image")
    predictions = pd.read_parquet(stripes_run / "predictions" / "test.parquet").set_index("id")
    for name in NAMES:
        assert (predictions[f"target_{name}"] == table.loc[predictions.index, f"label_{name}"]).all()
    sums = predictions[[f"probability_{name}" for name in NAMES]].sum(axis=1)
    assert sums.max() > 1.2  # every label stands for itself


def test_the_checkpoint_is_the_epoch_of_the_best_mean_over_labels(stripes_run: Path) -> None:
    predictions = pd.read_parquet(stripes_run / "predictions" / "validation.parquet")
    each = [
        balanced_accuracy_score(predictions[f"target_{name}"], predictions[f"probability_{name}"] >= 0.5)
        for name in NAMES
    ]
    epochs = pd.read_csv(stripes_run / "metrics.csv")
    assert np.mean(each) == pytest.approx(epochs["validation_balanced_accuracy"].max(), abs=1e-5)
    assert epochs["validation_balanced_accuracy"].nunique() > 1
    assert {f"validation_recall_{name}" for name in NAMES} <= set(epochs)


def test_the_report_is_written(stripes_run: Path) -> None:
    page = (stripes_run / "report.html").read_text()
    assert "Each label" in page
    assert "Confusion matrix" not in page


def test_evaluate_gives_the_summary_again_and_judges_other_data(medtail, stripes_run: Path, copy) -> None:
    own = medtail("evaluate", stripes_run, "--json")
    assert json.loads(own.stdout) == json.loads((stripes_run / "summary.json").read_text())
    assert "balanced_accuracy" in medtail("evaluate", stripes_run, "--split", "validation").stdout
    few = copy(lambda table: table.head(50))
    other = medtail("evaluate", stripes_run, "--data", few, "--json")
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout)["n"] == 50


def test_predict_decides_on_every_label(medtail, stripes: Path, stripes_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.csv"
    images = sorted((stripes / "images").iterdir())[:40]
    result = medtail("predict", stripes_run, *images, "--out", out)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(out)
    columns = [f"decision_{name}" for name in NAMES], [f"probability_{name}" for name in NAMES]
    assert list(table) == ["image", *columns[0], *columns[1]]
    assert (table[columns[0]].to_numpy() == (table[columns[1]].to_numpy() >= 0.5)).all()
    truth = pd.read_csv(stripes / "labels.csv")[[f"label_{name}" for name in NAMES]].to_numpy()[:40]
    assert (table[columns[0]].to_numpy() == truth).mean() > 0.85


def test_inspect_says_how_many_labels_images_carry(medtail, stripes: Path) -> None:
    result = medtail("inspect", stripes)
    assert result.returncode == 0, result.stderr
    assert "labels per image: " in result.stdout
    assert "(method asl, recipe " in result.stdout


def test_other_sigmoid_losses_train_too(medtail, stripes: Path, tmp_path: Path) -> None:
    result = medtail(
        "train", stripes, "--method", "alpa", "--out", tmp_path / "run", *SETTINGS, "--epochs", 1
    )
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["auc"] is not None


def test_resuming_a_finished_run_changes_nothing(medtail, stripes: Path, stripes_run: Path) -> None:
    before = (stripes_run / "summary.json").read_bytes()
    result = medtail("train", stripes, "--method", "asl", "--out", stripes_run, *SETTINGS, "--resume")
    assert result.returncode == 0, result.stderr
    assert (stripes_run / "summary.json").read_bytes() == before


# ---------------------------------------------------------------------------------------------- refusals


def test_a_loss_of_one_class_is_refused_before_decoding(refuses, copy, stripes: Path, tmp_path: Path) -> None:
    broken = copy(lambda table: table)
    (broken / "images").unlink()
    (broken / "images").mkdir()
    shutil.copy(
        stripes / "images" / "0000.png", broken / "images"
    )  # decoding would name the others as missing
    message = refuses("train", broken, "--method", "ce", "--out", tmp_path / "run")
    assert "need a loss that decides each label by itself, got ce for the label_ columns of" in message
    assert message.endswith("take one of bce, sigmoid_focal, hill, asl, apl, alpa")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.assign(label_red="2"), "column label_red of"),
        (lambda table: table.assign(label_red="0"), "has none of red"),
    ],
)
def test_wrong_tables_are_one_sentence(refuses, copy, tmp_path: Path, change, message: str) -> None:
    assert message in refuses("train", copy(change), "--method", "asl", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_data_of_other_labels_is_not_judged(refuses, copy, stripes_run: Path) -> None:
    fewer = copy(lambda table: table.drop(columns="label_red"))
    message = refuses("evaluate", stripes_run, "--data", fewer)
    assert "(label_blue, label_green, label_red) and no others" in message


def test_methods_are_compared_on_labels(medtail, refuses, stripes: Path, tmp_path: Path) -> None:
    short = [f"--set={setting}" for setting in ("data.image_size=16", "training.batch_size=32")]
    small = ("--backbone", "resnet8", "--epochs", 1, *short)
    arguments = ("--seeds", 1, "--jobs", 1, "--out", tmp_path / "out", *small)
    assert "--metrics must be different names from" in refuses(
        "compare", stripes, "--methods", "asl,bce", "--metrics", "iba_0.1", *arguments
    )
    assert "several labels per image need a loss that decides each label by itself" in refuses(
        "compare", stripes, "--methods", "asl,ce", *arguments
    )
    assert "grids need one class per image" in refuses("compare", stripes, "--grids", "vs", *arguments)
    assert not (tmp_path / "out").exists()
    result = medtail("compare", stripes, "--methods", "asl,bce", "--json", *arguments)
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["methods"]
    assert {row["method"] for row in rows} == {"asl", "bce"}
    for row in rows:
        summary = json.loads((tmp_path / "out" / f"{row['method']}-seed0" / "summary.json").read_text())
        assert row["metrics"]["balanced_accuracy"]["mean"] == pytest.approx(summary["balanced_accuracy"])
