"""Recipes: two axes, merged and validated; every error names the key, the value and what is allowed."""

from pathlib import Path

import pytest

from medtail.cli.options import parse_assignments
from medtail.errors import InputError
from medtail.losses import LOSSES
from medtail.recipes.compose import (
    compose,
    describe_axis,
    load_recipe,
    merge,
    recipe_names,
)


@pytest.mark.parametrize("dataset", recipe_names("datasets"))
def test_every_dataset_recipe_is_valid_with_every_method(dataset: str) -> None:
    for method in recipe_names("methods"):
        recipe = compose(dataset, method)
        assert (recipe.recipe.dataset, recipe.recipe.method) == (dataset, method)


def test_every_loss_has_a_method_recipe_of_its_name() -> None:
    assert set(LOSSES) <= set(recipe_names("methods"))


@pytest.mark.parametrize("axis", ["datasets", "methods"])
def test_every_recipe_says_in_its_first_line_what_it_is_for(axis) -> None:
    for name in recipe_names(axis):
        assert len(describe_axis(axis, name)) > 15, name


def test_later_settings_win() -> None:
    recipe = compose("images", "dal", {"training": {"epochs": 3}}, parse_assignments(["training.epochs=4"]))
    assert recipe.training.epochs == 4
    assert recipe.training.batch_size == compose("images", "dal").training.batch_size


def test_set_reaches_the_loss() -> None:
    assert compose("images", "dal", parse_assignments(["loss.scale=8"])).loss.settings == {"scale": 8}


def test_a_section_that_changes_its_name_forgets_its_old_keys() -> None:
    recipe = compose("cifar", "ce", parse_assignments(["optimizer.name=adamw"]))
    assert recipe.optimizer.model_dump(exclude_none=True) == {
        "name": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.05,
        "decay_weights_only": False,
    }


def test_sharpness_is_around_any_optimizer() -> None:
    others = (
        ["optimizer.name=sgd", "optimizer.learning_rate=0.1"],
        ["optimizer.name=adam", "optimizer.learning_rate=1e-4"],
    )
    for change in ([], *others):
        recipe = compose("images", "vs_sam", parse_assignments(change))
        assert recipe.optimizer.sharpness.model_dump() == {"radius": 0.1, "adaptive": False}
    recipe = compose("images", "vs_sam", parse_assignments(["optimizer.sharpness.adaptive=true"]))
    assert recipe.optimizer.sharpness.model_dump() == {"radius": 0.1, "adaptive": True}
    without = ["optimizer.name=adamw", "optimizer.sharpness=null"]
    assert compose("images", "vs_sam", parse_assignments(without)).optimizer.sharpness is None


@pytest.mark.parametrize(
    "dataset", ["dermoscopy", "alpa", "lct_cifar", "scholz_fundus", "cifar", "imagenet_lt"]
)
def test_recipes_that_follow_a_paper_compare_single_epochs(dataset: str) -> None:
    assert compose(dataset, "ce").training.monitor_window == 1
    assert compose("images", "ce").training.monitor_window == 3


def test_merge_leaves_its_inputs_alone() -> None:
    base = {"training": {"epochs": 1}}
    merge(base, {"training": {"epochs": 2}})
    assert base == {"training": {"epochs": 1}}


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (
            ["optimizer.name=sgd", "optimizer.momentumm=0.5"],
            r"no key optimizer\.momentumm \(got 0\.5\); allowed: .*momentum.*did you mean momentum\?",
        ),
        (["optimizer.learning_rate=-1"], r"optimizer\.learning_rate: .*greater than 0, got -1"),
        (
            ["optimizer.name=sdg"],
            r"name must be one of sgd, adam, adamw, lbfgs, auto, or of timm's, .*, got 'sdg'; did you mean sgd\?",
        ),
        (["optimizer.name=adahessian"], r"must not be adahessian: it needs second derivatives"),
        (["optimizer.name=lamb"], r"optimizer\.learning_rate is required"),
        (["head.dropout=0.2"], r"no key head\.dropout .* allowed: name"),
        (["training.precision=half"], r"training\.precision must be one of auto, .*, got 'half'"),
        (["data=3"], r"data: .* got 3"),
        (["trainin.epochs=3"], r"no key trainin .*did you mean training\?"),
        (["sampling.name=balanced"], r"sampling\.name must be one of uniform, .*, got 'balanced'"),
        (["training.devices=3"], r"batch_size must be a multiple of training\.devices, got 128 for 3"),
        (
            ["optimizer.sharpness.radus=1"],
            r"no key optimizer\.sharpness\.radus \(got 1\); allowed: radius, adaptive; did you mean radius\?",
        ),
        (
            ["training.monitor=last_epoch", "training.early_stopping_patience=3"],
            r"early_stopping_patience must be null with training\.monitor=last_epoch, got 3",
        ),
        (
            ["training.monitor=aug"],
            r"ing\.monitor must be one of balanced_accuracy, auc, last_epoch, best_test, got 'aug'; did you mean auc\?",
        ),
        (["optimizer.sharpness.radius=0"], r"optimizer\.sharpness\.radius: .*greater than 0, got 0"),
        (
            ["optimizer.sharpness.radius=0.1", "training.accumulate_batches=2"],
            r"training\.accumulate_batches must be 1 with optimizer\.sharpness, got 2: .*; raise training\.batch_size",
        ),
        (["schedule.name=step"], r"schedule\.milestones is required"),
        (["training.epochs=x", "data.channels=0"], r"data\.channels: .* got 0; training\.epochs: .* got 'x'"),
    ],
)
def test_errors_name_key_value_and_what_is_allowed(assignments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as failure:
        compose("images", "ce", parse_assignments(assignments))
    assert "\n" not in str(failure.value)


def test_a_misspelt_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"method recipe must be one of .*, got 'dall'; did you mean dal\?"):
        compose("images", "dall")


def test_a_saved_recipe_reads_back_equal(tmp_path: Path) -> None:
    recipe = compose(
        "small_images", "ldam_drw", parse_assignments(["loss.scale=20", "schedule.name=constant"])
    )
    recipe.save(tmp_path / "recipe.yaml")
    assert load_recipe(tmp_path / "recipe.yaml") == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [("data: [", "is not valid YAML"), ("just words", "must hold sections"), ("{}", "data is required")],
)
def test_a_broken_recipe_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_recipe(path)


def test_a_missing_recipe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml does not exist"):
        load_recipe(tmp_path / "nowhere.yaml")
