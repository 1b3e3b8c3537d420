"""The grids that come with medtail are those of the paper, and every training of them can be built."""

from pathlib import Path

import numpy as np
import pytest

from medtail.cli.options import parse_assignments
from medtail.errors import InputError
from medtail.experiments.planned_runs import check_free
from medtail.methods import LossConditional
from medtail.recipes.compose import compose, recipe_names
from medtail.recipes.grid_files import read_grid
from medtail.runs.grid import GridRuns
from medtail.training.build import BuildContext, build_method

GRIDS = recipe_names("grids")


@pytest.mark.parametrize("name", GRIDS)
def test_every_training_of_every_grid_can_be_built(name: str) -> None:
    grid = read_grid(name)
    assert grid.size == 16 and len(grid.axes) == 2
    settings = [point.settings for point in grid.points]
    recipes = [compose("digits-lt", grid.method, values) for values in settings]
    assert len({recipe.model_dump_json() for recipe in recipes}) == 16
    for recipe in recipes[::5]:
        method = build_method(BuildContext(recipe, np.array([900, 9])))
        assert isinstance(method, LossConditional) == (recipe.method.name == "loss_conditional")


@pytest.mark.parametrize(
    ("name", "conditions"),
    [
        ("vs_lct", 20),
        ("focal_lct", 16),
        ("vs_lct_without_film", 20),
        ("focal_lct_without_film", 16),
        ("vs_sam_lct_without_film", 20),
        ("vs_sam_lct", 20),
        ("vs_lct_gamma", 4),
        ("vs_lct_tau", 5),
    ],
)
def test_every_model_is_judged_at_the_papers_conditions(name: str, conditions: int) -> None:
    grid = read_grid(name)
    settings = compose("digits-lt", grid.method, grid.points[0].settings).method
    assert np.prod([len(values) for values in settings.grid.values()]) == conditions
    assert grid.baseline in GRIDS


def test_sharpness_is_the_papers() -> None:
    for name in ("vs_sam", "vs_sam_lct", "vs_sam_lct_without_film"):
        grid = read_grid(name)
        assert compose("digits-lt", grid.method, grid.points[0].settings).optimizer.sharpness.radius == 0.1


@pytest.mark.parametrize("name", ["vs_lct", "focal_lct", "vs_sam_lct"])
def test_the_ablation_differs_in_film_alone(name: str) -> None:
    whole, without = read_grid(name), read_grid(f"{name}_without_film")
    assert whole.baseline == without.baseline
    for point, other in zip(whole.points, without.points, strict=True):
        recipe = compose("digits-lt", whole.method, point.settings)
        expected = recipe.model_dump(exclude={"recipe"})
        expected["method"]["film"] = "none"
        assert compose("digits-lt", without.method, other.settings).model_dump(exclude={"recipe"}) == expected


def test_a_grid_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("# My grid\nmethod: dal\ngrid: {loss.scale: [2, 4]}\n")
    grid = read_grid(str(path), (1,))
    assert (grid.name, grid.description, grid.method) == ("mine", "My grid", "dal")
    assert [point.name for point in grid.points] == ["scale=4"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("method: dal", "must have method, a recipe of it, and grid"),
        ("method: dal\ngrid: {loss.scale: []}", "grid.loss.scale"),
        ("method: dal\ngrid: {loss.scale: [1]}\nseeds: 3", "seeds: extra inputs"),
        ("method: dall\ngrid: {loss.scale: [1]}", "did you mean dal"),
        ("[1, 2]", "must have method, a recipe of it, and grid"),
        ("method: [", "is not valid YAML"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_grid(str(path))


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean vs_lct"):
        read_grid("vs_ltc")
    with pytest.raises(InputError, match="does not exist"):
        read_grid("nowhere.yaml")


@pytest.mark.parametrize(
    ("name", "assignment", "path"),
    [
        ("vs", "loss.tau=1", "loss.tau"),
        ("vs_lct", "method.distributions={gamma: [0, 1, 1]}", "method.distributions.gamma"),
        ("vs_lct", "method.distributions=none", "method.distributions.gamma"),
        ("vs", "training.seed=3", "training.seed"),
    ],
)
def test_what_a_grid_varies_cannot_be_set_for_all(
    tmp_path: Path, name: str, assignment: str, path: str
) -> None:
    with pytest.raises(InputError, match=f"^{path} must be left to grid {name}"):
        check_free(GridRuns(tmp_path, read_grid(name), 1), [parse_assignments([assignment])])


def test_what_a_grid_leaves_can_be_set(tmp_path: Path) -> None:
    changes = [parse_assignments(["loss.name=vector_scaling", "training.epochs=3", "method.grid.tau=[0,1]"])]
    check_free(GridRuns(tmp_path, read_grid("vs_lct"), 1), changes)
