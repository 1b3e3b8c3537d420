"""A grid: its points, their names, what is no grid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtail.errors import InputError
from medtail.runs.grid import Grid

AXES = {"loss.gamma": [0.0, 0.1], "method.distributions.tau": [[0, 3, 0.0], [1, 4, 0.33], [1, 4, 0.0]]}


def test_points_are_numbered_with_the_last_axis_fastest() -> None:
    grid = Grid("g", "", "vs_lct", AXES)
    assert [point.number for point in grid.points] == list(range(6)) and grid.size == 6
    assert grid.points[4].name == "gamma=0.1,tau=1_4_0.33"
    assert grid.points[4].title == "gamma = 0.1, tau ~ L(1, 4, 0.33)"
    assert grid.points[4].settings == {
        "loss": {"gamma": 0.1},
        "method": {"distributions": {"tau": [1, 4, 0.33]}},
    }


def test_a_part_keeps_numbers_and_order() -> None:
    grid = Grid("g", "", "vs_lct", AXES, chosen=(5, 0))
    assert [point.number for point in grid.points] == [0, 5] and grid.size == 6


@pytest.mark.parametrize(
    ("axes", "chosen", "sentence"),
    [
        (AXES, (6,), "`chosen` must be numbers from 0 to 5 for grid g, got 6"),
        (AXES, (-1,), "`chosen` must be numbers from 0 to 5 for grid g, got -1"),
        (AXES, (1, 1), "each once"),
        (AXES, (), "at least one point"),
        ({"loss.gamma": [0, 0.0]}, None, "different values"),
        ({"loss.gamma": [0], "method.distributions.gamma": [[0, 1, 1]]}, None, "different last names"),
    ],
)
def test_what_is_no_grid_is_refused(axes: dict, chosen: tuple | None, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Grid("g", "", "vs", axes, chosen=chosen)


@given(
    st.lists(
        st.floats(-1e3, 1e3).map(lambda value: round(value, 3)),
        min_size=1,
        max_size=4,
        unique_by=lambda v: f"{v:g}",
    ),
    st.lists(st.sampled_from(["a/b", "uniform", "x"]), min_size=1, unique=True),
)
def test_folder_names_are_unique_and_of_one_level(numbers: list[float], names: list[str]) -> None:
    points = Grid("g", "", "m", {"loss.gamma": numbers, "sampling.name": names}).points
    assert len({point.name for point in points}) == len(numbers) * len(names)
    assert not any("/" in point.name for point in points)
