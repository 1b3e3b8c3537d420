"""``medtail adapt``, and what ``evaluate`` and ``predict`` make of it."""

import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtail.cli import main

#: Runs the entry point in this process, which saves importing PyTorch every time: exit code, stdout, stderr.
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_main(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["medtail", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def adapted_to(run_main: Run) -> Callable[..., dict]:
    """Adapt a run, which must succeed, and return the content of its operating_point.json."""

    def adapt(run: Path, *arguments: object) -> dict:
        code, _, errors = run_main("adapt", run, *arguments)
        assert code == 0, errors
        return json.loads((run / "operating_point.json").read_text())

    return adapt


@pytest.fixture(scope="module")
def run(digits_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, since adapt writes into it."""
    return Path(shutil.copytree(digits_run, tmp_path_factory.mktemp("adapt") / "digits"))


@pytest.fixture(scope="module")
def lct_run(medtail, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch of one digit against the rest, for every λ."""
    folder = tmp_path_factory.mktemp("adapt") / "lct"
    result = medtail(
        "train", "digits-lt", "--method", "vs_lct", "--positive", "1", "--epochs", 1, "--out", folder
    )
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def digit_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten test images of two digits, in class folders; named by their ids."""
    from medtail.data import open_collection

    folder = tmp_path_factory.mktemp("images")
    collection = open_collection("digits-lt")
    for label in ("0", "1"):
        (folder / label).mkdir()
        rows = np.flatnonzero((collection.table["label"] == label) & (collection.table["split"] == "test"))
        for row in rows[:10]:
            image = Image.fromarray(collection.source.read(int(row))[..., 0])
            image.save(folder / label / f"{collection.table['id'][row]}.png")
    return folder


def test_the_real_program_adapts_and_evaluates(medtail, run: Path) -> None:
    result = medtail("adapt", run, "--balanced-accuracy")
    assert result.returncode == 0, result.stderr
    assert "Choose the class with the largest product of probability and weight" in result.stdout
    assert "balanced_accuracy" in result.stdout and "report.html" in result.stdout
    evaluated = medtail("evaluate", run, "--operating-point", "--json")
    summary = json.loads(evaluated.stdout)
    own = json.loads((run / "summary.json").read_text())
    assert summary["before"] == own
    point = json.loads((run / "operating_point.json").read_text())
    weights = [point["decision"]["weights"][str(digit)] for digit in range(10)]
    table = pd.read_parquet(run / "predictions" / "test.parquet")
    probabilities = table[[f"probability_{digit}" for digit in range(10)]].to_numpy()
    decisions = (probabilities * weights).argmax(axis=1)
    assert summary["accuracy"] == pytest.approx((decisions == table["target"]).mean())
    assert summary["auc"] == own["auc"]
    assert (
        point["validation"]["after"]["balanced_accuracy"]
        >= point["validation"]["before"]["balanced_accuracy"]
    )
    assert 'id="operating-point"' in (run / "report.html").read_text()


def test_people_see_before_and_after(run_main: Run, adapted_to, run: Path) -> None:
    adapted_to(run, "--balanced-accuracy")
    code, output, _ = run_main("evaluate", run, "--operating-point")
    assert code == 0 and "before" in output


def test_predictions_at_the_point_are_saved_with_their_decisions(
    run_main: Run, adapted_to, run: Path, tmp_path: Path
) -> None:
    adapted_to(run, "--recall", "9=0.9")
    out = tmp_path / "out.parquet"
    assert run_main("evaluate", run, "--operating-point", "--json", "--out", out)[0] == 0
    saved = pd.read_parquet(out)
    assert (
        (saved["decision"] == 9) == (saved["probability_9"] >= _point(run)["decision"]["threshold"])
    ).all()
    pd.testing.assert_frame_equal(
        saved, pd.read_parquet(run / "predictions" / "test_at_operating_point.parquet")
    )


def test_a_recall_is_printed_with_the_thresholds_around_it(run_main: Run, run: Path) -> None:
    code, output, _ = run_main("adapt", run, "--recall", "9=0.9")
    assert code == 0
    rows = _point(run)["validation"]["thresholds"]
    assert [row["threshold"] for row in rows if row["chosen"]] == [_point(run)["decision"]["threshold"]]
    table = output[output.index("neighbouring thresholds on validation") :]
    for row in rows:
        assert f"{row['threshold']:.4g}" in table and f"{row['false_positive_rate']:.4f}" in table


def _point(run: Path) -> dict:
    return json.loads((run / "operating_point.json").read_text())


def test_new_images_get_sets_and_decisions(
    run_main: Run, adapted_to, run: Path, digit_images: Path, tmp_path: Path
) -> None:
    adapted_to(run, "--calibrate", "vector", "--coverage", "0.9", "--prior", ",".join(["0.1"] * 10))
    out = tmp_path / "out.csv"
    assert run_main("predict", run, digit_images / "0", "--operating-point", "--out", out)[0] == 0
    table = pd.read_csv(out, dtype={"decision": str, "set": str}, keep_default_na=False)
    assert list(table.columns[:3]) == ["image", "decision", "set"]
    probabilities = table[[f"probability_{digit}" for digit in range(10)]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    thresholds = np.array([_point(run)["sets"]["thresholds"][str(digit)] for digit in range(10)])
    for names, row in zip(table["set"], probabilities, strict=True):
        inside = {name for name in names.split("|") if name}
        assert {str(digit) for digit in np.flatnonzero(row >= thresholds + 1e-5)} <= inside
        assert inside <= {str(digit) for digit in np.flatnonzero(row >= thresholds - 1e-5)}
    # Without the flag nothing changes.
    assert run_main("predict", run, digit_images / "0", "--out", out, "--overwrite")[0] == 0
    assert "set" not in pd.read_csv(out)


def test_other_data_is_judged_at_the_point(run_main: Run, adapted_to, run: Path, digit_images: Path) -> None:
    adapted_to(run, "--recall", "9=0.9")
    code, output, errors = run_main("evaluate", run, "--data", digit_images, "--operating-point", "--json")
    assert code == 0, errors
    summary = json.loads(output)
    assert summary["n"] == summary["before"]["n"] == 20
    assert summary["auc"] == summary["before"]["auc"]


def test_costs_by_name_lower_the_cost(adapted_to, run: Path, tmp_path: Path) -> None:
    names = [str(digit) for digit in range(10)]
    costs = pd.DataFrame(1 - np.eye(10), index=names, columns=names)
    costs.loc["8"] *= 25
    costs[names[::-1]].to_csv(tmp_path / "costs.csv")
    point = adapted_to(run, "--costs", tmp_path / "costs.csv")
    assert point["decision"]["costs"]["8"]["1"] == 25
    assert point["validation"]["after"]["expected_cost"] < point["validation"]["before"]["expected_cost"]
    assert "Cost of a decision" in (run / "report.html").read_text()


def validation_shares(run: Path) -> dict[str, float]:
    counts = json.loads((run / "dataset.json").read_text())
    total = sum(counts["class_counts"]["validation"])
    return {
        name: count / total
        for name, count in zip(counts["class_names"], counts["class_counts"]["validation"], strict=True)
    }


@pytest.mark.parametrize("metric", ["auc", "brier", "max_f1", "precision_at_recall_0.99"])
def test_a_metric_chooses_the_condition_that_its_table_says(
    run_main: Run, adapted_to, lct_run: Path, metric: str
) -> None:
    point = adapted_to(lct_run, "--metric", metric)
    table = pd.read_csv(lct_run / "conditions.csv")
    validation = table[table["split"] == "validation"]
    best = validation[metric].min() if metric == "brier" else validation[metric].max()
    here = (table["gamma"] == point["condition"]["gamma"]) & (table["tau"] == point["condition"]["tau"])
    assert table[here & (table["split"] == "validation")][metric].item() == best
    # The test split at that λ, from the kept features: the figures that the table has of it.
    code, output, errors = run_main("evaluate", lct_run, "--operating-point", "--json")
    assert code == 0, errors
    binary = json.loads(output)["binary"]
    row = table[here & (table["split"] == "test")]
    for name in ("auc", "average_precision", "max_f1"):
        assert binary[name] == pytest.approx(row[name].item(), abs=5e-3)
    # Scores of a λ stand for a mix of their own; those that only rank are moved to validation's.
    shares = validation_shares(lct_run)
    moved = {} if metric == "brier" else shares
    assert {
        name: share for step in point["steps"] for name, share in step["target"].items()
    } == pytest.approx(moved)
    if metric == "max_f1":
        decided = pd.read_parquet(lct_run / "predictions" / "test_at_operating_point.parquet")
        assert point["decision"]["name"] == "class_threshold" and point["decision"]["class"] == "1"
        assert (
            (decided["decision"] == 1) == (decided["probability_1"] >= point["decision"]["threshold"])
        ).all()


def test_what_each_metric_would_choose_is_told(run_main: Run, lct_run: Path) -> None:
    _, output, _ = run_main("adapt", lct_run, "--metric", "auc")
    for name in ("auc *", "average_precision", "brier", "max_f1", "max_balanced_accuracy"):
        assert name in output


def test_new_images_and_other_data_are_read_at_the_condition(
    run_main: Run, adapted_to, lct_run: Path, digit_images: Path, tmp_path: Path
) -> None:
    point = adapted_to(lct_run, "--metric", "max_balanced_accuracy", "--prior", "not_1=0.9,1=0.1")
    assert point["condition"] is not None
    expected = pd.read_parquet(lct_run / "predictions" / "test_at_operating_point.parquet").set_index("id")
    out = tmp_path / "out.csv"
    assert run_main("predict", lct_run, digit_images / "1", "--operating-point", "--out", out)[0] == 0
    predicted = pd.read_csv(out)
    ids = [Path(name).stem for name in predicted["image"]]
    np.testing.assert_allclose(predicted["probability_1"], expected.loc[ids, "probability_1"], atol=2e-2)
    arguments = ("--data", digit_images, "--operating-point", "--json", "--out", tmp_path / "other.parquet")
    code, _, errors = run_main("evaluate", lct_run, *arguments)
    assert code == 0, errors
    other = pd.read_parquet(tmp_path / "other.parquet")
    ids = [Path(name).stem for name in other["id"]]
    np.testing.assert_allclose(other["probability_1"], expected.loc[ids, "probability_1"], atol=2e-2)


UNIFORM = ",".join(["0.1"] * 10)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "adapt needs to know what for: give --prior, --metric, --recall, --costs, --balanced-accuracy"),
        (("--recall", "9=0.9", "--balanced-accuracy"), "adapt takes one of --metric, --recall, --costs"),
        (("--prior", "0.5,0.5"), "--prior must be one number for each of 10 classes"),
        (("--prior", ",".join(["0.2"] * 10)), "--prior must sum to 1, sums to 2; divided by its sum it is 0.1,0.1"),
        (("--prior", ",".join(["0.2"] * 5 + ["0"] * 5)), "--prior must be positive for every class, got 0"),
        (("--prior", ",".join(["a"] * 10)), "--prior must be numbers, got 'a'"),
        (("--recall", "9"), "--recall takes CLASS=RECALL, got '9'"),
        (("--recall", "zebra=0.9"), "--recall must name classes of the run"),
        (("--recall", "9=1.0"), "--recall must lie between 0 and 1, got 1 for 9"),
        (("--recall", "9=0.99"), "--recall 9=0.99 needs 99 validation cases of 9, there are 20; ask for at most 0.952"),
        (("--recall", "9=0.95", "--confidence", "0.95"), "needs 59 validation cases of 9, there are 20"),
        (("--recall", "9=0.8", "--confidence", "2"), "confidence must lie between 0 and 1, got 2"),
        (("--balanced-accuracy", "--confidence", "0.9"), "--confidence goes with --recall, which is missing"),
        (("--costs", "nothing.csv"), "--costs file nothing.csv does not exist"),
        (("--metric", "auc"), "--metric chooses λ, and"),
        (("--metric", "acu"), "got 'acu'; did you mean auc?"),
        (("--calibrate", "isotonic"), "--calibrate must be one of temperature, vector, none, got 'isotonic'"),
        (("--coverage", "1.0"), "--coverage must lie between 0 and 1, got 1"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_changes_nothing(
    run_main: Run, run: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    code, output, errors = run_main("adapt", run, *arguments)
    assert code == 2, output + errors
    (line,) = errors.splitlines()
    assert line.startswith("error: ") and sentence in line and output == ""
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_costs_of_the_wrong_shape_are_refused(run_main: Run, run: Path, tmp_path: Path) -> None:
    (tmp_path / "costs.csv").write_text("0,1\n1,0\n")
    code, _, errors = run_main("adapt", run, "--costs", tmp_path / "costs.csv")
    assert code == 2 and "--costs must be 10 × 10 numbers" in errors and "has 2 rows of 2 cells" in errors


def test_a_run_without_an_operating_point_says_so(
    run_main: Run, digits_run: Path, digit_images: Path
) -> None:
    for arguments in (("evaluate", digits_run), ("predict", digits_run, digit_images)):
        code, _, errors = run_main(*arguments, "--operating-point")
        assert code == 2
        assert "operating_point.json does not exist; choose an operating point with medtail adapt" in errors


def test_a_folder_that_is_no_run_is_refused(run_main: Run, tmp_path: Path) -> None:
    code, _, errors = run_main("adapt", tmp_path, "--balanced-accuracy")
    assert code == 2 and "is not a finished run" in errors
