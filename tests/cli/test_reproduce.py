"""``medtail reproduce``: the list, refusals, a figure without training, and a table on the digits."""

import csv
import json
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory):
    """Three rows of DAL's Table 1 on the digits, with one epoch and seed."""
    from medtail.experiments.reproductions import reproduce as module
    from medtail.experiments.reproductions.definition import Budget, read_definition
    from medtail.experiments.reproductions.writing import write_reproduction

    folder = tmp_path_factory.mktemp("reproduction")
    budget = Budget(
        says="One epoch.", set={"training.epochs": 1}, parts=["ISIC 2018"], rows=["CE", "PF", "DAL"], seeds=2
    )
    definition = read_definition("dal-table1")
    small = definition.model_copy(update={"budgets": {"quick": budget}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read_definition", lambda name: small)
        done = module.reproduce("dal-table1", data={"isic2018": "digits-lt"}, out=folder)
    write_reproduction(done, folder)
    return folder


def test_all_names_are_listed(medtail) -> None:
    result = medtail("reproduce")
    assert result.returncode == 0, result.stderr
    assert "dal-table1 " in result.stdout and "dbm-figure4 " in result.stdout


def test_bad_names_are_refused(refuses, tmp_path: Path) -> None:
    assert "did you mean lct-table" in refuses("reproduce", "lct-tabel4")
    assert "--data" in refuses("reproduce", "dal-table1", "--out", tmp_path)
    message = refuses("reproduce", "dal-table1", "--data", "isic18=x", "--out", tmp_path)
    assert "did you mean isic2018" in message
    assert "NAME=PATH" in refuses("reproduce", "dal-table1", "--data", "digits-lt", "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_figure_of_equations_needs_no_data(medtail, refuses, tmp_path: Path) -> None:
    result = medtail("reproduce", "lct-figure3", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "L(1, 3, 2), which the paper lists, is no density" in result.stdout
    assert (tmp_path / "reproduction.html").read_text().count("<svg") == 1
    message = refuses("reproduce", "dbm-figure2", "--out", tmp_path)
    assert "holds another reproduction" in message


def test_our_numbers_stand_beside_the_printed_ones(tiny: Path) -> None:
    with (tiny / "reproduction.csv").open() as file:
        rows = {(row["part"], row["row"], row["column"]): row for row in csv.DictReader(file)}
    dal = rows["ISIC 2018", "DAL", "BAcc"]
    assert dal["printed"] == "0.7348" and dal["seeds"] == "2"
    runs = [json.loads(path.read_text()) for path in sorted(tiny.glob("runs/*/DAL-*/summary.json"))]
    assert len(runs) == 2
    assert float(dal["ours"]) == pytest.approx(sum(run["balanced_accuracy"] for run in runs) / 2)


def test_what_was_not_run_says_why(tiny: Path) -> None:
    table = (tiny / "reproduction.md").read_text()
    assert "- PF: not run, formula not public." in table
    assert "| PF | not run (0.7357) |" in table
    assert "- Focal; LDAM; CB; CCE; AWB: not run, left out of this budget." in table
    assert "- APTOS: not run, left out of the quick budget." in table
    kept = json.loads((tiny / "reproduction.json").read_text())
    assert kept["budget"] == "quick" and kept["hardware"] and kept["training_seconds"] > 0


def test_all_forms_carry_the_same_numbers(tiny: Path) -> None:
    kept = json.loads((tiny / "reproduction.json").read_text())
    cells = kept["parts"][0]["cells"]
    ours = next(cell["ours"] for cell in cells if (cell["row"], cell["column"]) == ("CE", "Acc"))
    for suffix in ("md", "tex", "html"):
        assert f"{ours:.4f}" in (tiny / f"reproduction.{suffix}").read_text()


def test_a_method_whose_formula_is_not_public_says_so(refuses, tmp_path: Path) -> None:
    message = refuses("train", "digits-lt", "--method", "pf", "--out", tmp_path / "run")
    assert "formula not public" in message
