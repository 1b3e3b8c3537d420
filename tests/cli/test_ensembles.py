"""``predict`` with several runs, folds and views."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from medtail.inference import load
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
        ((), {}, "the mean probability of 2 runs ("),
        (
            ("--combine", "log-probabilities", "--test-time-augmentation", "flips"),
            {"combine": "log-probabilities", "test_time_augmentation": "flips"},
            "the normalised mean of the log-probabilities of 2 runs (",
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
    assert "--operating-point is for the probabilities that it was chosen on" in sentence
    sentence = refuses("predict", first, images, "--combine", "log-probabilities")
    assert "--combine log-probabilities says how several runs or views are combined, got one run" in sentence
    sentence = refuses("predict", first, images, "--test-time-augmentation", "crops")
    assert "--test-time-augmentation must be one of flips, rotations, got 'crops'" in sentence
    sentence = refuses("predict", first, second, images, "--explain", tmp_path / "maps")
    assert "--explain shows what one network saw" in sentence
    assert not (tmp_path / "maps").exists()
