"""Inputs from public reports, kept with the shared data: each is a script that prints what it expects."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from medtail import __file__ as package

CASES = Path(os.environ.get("MEDTAIL_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "cases"


@pytest.mark.parametrize(
    "case", sorted(path.parent.name for path in CASES.glob("[0-9]*/test.py")) or ["absent"]
)
def test_a_reported_input_is_read_or_named(case: str) -> None:
    if case == "absent":
        pytest.skip("shared/cases is absent: set MEDTAIL_SHARED to the folder that holds it")
    environment = {**os.environ, "PYTHONPATH": str(Path(package).parents[1])}
    result = subprocess.run(
        [sys.executable, CASES / case / "test.py"], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stdout + result.stderr
