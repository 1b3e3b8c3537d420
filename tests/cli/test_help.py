"""Help is there for every verb, and before anything heavy is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from medtail.cli import app

VERBS = list(typer.main.get_group(app).commands)


def test_every_verb_of_the_contract_is_there() -> None:
    assert {"inspect", "train", "evaluate", "compare", "adapt", "predict", "list", "tune"} <= set(VERBS)


def test_help_names_every_verb(fresh_medtail) -> None:
    result = fresh_medtail("--help")
    assert result.returncode == 0
    assert all(verb in result.stdout for verb in VERBS)


def test_h_is_help(medtail) -> None:
    assert medtail("train", "-h").stdout == medtail("train", "--help").stdout


def test_shells_complete_verbs() -> None:
    environment = {
        **os.environ,
        "_MEDTAIL_COMPLETE": "complete_bash",
        "COMP_WORDS": "medtail tr",
        "COMP_CWORD": "1",
    }
    result = subprocess.run(
        [Path(sys.executable).with_name("medtail")],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert result.stdout.split() == ["train"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(fresh_medtail, verb: str) -> None:
    result = fresh_medtail(verb, "--help")
    assert result.returncode == 0
    assert "Usage: medtail" in result.stdout


def test_help_imports_nothing_heavy() -> None:
    heavy = {"torch", "lightning", "pandas", "numpy", "sklearn", "matplotlib", "yaml", "rich.markdown"}
    code = (
        "import sys, medtail.cli\n"
        "try: medtail.cli.app(['train', '--help'])\n"
        "except SystemExit: pass\n"
        f"print('HEAVY', sorted({heavy} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "HEAVY []"


def test_version(fresh_medtail) -> None:
    from medtail import __version__

    assert fresh_medtail("--version").stdout.strip() == f"medtail {__version__}"


def test_without_arguments_the_help_is_shown(fresh_medtail) -> None:
    result = fresh_medtail()
    assert "Usage: medtail" in result.stdout + result.stderr
