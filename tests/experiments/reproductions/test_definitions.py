"""Every definition is whole: its recipes compose, and its rows and columns are those of the paper."""

import pytest

from medtail.errors import InputError
from medtail.experiments.reproductions.data_sets import known_data_sets
from medtail.experiments.reproductions.definition import (
    BudgetName,
    Definition,
    Row,
    read_definition,
    reproduction_names,
)
from medtail.experiments.reproductions.printed import printed_values
from medtail.experiments.reproductions.reproduce import plan
from medtail.experiments.variants import nested
from medtail.recipes.compose import compose
from medtail.recipes.grid_files import read_grid

NAMES = reproduction_names()


def method_and_settings(row: Row) -> tuple[str, dict]:
    if row.grid is None:
        return row.variant.method, dict(row.variant.settings)
    grid = read_grid(row.grid)
    return grid.method, grid.points[1].settings


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_composes_at_both_budgets(name: str) -> None:
    definition = read_definition(name)
    for budget, spent in definition.budgets.items():
        for row in definition.rows:
            if row.not_run is not None:
                continue
            method, settings = method_and_settings(row)
            for part in definition.parts.values():
                recipe = part.recipe or spent.recipe if budget == "paper" else spent.recipe
                compose(recipe or "small_images", method, nested(spent.set), nested(part.set), settings)


@pytest.mark.parametrize("name", NAMES)
def test_rows_columns_and_data_are_known(name: str) -> None:
    definition = read_definition(name)
    labels = {row.label for row in definition.rows}
    for spent in definition.budgets.values():
        assert set(spent.rows or []) <= labels
        assert set(spent.parts or []) <= set(definition.parts)
    for part in definition.parts.values():
        assert (part.data is not None) == definition.kind.needs_data
        assert part.data is None or part.data in known_data_sets()
        assert set(part.stand_in_set) <= set(known_data_sets())
    rows = {definition.kind.label_of(row) for row in definition.rows}
    for part_name, row, column in printed_values(definition.paper, definition.item):
        assert column in definition.kind.columns_of(part_name)
        assert not rows or row in rows or " - " in row


def test_stand_ins_are_data_sets_themselves() -> None:
    known = known_data_sets()
    assert all(other in known for entry in known.values() for other in entry.stand_ins)


def test_names_are_those_of_the_papers() -> None:
    wanted = [f"dal-table{n}" for n in range(1, 6)] + [f"dal-figure{n}" for n in range(1, 7)]
    wanted += [f"lct-table{n}" for n in (3, 4, *range(13, 18))] + [f"lct-figure{n}" for n in range(1, 9)]
    wanted += [f"alpa-table{n}" for n in range(2, 6)] + ["alpa-figure1"]
    wanted += [f"metric-losses-table{n}" for n in range(1, 7)]
    wanted += [f"metric-losses-figure{n}" for n in (2, 4, 5)]
    wanted += [f"dbm-table{n}" for n in range(2, 7)] + [f"dbm-figure{n}" for n in range(2, 5)]
    assert wanted == NAMES


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean dal-table"):
        read_definition("dal-tabel1")


@pytest.mark.parametrize("budget", ["quick", "paper"])
def test_without_data_the_names_to_give_are_named(budget: BudgetName, tmp_path) -> None:
    definition: Definition = read_definition("dal-table3")
    with pytest.raises(InputError, match="isic2018=PATH, or to stand in for them ham10000=PATH"):
        plan(definition, budget, {"pneumonia": "digits-lt"}, tmp_path)


def test_settings_of_a_stand_in_replace_those_of_the_part(tmp_path) -> None:
    definition = read_definition("lct-figure4")
    (own,) = plan(definition, "quick", {"melanoma": "digits-lt"}, tmp_path)
    (other,) = plan(definition, "quick", {"ham10000": "digits-lt"}, tmp_path)
    assert "positive" not in own.changes[1]["data"]
    assert other.changes[1]["data"]["positive"] == "mel"
    assert other.given is not None and other.given.stands_in_for is not None
