"""``medtail train --method vs_lct``: from start to end, on two processes, and with distributions that are none."""

from pathlib import Path

import pandas as pd
import pytest
import yaml


@pytest.fixture(scope="module")
def lct_run(medtail, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one epoch on the built-in digits."""
    folder = tmp_path_factory.mktemp("runs") / "lct"
    result = medtail("train", "digits-lt", "--method", "vs_lct", "--epochs", 1, "--out", folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_a_run_keeps_features_and_a_table_of_conditions(lct_run: Path) -> None:
    kept = {path.name for path in (lct_run / "features").iterdir()}
    assert kept == {"backbone_validation.npz", "backbone_test.npz", "test.npz", "typicality.npz"}
    table = pd.read_csv(lct_run / "conditions.csv")
    assert table.groupby("split").size().to_dict() == {"test": 20, "validation": 20}


def test_the_saved_recipe_names_the_distributions(lct_run: Path) -> None:
    method = yaml.safe_load((lct_run / "recipe.yaml").read_text())["method"]
    assert method["distributions"] == {"gamma": [0.0, 0.3, 3.3], "tau": [0.0, 3.0, 0.33]}
    assert method["film"] == "identity"


def test_evaluating_reads_the_run_again(medtail, lct_run: Path) -> None:
    result = medtail("evaluate", lct_run)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow  # tests/distributed has the same of two ranks, in less time
def test_two_processes_draw_what_one_draws(medtail, lct_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "two"
    arguments = ("--method", "vs_lct", "--epochs", 1, "--set", "training.devices=2", "--out", folder)
    result = medtail("train", "digits-lt", *arguments)
    assert result.returncode == 0, result.stderr
    one, two = (pd.read_csv(run / "metrics.csv") for run in (lct_run, folder))
    pd.testing.assert_frame_equal(one[["drawn_gamma", "drawn_tau"]], two[["drawn_gamma", "drawn_tau"]])
    assert (folder / "conditions.csv").is_file()


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("method.distributions.tau=[1,3,2]", "height_at_high must be in [0, 1]"),
        ("method.distributions.gamma=[-1,0.3,0]", "gamma must be a number in [0, inf)"),
        ("method.name=conditional", "method.name must be one of supervised, loss_conditional"),
    ],
)
def test_wrong_distributions_are_refused(refuses, tmp_path: Path, assignment: str, sentence: str) -> None:
    folder = tmp_path / "run"
    arguments = ("--method", "vs_lct", "--set", assignment, "--out", folder)
    assert sentence in refuses("train", "digits-lt", *arguments)
    assert not folder.exists()


def test_several_labels_are_refused(refuses, tmp_path: Path) -> None:
    from PIL import Image

    rows = []
    for index in range(12):
        Image.new("L", (16, 16), 20 * index).save(tmp_path / f"{index}.png")
        rows.append({"image": f"{index}.png", "label_a": index % 2, "label_b": index % 3 == 0})
    table = tmp_path / "table.csv"
    pd.DataFrame(rows).astype({"label_b": int}).to_csv(table, index=False)
    message = refuses("train", table, "--method", "vs_lct", "--out", tmp_path / "run")
    assert "method.name must be supervised for several labels per image, got loss_conditional" in message
