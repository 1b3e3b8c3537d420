"""``predict`` and ``evaluate`` with several runs, folds and views."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from medtail.files import write_json
from medtail.inference import load
from medtail.inference.combination import MeanLogProbability
from medtail.inference.judging import judge_saved
from medtail.operating_point import OperatingPoint
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("options", "settings", "said"),
    [
        ((), {}, "the mean over 2 runs ("),
        (
            ("--combine", "log-probabilities", "--test-time-augmentation", "flips"),
            {"combine": "log-probabilities", "test_time_augmentation": "flips"},
            "the normalised geometric mean over 2 runs (",
        ),
    ],
)
def test_runs_predict_together(
    medtail,
    two_runs: tuple[Run, Run],
    images: Path,
    options: tuple[str, ...],
    settings: dict[str, str],
    said: str,
) -> None:
    result = medtail("predict", *(run.folder for run in two_runs), images, *options)
    assert result.returncode == 0, result.stderr
    assert f"note: Probabilities are {said}" in result.stderr
    table = pd.read_csv(io.StringIO(result.stdout), dtype={"decision": str})
    expected = load(two_runs, **settings).predict_files([images])
    assert table.columns.tolist() == expected.columns.tolist()
    assert table["decision"].tolist() == expected["decision"].tolist()
    assert_allclose(table.iloc[:, 2:].to_numpy(), expected.iloc[:, 2:].to_numpy(dtype=float), atol=1e-5)


def test_one_run_seen_once_needs_no_note(
    medtail, two_runs: tuple[Run, Run], images: Path, tmp_path: Path
) -> None:
    result = medtail("predict", two_runs[0].folder, images, "--out", tmp_path / "one.csv")
    assert (result.returncode, "note: Prob" in result.stderr) == (0, False)
    columns = pd.read_csv(tmp_path / "one.csv").columns.tolist()
    assert columns == ["image", "decision", *(f"probability_{digit}" for digit in range(10)), "atypicality"]


def test_a_file_is_only_continued_by_the_same_runs(
    medtail, two_runs: tuple[Run, Run], images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    result = medtail("predict", *(run.folder for run in two_runs), images, "--out", out, "--resume")
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-1] == f"3 images: {out}"
    together = load(two_runs)
    assert together.identity != load(two_runs, test_time_augmentation="flips").identity
    assert together.identity != load(two_runs, combine="log-probabilities").identity
    assert together.identity != load(two_runs[0]).identity


def test_what_cannot_be_combined_is_refused(
    refuses, two_runs: tuple[Run, Run], images: Path, tmp_path: Path
) -> None:
    first, second = (run.folder for run in two_runs)
    assert "predict needs images besides runs, got " in refuses("predict", first, second)
    sentence = refuses("predict", first, second, images, "--operating-point")
    assert "--operating-point is for the probabilities of one run" in sentence
    sentence = refuses("predict", first, images, "--combine", "log-probabilities")
    assert "--combine log-probabilities says how several runs or views are combined, got one run" in sentence
    sentence = refuses("predict", first, images, "--test-time-augmentation", "crops")
    assert "--test-time-augmentation must be one of flips, rotations, got 'crops'" in sentence
    sentence = refuses("predict", first, second, images, "--explain", tmp_path / "maps")
    assert "--explain shows what one network saw" in sentence
    assert not (tmp_path / "maps").exists()


def test_the_command_says_what_was_combined(medtail, two_run_copies: tuple[Run, Run]) -> None:
    folders = [run.folder for run in two_run_copies]
    result = medtail("evaluate", *folders, "--json", "--combine", "log-probabilities")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    words = f"Probabilities are the normalised geometric mean over 2 runs ({folders[0]}, {folders[1]})."
    assert (summary["combined"], summary["split"], summary["n"]) == (words, "test", 400)
    predictions = judge_saved(two_run_copies, "test", MeanLogProbability()).predictions
    assert summary["balanced_accuracy"] == pytest.approx(float(predictions.measure()["balanced_accuracy"][0]))
    written = folders[0] / "evaluations" / "combined"
    assert json.loads((written / "summary.json").read_text())["combined"] == words
    assert words in (written / "report.html").read_text()
    assert_array_equal(
        Predictions.read(written / "predictions.parquet").probabilities, predictions.probabilities
    )

    result = medtail("evaluate", *folders, "--data", "digits-lt", "--test-time-augmentation", "flips")
    assert result.returncode == 0, result.stderr
    page = (folders[0] / "evaluations" / "digits-lt" / "report.html").read_text()
    for text in (result.stdout, page):
        assert "the mean over 2 runs (" in text and "and 4 views of each image" in text
    assert "External data" in page and "Recipe and versions" not in page


def test_a_cross_validation_is_judged_on_images_that_no_fold_has_seen(
    medtail, refuses, two_run_copies: tuple[Run, Run], tmp_path: Path
) -> None:
    run = Run(tmp_path / "crossed")
    for number, fold in enumerate(two_run_copies, start=1):
        shutil.copytree(fold.folder, run.fold(number).folder)
    write_json(run.folds_facts, {"folds": 2, "sha256": ""})
    table = Predictions.read(run.fold(2).predictions("test"))
    table.rows(np.arange(200)).write(run.fold(2).predictions("test"))
    assert "must have the same test images, but 200 images are in only one of" in refuses(
        "evaluate", run.folder
    )
    result = medtail("evaluate", run.folder, "--data", "digits-lt", "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["n"], summary["split"], summary["data"]) == (400, "test", "digits-lt")
    assert (run.evaluations / "digits-lt" / "report.html").is_file()


def test_what_is_of_one_run_is_refused_for_several(refuses, two_runs: tuple[Run, Run]) -> None:
    folders = [run.folder for run in two_runs]
    assert "--explain is for one run" in refuses("evaluate", *folders, "--explain")
    sentence = refuses("evaluate", *folders, "--operating-point")
    assert "--operating-point is for the probabilities of one run" in sentence
    assert "--label-column names a column of other data" in refuses(
        "evaluate", *folders, "--label-column", "a"
    )
    sentence = refuses("evaluate", folders[0], "--combine", "probabilities")
    assert "--combine probabilities says how several runs or views are combined, got one run" in sentence


def test_an_operating_point_of_several_runs(
    medtail, refuses, two_runs: tuple[Run, Run], images: Path, tmp_path: Path
) -> None:
    folders = [run.folder for run in two_runs]
    sentence = refuses("adapt", *folders, "--balanced-accuracy")
    assert "--out is needed for several runs or views" in sentence
    assert "--metric chooses λ of one run" in refuses(
        "adapt", *folders, "--metric", "auc", "--out", tmp_path / "x"
    )
    assert "--out is for several runs or views" in refuses(
        "adapt", folders[0], "--balanced-accuracy", "--out", tmp_path / "x"
    )
    out = tmp_path / "point.json"
    result = medtail("adapt", *folders, "--balanced-accuracy", "--out", out)
    assert result.returncode == 0, result.stderr
    assert f"operating point: {out}" in result.stdout
    assert "--out must be a new file" in refuses("adapt", *folders, "--balanced-accuracy", "--out", out)

    decided = medtail("predict", *folders, images, "--operating-point-file", out)
    point = OperatingPoint.read(out, load(two_runs).class_names)
    expected = load(two_runs).deciding_by(point).predict_files([images])["decision"]
    table = pd.read_csv(io.StringIO(decided.stdout), dtype=str)
    assert table["decision"].tolist() == expected.tolist()
    sentence = refuses("predict", folders[0], images, "--operating-point-file", out)
    assert "was chosen for other runs, another mean or other views" in sentence
    assert "give one of them" in refuses(
        "predict", folders[0], images, "--operating-point-file", out, "--operating-point"
    )
    summary = json.loads(medtail("evaluate", *folders, "--operating-point-file", out, "--json").stdout)
    assert summary["before"]["balanced_accuracy"] <= summary["balanced_accuracy"]
