"""``medtail train`` from start to end, stopped and resumed, and with wrong input."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from cli.conftest import PROGRAM

EXPECTED_FILES = {
    "recipe.yaml",
    "dataset.json",
    "splits.csv",
    "environment.json",
    "metrics.csv",
    "checkpoints/best.ckpt",
    "checkpoints/last.ckpt",
    "predictions/validation.parquet",
    "predictions/test.parquet",
    "summary.json",
    "report.html",
    "augmented.png",
    "angles.csv",  # where the head emits cosines
    "features/test.npz",
    "features/typicality.npz",
    "model_card.md",
    "README.md",
    *(
        f"tables/{table}.{form}"
        for table in ("metrics", "classes", "confusion", "reporting_items")
        for form in ("csv", "tex")
    ),
}

SUMMARY_KEYS = {
    "split", "n", "classes", "accuracy", "balanced_accuracy", "macro_f1", "geometric_mean", "mcc",
    "iba_0.1", "iba_0.5", "iba_1.0", "cov", "auc", "average_precision", "brier", "ece",
}  # fmt: skip


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def summary_of(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def test_a_run_holds_exactly_the_promised_files(digits_run: Path) -> None:
    assert files_of(digits_run) == EXPECTED_FILES


def test_the_summary_has_the_promised_keys_and_learned_something(digits_run: Path) -> None:
    summary = summary_of(digits_run)
    assert set(summary) >= SUMMARY_KEYS
    assert summary["split"] == "test"
    assert summary["balanced_accuracy"] > 0.3  # ten classes: chance is 0.1
    names = [str(digit) for digit in range(10)]
    assert [entry["name"] for entry in summary["classes"]] == list(summary["score_prior"]) == names
    assert sum(summary["score_prior"].values()) == pytest.approx(1)


def test_metrics_have_a_row_an_epoch_with_the_recall_of_each_class(digits_run: Path) -> None:
    table = pd.read_csv(digits_run / "metrics.csv")
    assert table["epoch"].tolist() == [1, 2, 3]
    assert {f"validation_recall_{digit}" for digit in range(10)} <= set(table.columns)


def test_the_predictions_come_from_the_epoch_that_validation_chose(digits_run: Path) -> None:
    table = pd.read_csv(digits_run / "metrics.csv")
    predictions = pd.read_parquet(digits_run / "predictions" / "validation.parquet")
    probabilities = predictions[[f"probability_{digit}" for digit in range(10)]].to_numpy()
    correct = probabilities.argmax(axis=1) == predictions["target"]
    balanced_accuracy = correct.groupby(predictions["target"]).mean().mean()
    assert balanced_accuracy == pytest.approx(table["validation_balanced_accuracy"].max(), abs=1e-5)


def test_splits_do_not_overlap_and_predictions_cover_theirs(digits_run: Path) -> None:
    splits = pd.read_csv(digits_run / "splits.csv", dtype=str)
    assert splits["id"].is_unique
    for split in ("validation", "test"):
        predictions = pd.read_parquet(digits_run / "predictions" / f"{split}.parquet")
        assert set(predictions["id"]) == set(splits.loc[splits["split"] == split, "id"])


def test_the_report_needs_no_network(digits_run: Path) -> None:
    page = (digits_run / "report.html").read_text()
    assert "<html" in page
    for reference in ('src="http', 'href="http', "url(http", "@import"):
        assert reference not in page


def test_the_saved_recipe_and_the_same_seed_give_the_same_summary(
    medtail, digits_run: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    result = medtail("train", "digits-lt", "--recipe", digits_run / "recipe.yaml", "--out", again)
    assert result.returncode == 0, result.stderr
    assert (again / "summary.json").read_bytes() == (digits_run / "summary.json").read_bytes()
    assert (again / "metrics.csv").read_bytes() == (digits_run / "metrics.csv").read_bytes()


def test_another_seed_gives_another_model(medtail, digits_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    arguments = ("--recipe", digits_run / "recipe.yaml", "--seed", 1, "--out", other)
    assert medtail("train", "digits-lt", *arguments).returncode == 0
    assert summary_of(other)["brier"] != summary_of(digits_run)["brier"]


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGTERM), (signal.SIGKILL,)])
def test_stopped_and_resumed_ends_as_if_never_stopped(
    medtail, digits_run: Path, tmp_path: Path, signals
) -> None:
    folder = tmp_path / "stopped"
    command = ["train", "digits-lt", "--method", "dbm_bs", "--epochs", "3", "--out", str(folder)]
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
    for stopped_before, stop_signal in enumerate(signals):
        resume = ["--resume"] if stopped_before else []
        code, output = stopped([*command, *resume], folder / "metrics.csv", stop_signal)
        assert not (folder / "summary.json").exists(), output
        assert code == codes[stop_signal], output
        assert "Traceback" not in output

    result = medtail(*command, "--resume")
    assert result.returncode == 0, result.stderr
    assert (folder / "summary.json").read_bytes() == (digits_run / "summary.json").read_bytes()
    assert (folder / "metrics.csv").read_bytes() == (digits_run / "metrics.csv").read_bytes()


def stopped(command: list[str], epochs: Path, stop_signal: signal.Signals) -> tuple[int, str]:
    """Start the program anew and stop it after its first epoch; return exit code and output."""
    process = subprocess.Popen(
        [PROGRAM, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and what they start inherits that; a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    before = lines(epochs)
    deadline = time.monotonic() + 120
    while lines(epochs) <= before and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, stop_signal)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def lines(table: Path) -> int:
    """At least the heading, which is written with the first epoch."""
    return max(1, len(table.read_text().splitlines())) if table.is_file() else 1


def test_resuming_a_finished_run_changes_nothing(medtail, digits_run: Path) -> None:
    before = (digits_run / "summary.json").read_bytes()
    arguments = ("--method", "dbm_bs", "--epochs", 3, "--out", digits_run, "--resume")
    assert medtail("train", "digits-lt", *arguments).returncode == 0
    assert (digits_run / "summary.json").read_bytes() == before


def test_an_existing_run_is_not_overwritten(refuses, digits_run: Path) -> None:
    before = files_of(digits_run)
    message = refuses("train", "digits-lt", "--method", "ce", "--out", digits_run)
    assert "--out must be a new or empty folder" in message
    assert files_of(digits_run) == before


def test_resuming_with_other_settings_is_refused(refuses, digits_run: Path) -> None:
    message = refuses("train", "digits-lt", "--method", "ce", "--epochs", 3, "--out", digits_run, "--resume")
    assert "loss.name=ce (saved: dbm_bs)" in message


def test_resuming_nothing_is_refused(refuses, tmp_path: Path) -> None:
    message = refuses("train", "digits-lt", "--method", "ce", "--out", tmp_path / "nothing", "--resume")
    assert "does not exist; start without --resume" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--method", "dall"), "did you mean dal?"),
        (("--method", "dal", "--backbone", "resnet9000"), "backbone must be one of resnet8"),
        (("--method", "dal", "--set", "loss.scal=3"), "scal"),
        (("--method", "dal", "--set", "loss.scale=-3"), "scale"),
        (("--method", "dal", "--set", "head.name=linear"), "expects cosines, LinearHead emits logits"),
        (("--method", "ce", "--epochs", "0"), "training.epochs"),
        (("--method", "ce", "--recipe", "digits"), "dataset recipe must be one of"),
        (("--method", "ce", "--pretrained"), "resnet8 has no published weights"),
        (("--method", "ce", "--set", "backbone.weights=none.pth"), "must be none, published or a file"),
        (
            ("--method", "ce", "--backbone", "vit_tiny_patch16_224", "--image-size", "20"),
            "must be a multiple of 16",
        ),
        (("--method", "gml"), "give its folder with --teacher"),
        (("--method", "gml", "--teacher", "nowhere"), "--teacher must be the folder of a finished run"),
    ],
)
def test_wrong_settings_are_one_sentence_and_leave_no_run(
    refuses, tmp_path: Path, arguments, message: str
) -> None:
    folder = tmp_path / "run"
    assert message in refuses("train", "digits-lt", "--out", folder, *arguments)
    assert not folder.exists()


def test_a_second_stage_needs_a_method(refuses, digits_run: Path, tmp_path: Path) -> None:
    message = refuses("train", "digits-lt", "--from-run", digits_run, "--out", tmp_path / "run")
    assert "--method is required with backbone.from_run" in message
    assert not (tmp_path / "run").exists()


def test_without_a_method_the_data_decide_and_the_reasons_are_told(medtail, tmp_path: Path) -> None:
    result = medtail("train", "digits-lt", "--out", tmp_path / "run", "--epochs", 1)
    told = result.stderr
    assert "no --method is given, so it is balanced_softmax" in told
    assert "because 0 has 50 times the images of 9" in told
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert recipe["recipe"]["method"] == "balanced_softmax"


def test_wrong_data_is_one_sentence(refuses, tmp_path: Path) -> None:
    assert "nowhere" in refuses("train", tmp_path / "nowhere", "--method", "ce", "--out", tmp_path / "run")


def test_the_environment_is_recorded(digits_run: Path) -> None:
    environment = json.loads((digits_run / "environment.json").read_text())
    assert {"medtail", "python", "torch", "lightning", "hardware", "seconds"} <= set(environment)


def test_the_recipe_records_the_precision_that_was_used(digits_run: Path) -> None:
    recipe = yaml.safe_load((digits_run / "recipe.yaml").read_text())
    assert recipe["training"]["precision"] in {"32-true", "bf16-mixed", "16-mixed"}


def test_two_processes_train_one_model(medtail, tmp_path: Path) -> None:
    folder = tmp_path / "two"
    arguments = ("--method", "dal", "--epochs", 2, "--set", "training.devices=2", "--out", folder)
    result = medtail("train", "digits-lt", *arguments)
    assert result.returncode == 0, result.stderr
    assert files_of(folder) == EXPECTED_FILES
    assert pd.read_csv(folder / "metrics.csv")["epoch"].tolist() == [1, 2]
