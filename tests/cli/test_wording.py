"""What the library says of its arguments is said of options on the command line."""

import logging
import warnings
from pathlib import Path

import pytest

from medtail import cli


def test_a_refusal_of_the_library_names_options(refuses, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    message = refuses("train", "digits-lt", "--method", "ce", "--out", tmp_path)
    assert message.startswith("error: --out must be a new or empty folder")
    assert message.endswith("with --resume") and "`" not in message


def test_a_call_is_named_as_a_command(refuses, digits_run: Path) -> None:
    message = refuses("evaluate", digits_run, "--operating-point")
    assert message.endswith("does not exist; choose an operating point with medtail adapt")


def test_an_argument_is_the_option_of_the_command_that_runs(refuses, digits_run: Path) -> None:
    message = refuses("adapt", digits_run, "--calibrate", "isotonic")
    assert message.startswith("error: --calibrate must be one of temperature, vector, none, got 'isotonic'")


def test_reports_are_shown_once_in_the_same_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("medtail.anything")
    monkeypatch.setattr(
        cli, "app", lambda: logger.info("The folder holds a run; continue it with `resume=True`.")
    )
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(cli, "_options_by_parameter", lambda: {"resume": "--resume"})
    for _ in range(2):
        cli.main()
        assert capsys.readouterr().err == "The folder holds a run; continue it with --resume.\n"
