"""Columns, classes and separators as options; a run remembers them."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from medtail.cli.data_options import parse_merge
from medtail.data import TableColumns, open_collection
from medtail.data.collection_images import own_images
from medtail.errors import InputError
from medtail.recipes.choose_recipe import chosen_columns
from medtail.runs.images.attributes import read_attributes
from medtail.runs.run import Run
from medtail.training.run_folder import check_outside
from references.data_sets import picture

KINDS = ["nv", "mel", "bcc", "df"]
OPTIONS = (
    "--image-column",
    "scan",
    "--label-column",
    "histology",
    "--group-column",
    "Who",
    "--split-column",
    "when",
)
CHOICE = ("--merge", "malignant=mel+bcc", "--classes", "nv,malignant")


def write(folder: Path, names: dict[str, str] | None = None) -> Path:
    """48 images of four classes; ``diagnosis`` is not the truth."""
    folder.mkdir(parents=True)
    rows = range(48)
    for row in rows:
        picture(row).save(folder / f"{row:03d}.png")
    table = pd.DataFrame(
        {
            "scan": [f"{row:03d}" for row in rows],
            "histology": [KINDS[row % 4] for row in rows],
            "Who": [f"p{row // 4}" for row in rows],
            "when": [["train", "train", "val", "test"][row // 12] for row in rows],
            "diagnosis": ["x" if row % 3 else "y" for row in rows],
        }
    )
    table.rename(columns=names or {}).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "clinic")


@pytest.fixture(scope="module")
def run(medtail, clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "run"
    result = medtail("train", clinic, "--method", "ce", "--epochs", 1, "--out", folder, *OPTIONS, *CHOICE)
    assert result.returncode == 0, result.stderr
    assert "labels from histology; groups from Who; splits from when; not used: diagnosis" in result.stderr
    assert "2 classes made of 4, with 36 of 48 images" in result.stderr
    return Run(folder)


def test_a_run_remembers_columns_and_classes(run: Run) -> None:
    data = yaml.safe_load(run.recipe.read_text())["data"]
    assert data["columns"] == {
        "image_column": "scan",
        "label_column": "histology",
        "group_column": "Who",
        "split_column": "when",
        "label_separator": None,
        "mask_column": None,
    }
    assert (data["merge"], data["classes"]) == ({"malignant": ["mel", "bcc"]}, ["nv", "malignant"])
    facts = json.loads(run.dataset.read_text())
    assert facts["class_names"] == ["malignant", "nv"]
    assert facts["class_counts"] == {"train": [12, 6], "validation": [6, 3], "test": [6, 3]}


def test_a_column_that_is_used_for_nothing_else_makes_subgroups_of_judged_images(
    run: Run, clinic: Path
) -> None:
    labels = pd.read_csv(clinic / "labels.csv", dtype=str).set_index("scan")["diagnosis"]
    for split in ("validation", "test"):
        ids = pd.read_parquet(run.predictions(split))["id"].to_numpy()
        kept = read_attributes(run, ids)
        assert list(kept.columns) == ["diagnosis"]
        assert kept["diagnosis"].tolist() == [labels[Path(name).stem] for name in ids]
    assert set(pd.read_csv(run.folder / "tables" / "subgroups.csv")["value"]) == {"x", "y"}


def test_a_saved_recipe_opens_the_data_as_it_was_opened(run: Run) -> None:
    assert chosen_columns(str(run.recipe)).label_column == "histology"
    change = {"data": {"columns": {"label_column": "diagnosis"}}}
    assert chosen_columns(str(run.recipe), [change]) == TableColumns("scan", "diagnosis", "Who", "when")


def test_the_images_of_a_run_are_found_again(run: Run) -> None:
    read = own_images(run)
    assert read is not None
    assert read("007").shape == (16, 16, 3)


def test_other_columns_do_not_continue_a_run(refuses: Callable[..., str], run: Run, clinic: Path) -> None:
    arguments = ("train", clinic, "--method", "ce", "--epochs", 1, "--out", run.folder, "--resume")
    assert "data.columns" in refuses(*arguments, "--label-column", "histology", "--image-column", "scan")


def test_other_data_are_merged_alike_and_have_columns_of_their_own(medtail, run: Run, tmp_path: Path) -> None:
    other = write(tmp_path / "other", {"histology": "pathologist", "scan": "image"})
    result = medtail("evaluate", run.folder, "--data", other, "--label-column", "Pathologist", "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert {one["name"]: one["n"] for one in summary["classes"]} == {"malignant": 24, "nv": 12}


def test_columns_of_the_own_data_are_refused(refuses: Callable[..., str], run: Run) -> None:
    sentence = refuses("evaluate", run.folder, "--label-column", "diagnosis")
    assert "--label-column names a column of other data" in sentence


def test_inspect_takes_columns_and_classes(medtail, clinic: Path) -> None:
    result = medtail("inspect", clinic, *OPTIONS, *CHOICE, "--json")
    assert json.loads(result.stdout)["counts"] == {"train": [12, 6], "validation": [6, 3], "test": [6, 3]}


def test_joined_labels_are_named_with_the_option_that_reads_them(medtail, clinic: Path) -> None:
    (clinic / "joined.csv").write_text(
        "image,label\n" + "".join(f"{n:03d},a|{'bc'[n % 2]}\n" for n in range(48))
    )
    result = medtail("inspect", clinic / "joined.csv")
    assert '--label-separator "|"' in result.stderr


@pytest.mark.parametrize("text", ["malignant", "=mel+bcc", "malignant=mel+"])
def test_a_merge_without_names_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--merge takes NEW=A\+B, got"):
        parse_merge([text])


@pytest.mark.parametrize("place", ["runs/a", "."])
def test_a_run_inside_the_data_is_refused(clinic: Path, place: str) -> None:
    collection = open_collection(clinic, columns=TableColumns("scan", "histology"))
    with pytest.raises(InputError, match="`out` must lie outside DATA, or its files are read as data"):
        check_outside(Run(clinic / place), collection)
    check_outside(Run(clinic.parent / "clinic2"), collection)
