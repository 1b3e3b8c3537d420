"""What the general recipes leave to the data."""

import numpy as np
import pytest

from medtail.data import ImageArray, ImageCollection
from medtail.recipes.choose_recipe import choose_recipe
from medtail.recipes.fitted import fitted


def images(count: int, side: int, training: int | None = None) -> ImageCollection:
    """Black images of two classes; without splits unless some are for training."""
    splits = None if training is None else ["train"] * training + ["test"] * (count - training)
    return ImageCollection.build(
        name="black",
        data="black",
        ids=[str(row) for row in range(count)],
        labels=[f"class {row % 2}" for row in range(count)],
        source=ImageArray(np.zeros((count, side, side, 1), dtype=np.uint8)),
        splits=splits,
    )


@pytest.mark.parametrize(
    ("side", "recipe", "size"),
    [
        (20, "small_images", 28),
        (32, "small_images", 32),
        (40, "small_images", 40),
        (64, "images", 64),
        (41, "images", 64),
        (300, "images", 128),
    ],
)
def test_images_keep_their_size_within_the_limits_of_a_recipe(side: int, recipe: str, size: int) -> None:
    chosen = choose_recipe(images(50, side), "ce", None)
    assert (chosen.recipe.dataset, chosen.data.image_size) == (recipe, size)


@pytest.mark.parametrize(
    ("training", "batch", "epochs"),
    [(100_000, 128, 30), (2_600, 128, 30), (2_500, 64, 30), (211, 16, 47), (40, 16, 100), (5, 16, 100)],
)
def test_few_images_make_small_batches_and_more_epochs(training: int, batch: int, epochs: int) -> None:
    chosen = choose_recipe(images(training + 4, 8, training), "ce", "small_images").training
    assert (chosen.batch_size, chosen.epochs) == (batch, epochs)


def test_few_images_are_seen_more_often_from_published_weights_too() -> None:
    chosen = choose_recipe(images(215, 96, 211), "ce", "pretrained_images")
    assert (chosen.data.image_size, chosen.training.batch_size, chosen.training.epochs) == (96, 16, 47)
    assert (chosen.optimizer.name, chosen.optimizer.decay_weights_only) == ("adamw", True)


def test_what_the_user_asks_for_comes_last() -> None:
    asked = {"training": {"epochs": 3, "batch_size": 8}, "data": {"image_size": 12}}
    chosen = choose_recipe(images(40, 40), "ce", None, [asked])
    assert (chosen.training.epochs, chosen.training.batch_size, chosen.data.image_size) == (3, 8, 12)


def test_recipes_of_data_sets_and_papers_stay_as_they_are() -> None:
    for dataset in ("cifar", "ham10000_28", "fundus", "small_volumes"):
        assert fitted(dataset, images(40, 40)) == {}


def test_without_splits_most_images_are_for_training() -> None:
    assert fitted("small_images", images(300, 8)) == fitted("small_images", images(300, 8, 210))


@pytest.mark.parametrize(("count", "side"), [(100, 8), (4_000, 8), (100, 96), (4_000, 96)])
def test_images_are_trained_with_adamw_unless_the_method_says_otherwise(count: int, side: int) -> None:
    black = images(count, side)
    assert choose_recipe(black, "ce", None).optimizer.name == "adamw"
    sharp = choose_recipe(black, "vs_sam", None).optimizer
    assert sharp.name == "adamw" and sharp.sharpness is not None
    assert choose_recipe(black, "tau_normalized", "small_images").optimizer.name == "sgd"


def test_a_second_stage_is_fitted_in_its_length_alone() -> None:
    second = choose_recipe(images(100, 8), "tau_normalized", "small_images")
    assert (second.training.epochs, second.training.monitor_window, second.optimizer.name) == (11, 1, "sgd")
