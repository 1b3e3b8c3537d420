"""The table in the documentation is the one the code gives, without a hole."""

from pathlib import Path

import pytest

from medtail.losses import COMPOSITIONS
from references.numerics import EDGE_CASES, PRECISIONS, EdgeCase, main, measure, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "numerics.md"


def test_document_is_up_to_date_and_without_a_hole():
    text = table()
    assert DOCUMENT.read_text(encoding="utf-8") == text, (
        "run python tests/references/numerics.py --write docs/numerics.md"
    )
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(COMPOSITIONS) * len(PRECISIONS)
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")][2:]
        assert len(cells) == len(EDGE_CASES)
        assert all(cell == "✓" or cell.startswith("refused (") for cell in cells), row


def test_a_value_that_is_not_finite_would_show():
    infinite = EdgeCase(
        "not a number",
        (0, 1),
        lambda targets, num_classes: EDGE_CASES["right"].outputs(targets, num_classes) * float("nan"),
    )
    assert measure("ce", PRECISIONS["float32"], infinite) == "value nan"


def test_command_writes_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["numerics", "--write", str(tmp_path / "numerics.md")])
    main()
    assert (tmp_path / "numerics.md").read_text(encoding="utf-8").startswith("# Numerics")


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_every_loss_and_variant_is_in_the_table(key):
    assert f"| `{key}` | float16 |" in DOCUMENT.read_text(encoding="utf-8")
