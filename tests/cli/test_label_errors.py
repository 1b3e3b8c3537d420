"""``medtail inspect RUN``: labels that held-out predictions doubt."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli.conftest import Command
from PIL import Image
from sklearn.datasets import load_digits

pytest.importorskip("cleanlab", reason="cleanlab is not installed: pip install 'medtail[label-errors]'")


@pytest.fixture(scope="module")
def run(digits_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doubted") / "run"
    shutil.copytree(digits_run, folder)
    return folder


def test_a_run_lists_doubts_and_writes_them(medtail: Command, run: Path) -> None:
    result = medtail("inspect", run, "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    tables = [pd.read_parquet(run / "predictions" / f"{split}.parquet") for split in ("validation", "test")]
    assert found["judged"] == sum(map(len, tables)) and not found["out_of_fold"]
    images = set(pd.concat(tables)["id"])
    assert found["doubts"] and all(doubt["image"] in images for doubt in found["doubts"])
    written = pd.read_csv(run / "label_errors.csv")
    assert written["image"].tolist() == [doubt["image"] for doubt in found["doubts"]]
    assert (run / "label_errors.html").read_text().count("data:image/png") == min(120, len(written))
    text = medtail("inspect", run, "--strict")
    assert text.returncode == 1
    assert f"labels in doubt: {len(written)}" in text.stdout
    assert text.stderr.strip() == f"wrong: {len(written)} labels in doubt"


def test_options_of_data_are_refused(refuses: Callable[..., str], run: Path) -> None:
    assert refuses("inspect", run, "--positive", "1").startswith("error: --positive goes with data")


@pytest.mark.slow
def test_planted_errors_are_found_by_a_cross_validation(medtail: Command, tmp_path: Path) -> None:
    images, digits = load_digits(return_X_y=False).images, load_digits().target
    wrong = set(range(0, 600, 20))
    for row, (pixels, digit) in enumerate(zip(images[:600], digits[:600], strict=True)):
        folder = tmp_path / "data" / str((digit + (row in wrong)) % 10)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 15).astype(np.uint8)).save(folder / f"{row:04d}.png")
    arguments = ("--method", "ce", "--folds", 3, "--epochs", 20, "--backbone", "resnet8", "--image-size", 16)
    result = medtail("train", tmp_path / "data", "--out", tmp_path / "run", *arguments, timeout=1200)
    assert result.returncode == 0, result.stderr
    found = json.loads(medtail("inspect", tmp_path / "run", "--json").stdout)
    doubted = [int(Path(doubt["image"]).stem) for doubt in found["doubts"]]
    assert found["out_of_fold"] and found["judged"] == 600
    # By chance, one in twenty of the first would be planted.
    assert len(wrong.intersection(doubted[: len(wrong)])) >= 0.5 * len(wrong)
    # Of all that are doubted as well; 22 or 23 of 24 to 26 are, with two seeds.
    planted = len(wrong.intersection(doubted))
    assert planted >= 0.7 * len(wrong)
    assert planted >= 0.75 * len(doubted)
