"""``medtail compare --grids``: trains grids, chooses on validation, goes on where it stopped."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

PLAIN = """# Two by two trainings
method: vector_scaling
grid: {loss.gamma: [0.0, 0.2], loss.tau: [0, 1]}
"""

CONDITIONAL = """# Two by two densities
method: vs_lct
baseline: plain
grid:
  method.distributions.gamma: [[0.0, 0.3, 0.0], [0.0, 0.2, 5.0]]
  method.distributions.tau: [[0, 3, 0.0], [1, 4, 0.0]]
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "plain.yaml").write_text(PLAIN)
    (folder / "conditional.yaml").write_text(CONDITIONAL)
    return folder


@pytest.fixture(scope="module")
def grids(medtail, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One training of each grid."""
    folder = tmp_path_factory.mktemp("grids")
    result = medtail(*_arguments(files, folder, "--grid-points", 3, "--seeds", 1, "--epochs", 1))
    assert result.returncode == 0, result.stderr
    assert "2/2 conditional/gamma=0_0.2_5,tau=1_4_0-seed0" in result.stderr
    return folder


def _arguments(files: Path, folder: Path, *rest: object) -> tuple[object, ...]:
    named = f"{files / 'plain.yaml'},{files / 'conditional.yaml'}"
    return ("compare", "digits-lt", "--positive", "3", "--grids", named, "--jobs", 1, "--out", folder, *rest)


def test_a_part_of_each_grid_is_trained_and_tabled(grids: Path) -> None:
    runs = {path.parent.relative_to(grids).as_posix() for path in grids.glob("*/*/summary.json")}
    assert runs == {"plain/gamma=0.2,tau=1-seed0", "conditional/gamma=0_0.2_5,tau=1_4_0-seed0"}
    saved = json.loads((grids / "tuning.json").read_text())
    assert saved["positive"] == "3"
    assert [(grid["points"], len(grid["candidates"])) for grid in saved["grids"]] == [(1, 1), (1, 20)]
    for suffix in ("csv", "md", "html"):
        assert (grids / f"tuning.{suffix}").stat().st_size > 500
    assert "One model, many λ" in next(grids.glob("conditional/*/report.html")).read_text()


def test_finished_grids_are_tuned_without_their_data(medtail, grids: Path) -> None:
    result = medtail("compare", grids / "plain", grids / "conditional", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == json.loads((grids / "tuning.json").read_text())


def test_a_plain_run_is_judged_as_its_summary(grids: Path) -> None:
    table = pd.read_csv(grids / "tuning.csv")
    row = table.query("grid == 'plain' and metric == 'auc' and protocol == 'chosen_on_validation'").iloc[0]
    summary = json.loads(next(grids.glob("plain/*/summary.json")).read_text())
    assert row["test_mean"] == pytest.approx(summary["binary"]["auc"])


def test_missing_runs_and_changed_settings_are_refused(
    refuses, files: Path, grids: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(grids, tmp_path / "copy"))
    changed = _arguments(files, copy, "--grid-points", 3, "--seeds", 1, "--epochs", 2)
    assert "training.epochs=2 (saved: 1)" in refuses(*changed)
    next(copy.glob("plain/*/summary.json")).unlink()
    assert "must hold all 1 finished runs of grid plain, 1 are missing" in refuses("compare", copy / "plain")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--grids", "vs"), "--grids trains on one DATA and needs --out"),
        (("--grids", "vs", "--methods", "ce", "--out", "o"), "give one of them"),
        (("--methods", "ce", "--grid-points", "0", "--out", "o"), "name some grids"),
        (("--grids", "vs", "--grid-points", "16", "--out", "o"), "numbers from 0 to 15 for grid vs, got 16"),
        (("--grids", "vs", "--grid-points", "a", "--out", "o"), "whole numbers with commas between, got 'a'"),
        (
            ("--grids", "vs", "--reference", "vs", "--out", "o"),
            "are for rows of methods, which grids are not",
        ),
        (("--grids", "vs", "--set", "loss.tau=1", "--out", "o"), "error: loss.tau must be left to grid vs"),
    ],
)
def test_bad_input_is_one_sentence(refuses, tmp_path: Path, monkeypatch, arguments, sentence: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in refuses("compare", "digits-lt", *arguments)
    assert not list(tmp_path.glob("o/*/*/summary.json"))


def test_grids_are_listed(medtail) -> None:
    lines = medtail("list", "grids").stdout.splitlines()
    names = [line.split()[0] for line in lines]
    assert {"vs", "vs_lct", "vs_lct_without_film", "focal", "focal_lct", "vs_lct_gamma", "vs_lct_tau"} <= set(
        names
    )
    assert {f"grids/{name}" for name in names} <= {
        line.split()[0] for line in medtail("list", "recipes").stdout.splitlines()
    }


@pytest.mark.slow
def test_whole_grids_over_seeds_and_a_resumed_sweep(medtail, files: Path, tmp_path: Path) -> None:
    arguments = _arguments(files, tmp_path, "--seeds", 2, "--epochs", 2)
    result = medtail(*arguments, timeout=900)
    assert result.returncode == 0, result.stderr
    first = json.loads((tmp_path / "tuning.json").read_text())
    assert [len(grid["candidates"]) for grid in first["grids"]] == [4, 80]
    removed = sorted(tmp_path.glob("conditional/*seed1"))[0]
    shutil.rmtree(removed)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/summary.json")}
    assert medtail(*arguments, timeout=900).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert json.loads((tmp_path / "tuning.json").read_text()) == first
