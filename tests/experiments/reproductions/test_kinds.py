"""Every kind of reproduction that trains, to its end on the digits: one epoch, one seed, few rows."""

from pathlib import Path
from typing import Any

import pytest

from medtail.experiments.reproductions import reproduce as module
from medtail.experiments.reproductions.definition import Budget, read_definition
from medtail.experiments.reproductions.reproduce import Reproduction
from medtail.experiments.reproductions.writing import to_page

#: By name: the rows that are trained, and what their data stand in for.
TRAINED = {
    "metric-losses-table1": (["CE, uniform", "CE + MCC, weights", "CE, oversampling"], "pneumonia"),
    "dal-table3": (["ArcFace, s = 4, m = 0", "ArcFace, s = 4, m = 0, DWCE", "DAL"], "isic2018"),
    "dal-figure1": (None, "isic2018"),
    "dal-figure4": (["CE", "DAL"], "isic2018"),
    "dbm-figure3": (["BS", "DBM-BS, K = 0.1, τ = 1", "DBM-BS, K = 0.3, τ = 1"], "cifar100_lt"),
    "dbm-figure4": (None, "cifar100_lt"),
    "dbm-table6": (None, "cifar100_lt"),
    "dbm-table2": (["GML", "DBM-GML"], "cifar100_lt"),
    "alpa-table3": (["ALPA"], "aptos"),
    "metric-losses-figure2": (["CE, uniform"], "pneumonia"),
    "metric-losses-figure4": (None, "pneumonia"),
}

#: Of grids, one training each, of one digit against the rest.
OF_GRIDS = {
    "lct-table4": ["VS", "VS + LCT"],
    "lct-figure1": ["VS", "VS + LCT"],
    "lct-figure2": None,
    "lct-figure5": None,
}


def reproduced(
    name: str, folder: Path, given: str, rows: list[str] | None, settings: dict[str, Any], runs: Path
) -> Reproduction:
    """A reproduction at a budget of one epoch."""
    folds = 2 if name.startswith("alpa") else None
    budget = Budget(says="One epoch.", set=settings, rows=rows, grid_points=(1,), folds=folds)
    definition = read_definition(name)
    parts = {
        title: part.model_copy(update={"stand_in_set": {}, "set": {}})
        for title, part in definition.parts.items()
    }
    small = definition.model_copy(update={"budgets": {"quick": budget}, "parts": parts})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read_definition", lambda _: small)
        return module.reproduce(name, data={given: "digits-lt"}, out=folder, runs=runs)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_kinds_of_methods(name: str, tmp_path: Path) -> None:
    rows, given = TRAINED[name]
    done = reproduced(name, tmp_path, given, rows, {"training.epochs": 1}, tmp_path / "runs")
    findings = next(part.findings for part in done.parts if not part.not_run)
    assert findings.cells or findings.figures
    judged = 2 if name.startswith("alpa") else 1
    assert all(len(cell.values) == judged for cell in findings.cells.values())
    assert "figure" not in name or findings.figures
    assert "<h1>" in to_page(done)


@pytest.mark.slow
def test_kinds_of_grids(tmp_path: Path) -> None:
    settings = {"training.epochs": 1, "data.positive": "9"}
    for name, rows in OF_GRIDS.items():
        given = "auto_truck" if name == "lct-table4" else "melanoma"
        done = reproduced(name, tmp_path / name, given, rows, settings, tmp_path / "runs")
        findings = next(part.findings for part in done.parts if not part.not_run)
        assert "figure" not in name or findings.figures, name
        if name in ("lct-table4", "lct-figure5"):
            assert 0 <= findings.cells["VS + LCT", "AUC"].mean <= 1
        assert "<h1>" in to_page(done)
