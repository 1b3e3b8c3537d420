"""Images that show the same are drawn into one split or fold."""

import logging

import numpy as np
import pytest
from training.stripes import recipe

from medtail.data import ImageArray, ImageCollection
from medtail.data.splitting.folds import assign_folds
from medtail.training.prepare import look_alikes, prepare

COUNT, COPIED = 60, 20


def photographs(seed: int = 0) -> np.ndarray:
    """Smooth random pictures."""
    cells = np.random.default_rng(seed).normal(size=(COUNT, 6, 6))
    fine = np.kron(cells, np.ones((6, 6)))
    for axis in (1, 2):
        fine = (fine + np.roll(fine, 1, axis) + np.roll(fine, 2, axis)) / 3
    low, high = fine.min(axis=(1, 2), keepdims=True), fine.max(axis=(1, 2), keepdims=True)
    return (255 * (fine - low) / (high - low)).astype(np.uint8)


def collection(change, **columns: list[str]) -> ImageCollection:
    """60 pictures and, of the first 20, what ``change`` makes of them."""
    images = photographs()
    images = np.concatenate([images, change(images[:COPIED])])
    return ImageCollection.build(
        name="copied",
        data="copied",
        ids=[f"{row:03d}" for row in range(len(images))],
        labels=["a", "b"] * (len(images) // 2),
        source=ImageArray(images),
        **columns,
    )


def separated(splits: np.ndarray) -> int:
    return int((splits[:COPIED] != splits[COUNT:]).sum())


def brighter(images: np.ndarray) -> np.ndarray:
    return np.clip(images * 0.8 + 20, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "setting", "together"),
    [
        (brighter, "look_alikes", True),
        (brighter, "copies", False),
        (np.copy, "look_alikes", True),
        (np.copy, "copies", True),
    ],
)
def test_copies_are_drawn_into_one_split(change, setting, together, caplog) -> None:
    caplog.set_level(logging.INFO, "medtail")
    settings = recipe("ce", f"data.keep_together={setting}", "data.image_size=36")
    data = prepare(collection(change), settings)
    apart = separated(data.collection.table["split"].to_numpy())
    assert (apart == 0) == together
    leaked = data.facts.test_images_with_copy
    assert not leaked
    assert ("draws keep" in caplog.text) == (together or change is np.copy)


def test_copies_are_drawn_into_one_fold() -> None:
    images = collection(brighter)
    settings = recipe("ce", "data.image_size=36")
    together = look_alikes(prepare(images, settings).pixels, settings).joined_groups(images)
    assert separated(assign_folds(images, 5, together=together).to_numpy()) == 0
    assert separated(assign_folds(images, 5).to_numpy()) > 0


def test_a_given_split_stays_and_its_copies_are_named(caplog) -> None:
    caplog.set_level(logging.INFO, "medtail")
    splits = ["train"] * 50 + ["validation"] * 10 + ["test"] * COPIED
    data = prepare(collection(brighter, splits=splits), recipe("ce", "data.image_size=36"))
    assert data.facts.test_images_with_copy == [f"{row:03d}" for row in range(COUNT, COUNT + COPIED)]
    assert "20 of 20 test images (100.0%) show the same as a training image" in caplog.text


def test_copies_join_groups() -> None:
    images = collection(np.copy, groups=[f"p{row % 40:02d}" for row in range(COUNT + COPIED)])
    settings = recipe("ce", "data.image_size=36")
    splits = prepare(images, settings).collection.table["split"]
    assert separated(splits.to_numpy()) == 0
    assert (splits.groupby(images.table["group"]).nunique() == 1).all()
