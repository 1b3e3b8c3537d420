"""Inputs from public reports, kept with the shared data: each is a script that prints what it expects."""

import os
import runpy
from pathlib import Path

import pytest

CASES = Path(os.environ.get("MEDTAIL_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "cases"


def cases() -> list[str]:
    return sorted(path.parent.name for path in CASES.glob("[0-9]*/test.py")) or ["absent"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", cases())
def test_a_reported_input_is_read_or_named(case: str, monkeypatch, capsys) -> None:
    if case == "absent":
        pytest.skip("shared/cases is absent: set MEDTAIL_SHARED to the folder that holds it")
    # What the scripts set for themselves is undone after each.
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.syspath_prepend(CASES / "_lib")
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(CASES / case / "test.py"))
    assert not end.value.code, capsys.readouterr().out
