"""The pages on data say what the code does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("page", ["data.md", "samplers.md", "long_tails.md", "cross_validation.md"])
def test_the_examples_run(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})


@pytest.mark.slow
def test_the_numbers_of_the_pitfalls_are_those_of_the_script() -> None:
    output = subprocess.run(
        [sys.executable, DOCS / "pitfalls.py"], capture_output=True, text=True, check=True
    ).stdout
    numbers = re.findall(r"\d\.\d{3}", output)
    assert len(numbers) == 14 * 3 + 4 + 2
    page = (DOCS / "pitfalls.md").read_text(encoding="utf-8")
    assert [number for number in numbers if number not in page] == []
