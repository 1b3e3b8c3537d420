"""The printed numbers: found in the papers, and what is known to be wrong with them is still wrong."""

import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from medtail.errors import InputError
from medtail.experiments.reproductions.definition import read_definition, reproduction_names
from medtail.experiments.reproductions.printed import all_printed, printed_values
from medtail.methods import LinearDensity

FILES = {"dal": "000", "lct": "001", "alpa": "002", "metric-losses": "003", "dbm": "004"}


@pytest.fixture(scope="module")
def papers() -> Path:
    shared = Path(os.environ.get("MEDTAIL_SHARED", Path(__file__).resolve().parents[4] / "shared"))
    if not (shared / "papers").is_dir():
        pytest.skip("shared/papers is absent: set MEDTAIL_SHARED to the folder that holds it")
    return shared / "papers"


def test_every_number_is_in_the_text_of_its_paper(papers: Path) -> None:
    texts = {
        paper: next(papers.glob(f"{number}_*.txt")).read_text(encoding="utf-8")
        for paper, number in FILES.items()
    }
    # p-values are set as formulas, and some digits were torn apart: their notes say so.
    known = [each for each in all_printed() if not each.note and "e" not in each.text]
    missing = [
        each
        for each in known
        if each.text not in texts[each.paper] and each.text.removeprefix("0") not in texts[each.paper]
    ]
    assert len(known) > 1600
    assert missing == []


def test_no_number_is_printed_twice() -> None:
    places = [(each.paper, each.item, each.part, each.row, each.column) for each in all_printed()]
    assert len(set(places)) == len(places)


def test_every_printed_table_has_a_definition_with_its_parts() -> None:
    items = defaultdict(set)
    for each in all_printed():
        items[f"{each.paper}-{each.item}"].add(each.part)
    assert set(items) <= set(reproduction_names())
    for name, parts in items.items():
        assert parts <= set(read_definition(name).parts), name


def test_cov_of_dal_differs_between_its_tables_and_nothing_else_does() -> None:
    first = {
        column: value.text
        for (part, row, column), value in printed_values("dal", "table1").items()
        if (part, row) == ("ISIC 2018", "DAL")
    }
    third = {
        column: value.text
        for (_, row, column), value in printed_values("dal", "table3").items()
        if row == "DAL"
    }
    assert {column for column in first if first[column] != third[column]} == {"CoV"}
    assert (first["CoV"], third["CoV"]) == ("0.0972", "0.0930")


def recalls(item: str, part: str, row: str) -> list[float]:
    return [value.value for (p, r, _), value in printed_values("dal", item).items() if (p, r) == (part, row)]


def test_some_printed_balanced_accuracies_are_not_the_mean_of_the_printed_recalls() -> None:
    table = printed_values("dal", "table1")
    same = table["ISIC 2018", "CE", "BAcc"].value
    assert np.mean(recalls("table2", "ISIC 2018", "CE")) == pytest.approx(same, abs=1e-4)
    other = table["ISIC 2018", "DAL", "BAcc"].value
    assert np.mean(recalls("table2", "ISIC 2018", "DAL")) == pytest.approx(other - 0.0034, abs=1e-4)
    aptos = table["APTOS", "DAL", "BAcc"].value
    assert np.mean(recalls("table2", "APTOS", "DAL")) == pytest.approx(aptos + 0.0028, abs=1e-4)


def test_printed_cov_is_the_population_deviation() -> None:
    own = np.array(recalls("table2", "APTOS", "CE"))
    printed = printed_values("dal", "table1")["APTOS", "CE", "CoV"].value
    assert abs(own.std() / own.mean() - printed) < abs(own.std(ddof=1) / own.mean() - printed)


def test_a_density_of_lct_is_none() -> None:
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        LinearDensity(1, 3, 2)
