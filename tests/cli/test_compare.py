"""``medtail compare``: over finished runs, and over methods and seeds that it trains itself."""

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def comparison(medtail, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods with two seeds each, one epoch, trained by one command."""
    folder = tmp_path_factory.mktemp("comparison")
    arguments = ("--methods", "ce,dbm_bs", "--seeds", 2, "--epochs", 1, "--jobs", 1, "--out", folder)
    result = medtail("compare", "digits-lt", *arguments)
    assert result.returncode == 0, result.stderr
    return folder


def test_methods_and_seeds_are_trained_and_tabled(comparison: Path) -> None:
    names = {path.parent.name for path in comparison.glob("*/summary.json")}
    assert names == {"ce-seed0", "ce-seed1", "dbm_bs-seed0", "dbm_bs-seed1"}
    for suffix in ("json", "csv", "md", "tex", "html"):
        assert (comparison / f"comparison.{suffix}").stat().st_size > 100


def test_the_mean_is_that_of_the_summaries(comparison: Path) -> None:
    table = json.loads((comparison / "comparison.json").read_text())
    trained = [method for method in table["methods"] if "adapted" not in method["method"]]
    assert len(trained) == 2
    for method in trained:
        values = [
            json.loads(path.read_text())["balanced_accuracy"]
            for path in comparison.glob(f"{method['method']}-seed*/summary.json")
        ]
        assert method["metrics"]["balanced_accuracy"]["mean"] == pytest.approx(sum(values) / len(values))


def test_what_is_finished_is_not_trained_again(medtail, comparison: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in comparison.glob("*/summary.json")}
    arguments = ("--methods", "ce,dbm_bs", "--seeds", 2, "--epochs", 1, "--out", comparison)
    assert medtail("compare", "digits-lt", *arguments).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_finished_run_with_other_settings_is_not_passed_off(refuses, comparison: Path) -> None:
    arguments = ("--methods", "ce", "--seeds", 1, "--epochs", 2, "--out", comparison)
    assert "training.epochs=2 (saved: 1)" in refuses("compare", "digits-lt", *arguments)


def test_finished_runs_are_compared_as_markdown_and_json(medtail, comparison: Path) -> None:
    runs = sorted(path.parent for path in comparison.glob("*/summary.json"))
    table = medtail("compare", *runs)
    assert table.returncode == 0, table.stderr
    assert "| dbm_bs |" in table.stdout and "±" in table.stdout
    as_json = json.loads(medtail("compare", *runs, "--json").stdout)
    assert {method["method"] for method in as_json["methods"]} == {"ce", "ce, adapted", "dbm_bs"}


def test_another_reference_can_be_named(medtail, refuses, comparison: Path) -> None:
    runs = sorted(path.parent for path in comparison.glob("*/summary.json"))
    as_json = json.loads(medtail("compare", *runs, "--reference", "dbm_bs", "--json").stdout)
    assert as_json["reference"] == "dbm_bs"
    assert "did you mean dbm_bs" in refuses("compare", *runs, "--reference", "dbm_b")


def test_variants_of_a_file_are_rows(medtail, refuses, tmp_path: Path) -> None:
    """Two settings of one method, and the same by a product: the second command finds both rows trained."""
    file = tmp_path / "variants.yaml"
    file.write_text(
        "- {label: dal loss.scale=4, method: dal, set: {loss.scale: 4}}\n"
        "- {label: dal loss.scale=8, method: dal, set: {loss: {scale: 8}}}\n"
    )
    arguments = ("--seeds", 1, "--epochs", 1, "--jobs", 1, "--out", tmp_path / "out", "--json")
    result = medtail("compare", "digits-lt", "--variants", file, *arguments)
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["methods"]
    assert {row["method"] for row in rows} >= {"dal loss.scale=4", "dal loss.scale=8"}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/summary.json")}
    assert len(before) == 2
    result = medtail("compare", "digits-lt", "--methods", "dal", "--set", "loss.scale=4,8", *arguments)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["methods"] == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/summary.json")} == before

    file.write_text("[{method: ce}, {method: dal, set: {loss.scael: 4}}]")
    out = ("--out", tmp_path / "new")
    assert "did you mean scale" in refuses("compare", "digits-lt", "--variants", file, *out)
    assert "different kinds" in refuses("compare", "digits-lt", "--variants", file, "--methods", "ce", *out)
    assert "--set loss.scale with several values needs --methods" in refuses(
        "compare", "digits-lt", "--grids", "vs", "--set", "loss.scale=4,8", *out
    )
    assert not (tmp_path / "new").exists()


def test_several_data_sets_have_a_table_each_and_ranks(medtail, class_folders: Path, tmp_path: Path) -> None:
    """Of other classes; each training is a cross-validation, and its images are judged out of their fold."""
    arguments = ("--methods", "ce,dbm_bs", "--seeds", 1, "--epochs", 1, "--folds", 2)
    one_process = ("--jobs", 1, "--out", tmp_path / "out")
    named = ("--metrics", "balanced_accuracy,iba_0.1", "--json")
    result = medtail("compare", "digits-lt", class_folders, *arguments, *one_process, *named)
    assert result.returncode == 0, result.stderr
    content = json.loads(result.stdout)
    digits, skin = content["data_sets"]
    assert (digits["dataset"], skin["dataset"], skin["test_images"]) == ("digits-lt", "skin", 52)
    assert list(skin["columns"]) == ["balanced_accuracy", "iba_0.1"]
    assert content["ranking"]["mean_ranks"].keys() == {"ce", "dbm_bs", "ce, adapted"}
    assert (tmp_path / "out" / "skin" / "ce-seed0" / "folds" / "fold-2" / "summary.json").is_file()
    for suffix in ("json", "csv", "md", "tex", "html"):
        assert (tmp_path / "out" / f"comparison.{suffix}").stat().st_size > 100


def test_bad_input_is_one_sentence(refuses, comparison: Path, tmp_path: Path) -> None:
    assert "--methods trains on one DATA and needs --out" in refuses(
        "compare", "digits-lt", "--methods", "ce"
    )
    assert "does not exist" in refuses("compare", tmp_path / "nothing")
    arguments = ("--methods", "ce,dal", "--out", tmp_path / "out")
    for option, name, message in (
        ("--metrics", "recall:10", "did you mean recall:1"),
        ("--metrics", "ballanced_accuracy", "did you mean balanced_accuracy"),
        ("--reference", "de", "--reference must be a row of the table (ce; dal; ce, adapted"),
        ("--rows", "method", "--rows and --columns make one table of two settings"),
    ):
        assert message in refuses("compare", "digits-lt", *arguments, option, name)
    arguments = ("--methods", "ce,dbm_sb", "--out", tmp_path / "out")
    assert "did you mean dbm_bs" in refuses("compare", "digits-lt", *arguments)
    assert not (tmp_path / "out").exists()
