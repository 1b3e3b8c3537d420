"""What is suggested follows the data as the run will see them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtail.data import ImageCollection, open_collection
from medtail.errors import InputError
from medtail.inspection.suggestion import suggest, suggested_recipe


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


def test_what_the_choices_rest_on_is_named() -> None:
    _, suggestion = suggested_recipe(open_collection("digits-lt"))
    assert "docs/results/defaults.md" in suggestion.advice[0]


def test_settings_of_the_user_are_laid_over_it() -> None:
    recipe, _ = suggested_recipe(open_collection("digits-lt"), "small_images", [{"training": {"epochs": 3}}])
    assert (recipe.recipe.dataset, recipe.training.epochs) == ("small_images", 3)


def test_the_data_do_not_tell_what_a_second_stage_is_for() -> None:
    with pytest.raises(InputError, match=r"`method` is required with `backbone\.from_run`"):
        suggested_recipe(open_collection("digits-lt"), None, [{"backbone": {"from_run": "first"}}])


# --- published weights


@pytest.fixture
def photographs(tmp_path: Path) -> ImageCollection:
    """Larger images, three of each of two classes, without splits."""
    for name in ("benign", "malignant"):
        (tmp_path / "photographs" / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.full((96, 128, 3), 40 * number, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photographs" / name / f"{name}{number}.png")
    return open_collection(tmp_path / "photographs")


@pytest.fixture
def cached_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of the Hub's client as it is after a download, with an empty file."""
    repository = tmp_path / "hub" / "models--timm--tf_efficientnet_lite0.in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("revision")
    (repository / "snapshots" / "revision").mkdir(parents=True)
    (repository / "snapshots" / "revision" / "model.safetensors").touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def no_cached_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "nothing"))


@pytest.mark.usefixtures("cached_weights")
def test_weights_at_hand_are_started_from(photographs: ImageCollection) -> None:
    recipe, suggestion = suggested_recipe(photographs)
    assert suggestion.recipe == recipe.recipe.dataset == "pretrained_images"
    assert (recipe.backbone.name, recipe.backbone.weights) == ("tf_efficientnet_lite0", "published")
    assert any("tf_efficientnet_lite0 are at hand" in reason for reason in suggestion.reasons)


@pytest.mark.usefixtures("cached_weights")
def test_weights_at_hand_are_not_forced_on_another_network(photographs: ImageCollection) -> None:
    recipe, _ = suggested_recipe(photographs, None, [{"backbone": {"name": "resnet20"}}])
    assert (recipe.recipe.dataset, recipe.backbone.weights) == ("images", "none")


@pytest.mark.usefixtures("no_cached_weights")
def test_weights_that_must_be_fetched_are_named(photographs: ImageCollection) -> None:
    recipe, suggestion = suggested_recipe(photographs)
    assert (suggestion.recipe, recipe.backbone.weights) == ("images", "none")
    assert any("recipe pretrained_images" in reason for reason in suggestion.reasons)


@pytest.mark.usefixtures("no_cached_weights")
def test_few_images_are_better_cross_validated(photographs: ImageCollection) -> None:
    suggestion = suggest(photographs, photographs.class_counts())
    assert any("6 images leave few to be judged by: cross-validation" in note for note in suggestion.advice)


def test_few_images_of_a_class_call_for_several_seeds() -> None:
    _, suggestion = suggested_recipe(open_collection("digits-lt"))
    assert any("train several seeds" in note for note in suggestion.advice)
    assert not any("cross-validation" in note for note in suggestion.advice)
