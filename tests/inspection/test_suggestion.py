"""What is suggested follows the data as the run will see them."""

import pytest

from medtail.data import open_collection
from medtail.errors import InputError
from medtail.inspection.suggestion import suggested_recipe


@pytest.mark.parametrize(
    ("changes", "method"),
    [
        ({}, "balanced_softmax"),
        ({"data": {"classes": ["0", "1"]}}, "ce"),
        ({"data": {"positive": "9"}}, "balanced_softmax"),
        (
            {"data": {"classes": ["0", "1"], "subsample": {"name": "binary", "beta": 10}}},
            "balanced_softmax",
        ),
    ],
)
def test_classes_are_counted_as_the_run_sees_them(changes: dict, method: str) -> None:
    recipe, suggestion = suggested_recipe(open_collection("digits-lt"), None, [changes])
    assert (recipe.recipe.method, suggestion.method) == (method, method)
    assert recipe.recipe.dataset == "digits-lt"


def test_settings_of_the_user_are_laid_over_it() -> None:
    recipe, _ = suggested_recipe(open_collection("digits-lt"), "small_images", [{"training": {"epochs": 3}}])
    assert (recipe.recipe.dataset, recipe.training.epochs) == ("small_images", 3)


def test_the_data_do_not_tell_what_a_second_stage_is_for() -> None:
    with pytest.raises(InputError, match=r"`method` is required with `backbone\.from_run`"):
        suggested_recipe(open_collection("digits-lt"), None, [{"backbone": {"from_run": "first"}}])
