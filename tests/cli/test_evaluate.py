"""``medtail evaluate`` and ``medtail predict``: a finished run on its own data, on other data, on single images."""

import json
import re
import shutil
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from references.pages import read_page


@pytest.fixture(scope="module")
def digit_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty images of each of three digits, as class folders of PNG files."""
    from medtail.data import open_collection

    folder = tmp_path_factory.mktemp("images")
    collection = open_collection("digits-lt")
    for label in ("0", "1", "2"):
        (folder / label).mkdir()
        rows = np.flatnonzero((collection.table["label"] == label) & (collection.table["split"] == "test"))
        for row in rows[:20]:
            image = Image.fromarray(collection.source.read(int(row))[..., 0])
            image.save(folder / label / f"{collection.table['id'][row]}.png")
    return folder


@pytest.fixture(scope="module")
def own_run(digits_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, since judging other data writes into it."""
    return Path(shutil.copytree(digits_run, tmp_path_factory.mktemp("evaluate") / "digits"))


def test_its_own_test_split_gives_the_summary_of_the_run(medtail, digits_run: Path) -> None:
    result = medtail("evaluate", digits_run, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == json.loads((digits_run / "summary.json").read_text())


def test_naming_its_own_data_is_the_same(medtail, digits_run: Path) -> None:
    result = medtail("evaluate", digits_run, "--data", "digits-lt", "--json")
    assert json.loads(result.stdout) == json.loads((digits_run / "summary.json").read_text())


def test_the_validation_split_can_be_asked_for(medtail, digits_run: Path) -> None:
    summary = json.loads(medtail("evaluate", digits_run, "--split", "validation", "--json").stdout)
    assert (summary["split"], summary["n"]) == ("validation", 200)


def test_people_get_a_table(medtail, digits_run: Path) -> None:
    output = medtail("evaluate", digits_run).stdout
    summary = json.loads((digits_run / "summary.json").read_text())
    assert "balanced_accuracy" in output
    assert f"{summary['balanced_accuracy']:.4f}" in output


def test_other_data_with_the_same_classes(
    medtail, own_run: Path, digit_folders: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "other.parquet"
    result = medtail("evaluate", own_run, "--data", digit_folders, "--json", "--out", saved)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["n"] == 60
    assert [entry["n"] for entry in summary["classes"]] == [20, 20, 20, 0, 0, 0, 0, 0, 0, 0]
    assert summary["classes"][9]["recall"] is None  # undefined, not 0
    assert (summary["split"], summary["data"]) == ("all", digit_folders.name)
    # The same images as in the run's own test split, so the same probabilities.
    own = pd.read_parquet(own_run / "predictions" / "test.parquet").set_index("id")
    other = pd.read_parquet(saved)
    columns = [f"probability_{digit}" for digit in range(10)]
    names = [Path(name).stem for name in other["id"]]
    np.testing.assert_allclose(other[columns], own.loc[names, columns], atol=2e-2)


def test_other_data_get_a_report_in_a_new_folder(medtail, own_run: Path, digit_folders: Path) -> None:
    before = {path: path.read_bytes() for path in own_run.rglob("*") if path.is_file()}
    result = medtail("evaluate", own_run, "--data", digit_folders)
    assert result.returncode == 0, result.stderr
    assert f"all images of {digit_folders.name}, 60 images" in result.stdout
    report = Path(result.stderr.splitlines()[-1].removeprefix("report: "))
    assert report.parent.parent == own_run / "evaluations"
    assert report.parent.name.startswith(digit_folders.name)
    assert {path.name for path in report.parent.iterdir()} == {
        "report.html", "predictions.parquet", "summary.json",
    }  # fmt: skip
    assert {path: path.read_bytes() for path in before} == before  # nothing was replaced
    summary = json.loads((report.parent / "summary.json").read_text())
    page = read_page(report.read_text(encoding="utf-8"))
    assert page.headings[0] == f"dbm_bs on {digit_folders.name}: external validation"
    assert "External data" in page.headings and "Training" not in page.headings
    assert "60 external images" in page.text
    assert not re.search(r"\btest (split|images? (?!it is))", page.text)
    assert page.unclosed == [] and "not at hand" not in page.text
    assert page.row("Balanced accuracy")[1] == f"{summary['balanced_accuracy']:.3f}"


def test_images_of_another_kind_are_called_untypical(medtail, digits_run: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(4):
        noise = generator.integers(0, 256, (8, 8)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    result = medtail("predict", digits_run, tmp_path)
    table = pd.read_csv(StringIO(result.stdout))
    assert (table["atypicality"] >= 0.95).all()
    assert "note: 4 of 4 images are unlike the validation images of the run" in result.stderr


def test_images_of_the_same_kind_are_typical(medtail, digits_run: Path, digit_folders: Path) -> None:
    result = medtail("predict", digits_run, digit_folders)
    table = pd.read_csv(StringIO(result.stdout))
    assert table["atypicality"].between(0, 1).all()
    assert (table["atypicality"] >= 0.95).mean() < 0.2
    assert "unlike the validation images" not in result.stderr


def test_other_data_with_an_unknown_class_is_refused(refuses, digits_run: Path, digit_folders: Path) -> None:
    (digit_folders / "zebra").mkdir()
    Image.new("L", (8, 8)).save(digit_folders / "zebra" / "a.png")
    try:
        message = refuses("evaluate", digits_run, "--data", digit_folders)
    finally:
        (digit_folders / "zebra" / "a.png").unlink()
        (digit_folders / "zebra").rmdir()
    assert "only classes the run knows" in message and "zebra" in message


def test_an_unfinished_run_is_refused(refuses, tmp_path: Path) -> None:
    assert "does not exist" in refuses("evaluate", tmp_path / "nothing")
    assert "not a finished run" in refuses("evaluate", tmp_path)


def test_predict_prints_a_row_an_image(
    medtail, digits_run: Path, digit_folders: Path, tmp_path: Path
) -> None:
    out = tmp_path / "predictions.csv"
    single = next((digit_folders / "0").iterdir())
    result = medtail("predict", digits_run, single, digit_folders / "1", "--out", out)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(out, dtype={"decision": str})
    assert len(table) == 21
    assert table["image"][0] == str(single)
    probabilities = table[[f"probability_{digit}" for digit in range(10)]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    assert table["decision"].tolist() == [str(digit) for digit in probabilities.argmax(axis=1)]
    printed = medtail("predict", digits_run, single).stdout
    assert printed.splitlines()[1].startswith(str(single))


def test_predict_names_every_bad_file_and_can_go_on(
    medtail, refuses, digits_run: Path, digit_folders: Path
) -> None:
    bad = [digit_folders / name for name in ("empty.png", "words.png")]
    bad[0].write_bytes(b"")
    bad[1].write_text("not an image")
    try:
        message = refuses("predict", digits_run, digit_folders)
        assert "empty.png" in message and "words.png" in message and "2 of 62" in message
        result = medtail("predict", digits_run, digit_folders, "--skip-unreadable")
        assert result.returncode == 0
        assert len(result.stdout.splitlines()) == 61
    finally:
        for path in bad:
            path.unlink()


def test_predict_refuses_a_missing_path(refuses, digits_run: Path, tmp_path: Path) -> None:
    assert "nothing.png does not exist" in refuses("predict", digits_run, tmp_path / "nothing.png")


def test_of_two_classes_the_rare_one_is_positive(medtail, tmp_path: Path) -> None:
    run = tmp_path / "nine"
    result = medtail(
        "train", "digits-lt", "--positive", "9", "--method", "vs_sam", "--epochs", 1, "--out", run
    )
    assert result.returncode == 0, result.stderr
    binary = json.loads((run / "summary.json").read_text())["binary"]
    assert binary["positive"] == "9"
    output = medtail("evaluate", run).stdout
    assert "positive class 9" in output
    assert f"{binary['max_f1']:.4f}" in output
    assert f"{binary['precisions_at_recalls']['0.98']:.4f}" in output
    again = medtail("evaluate", run, "--json")
    assert json.loads(again.stdout)["binary"] == binary
    assert "Positive class: 9" in (run / "report.html").read_text()
    table = medtail("compare", run).stdout
    assert "Positive class: **9**." in table
    assert "Precision at recall ≥ 0.99" in table


def test_the_last_epoch_is_judged_on_the_same_images(medtail, refuses, own_run: Path, tmp_path: Path) -> None:
    from medtail.runs.run import Run

    run = Run(own_run)
    before = run.best_checkpoint.read_bytes()
    last = json.loads(medtail("evaluate", own_run, "--checkpoint", "last", "--json").stdout)
    best = json.loads((own_run / "summary.json").read_text())
    assert (last["checkpoint"], last["n"]) == ("last", best["n"])
    assert {key for key in last if key != "checkpoint"} == set(best)
    # With the weights of the last epoch in the place of the best, both are the same.
    run.last_checkpoint.write_bytes(before)
    again = json.loads(medtail("evaluate", own_run, "--checkpoint", "last", "--json").stdout)
    assert again["accuracy"] == best["accuracy"]
    assert again["auc"] == pytest.approx(best["auc"], abs=1e-6)
    message = refuses("evaluate", own_run, "--checkpoint", "last", "--operating-point")
    assert "--checkpoint last judges one run on its own data as it is, got --operating-point" in message
