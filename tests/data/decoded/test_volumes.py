"""Volumes are read, resized, cropped and measured like images, with one more axis."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from medtail.data import ImageArray, ImageCollection, ImageForm, load_pixels, open_collection
from medtail.data.decoded.image_shape import WorkingForm, resize, viewable
from medtail.inspection.audit import audit
from medtail.recipes.choose_recipe import choose_dataset_recipe
from medtail.training.batches.preparation import ImagePreparation, memory_format
from medtail.training.prepare import channel_statistics


def volumes(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def collection_of(images: np.ndarray) -> ImageCollection:
    ids = [f"case {row}" for row in range(len(images))]
    labels = ["ab"[row % 2] for row in range(len(images))]
    return ImageCollection.build(name="v", data="v", ids=ids, labels=labels, source=ImageArray(images))


@pytest.mark.parametrize(
    ("shape", "form", "read"),
    [
        ((2, 8, 9), ImageForm(8, 9, "L"), (8, 9, 1)),
        ((2, 8, 9, 1), ImageForm(8, 9, "L"), (8, 9, 1)),
        ((2, 8, 9, 3), ImageForm(8, 9, "RGB"), (8, 9, 3)),
        ((2, 7, 8, 9), ImageForm(8, 9, "L", depth=7), (7, 8, 9, 1)),
        ((2, 7, 8, 3, 1), ImageForm(8, 3, "L", depth=7), (7, 8, 3, 1)),
        ((2, 7, 8, 9, 3), ImageForm(8, 9, "RGB", depth=7), (7, 8, 9, 3)),
        ((2, 7, 8, 9, 4), ImageForm(8, 9, "4 channels", depth=7, channels=4), (7, 8, 9, 4)),
    ],
)
def test_axes_of_arrays(shape: tuple[int, ...], form: ImageForm, read: tuple[int, ...]) -> None:
    images = volumes(*shape)
    source = ImageArray(images)
    assert source.form(1) == form
    assert source.read(1).shape == read
    np.testing.assert_array_equal(source.read(1).squeeze(), images[1].squeeze())


def test_a_volume_of_the_right_size_is_not_touched() -> None:
    volume = volumes(8, 8, 8, 1)
    converted = WorkingForm(8, 1, dimensions=3).convert(volume, "x")
    np.testing.assert_array_equal(converted, volume.transpose(3, 0, 1, 2))


def naive_antialiased_linear(values: np.ndarray, size: int) -> np.ndarray:
    """Along the first axis: a triangle as wide as two pixels of the coarser grid, weights summing to 1."""
    length = len(values)
    scale = length / size
    support = max(scale, 1.0)
    result = np.zeros((size, *values.shape[1:]))
    for place in range(size):
        centre = (place + 0.5) * scale
        weights = np.array([max(0.0, 1 - abs((old + 0.5 - centre) / support)) for old in range(length)])
        result[place] = np.tensordot(weights / weights.sum(), values, axes=1)
    return result


@pytest.mark.parametrize("size", [(5, 6, 4), (12, 3, 20), (10, 12, 9), (1, 1, 1)])
def test_volumes_are_resized_by_the_antialiased_linear_filter(size: tuple[int, int, int]) -> None:
    volume = gaussian_filter(volumes(10, 12, 9).astype(float), 1).astype(np.uint8)
    expected = volume.astype(float)
    for axis, length in enumerate(size):
        expected = np.moveaxis(naive_antialiased_linear(np.moveaxis(expected, axis, 0), length), 0, axis)
    resized = resize(volume[..., None], size)[..., 0]
    assert resized.shape == size
    assert abs(resized - expected).max() <= 0.51  # rounding, once


def test_channels_are_resized_apart_and_masks_keep_their_range() -> None:
    volume = volumes(6, 7, 8, 4)
    together = resize(volume, (4, 4, 4))
    for channel in range(4):
        np.testing.assert_array_equal(
            together[..., channel : channel + 1], resize(volume[..., channel : channel + 1], (4, 4, 4))
        )
    mask = np.zeros((9, 9, 9, 1), dtype=np.uint8)
    mask[2:6, 2:6, 2:6] = 255
    grown = resize(mask, (23, 23, 23))
    assert (grown.min(), grown.max()) == (0, 255)
    assert (resize(np.full((5, 6, 7, 1), 201, dtype=np.uint8), (9, 3, 6)) == 201).all()


def test_grey_and_colour_of_volumes_follow_the_rules_of_images() -> None:
    colour = volumes(5, 5, 5, 3)
    grey = WorkingForm(5, 1, dimensions=3).convert(colour, "x")
    luminance = colour @ np.array([0.299, 0.587, 0.114])
    assert abs(grey[0] - luminance).max() <= 1.0
    repeated = WorkingForm(5, 3, dimensions=3).convert(volumes(5, 5, 5, 1), "x")
    assert repeated.shape == (3, 5, 5, 5)
    assert (repeated == repeated[:1]).all()


def test_the_crop_is_central_and_resamples_nothing() -> None:
    volume = volumes(9, 8, 7, 1)
    cropped = WorkingForm(5, 1, dimensions=3, fit="crop").convert(volume, "x")
    np.testing.assert_array_equal(cropped[0], volume[2:7, 1:6, 1:6, 0])
    picture = volumes(9, 8, 3)
    cropped = WorkingForm(4, 3, fit="crop").convert(picture, "x")
    np.testing.assert_array_equal(cropped, picture[2:6, 2:6].transpose(2, 0, 1))


def test_a_volume_smaller_than_the_crop_is_named(refuses) -> None:
    collection = collection_of(volumes(4, 9, 8, 7))
    sentence = refuses(load_pixels, collection, image_size=8, channels=1, fit="crop")
    assert "4 of 4 images cannot be read: case 0 has 9 x 8 x 7 voxels, fewer than the crop of 8" in sentence
    assert len(load_pixels(collection, image_size=7, channels=1, fit="crop")) == 4


def test_volumes_among_images_are_named(refuses) -> None:
    sentence = refuses(
        load_pixels, collection_of(volumes(2, 8, 8, 8)), image_size=8, channels=1, dimensions=2
    )
    assert "case 0 is a volume among images" in sentence
    sentence = refuses(load_pixels, collection_of(volumes(2, 8, 8)), image_size=8, channels=1, dimensions=3)
    assert "case 1 is an image among volumes" in sentence


def test_channels_of_their_own_are_not_turned_into_grey(refuses) -> None:
    collection = collection_of(volumes(2, 8, 8, 8, 4))
    assert load_pixels(collection, image_size=8, channels=4).read([0]).shape == (1, 4, 8, 8, 8)
    assert "data.channels must be 4, the number of channels of v, got 1" in refuses(
        load_pixels, collection, image_size=8, channels=1
    )


@pytest.mark.parametrize("memory_limit", [2**30, 0], ids=["resident", "on request"])
def test_pixels_of_volumes(memory_limit: int) -> None:
    images = volumes(40, 6, 7, 8)
    pixels = load_pixels(collection_of(images), image_size=5, channels=1, memory_limit=memory_limit)
    assert pixels.dimensions == 3
    assert pixels.resident == bool(memory_limit)
    read = pixels.read([39, 0])
    assert read.dtype == torch.uint8
    assert read.shape == (2, 1, 5, 5, 5)
    np.testing.assert_array_equal(read[0, 0].numpy(), resize(images[39][..., None], (5, 5, 5))[..., 0])
    assert pixels.without(np.array([0])).read([0]).shape == (1, 1, 5, 5, 5)


def test_statistics_are_those_of_all_voxels() -> None:
    images = volumes(10, 6, 6, 6, 2)
    pixels = load_pixels(collection_of(images), image_size=6, channels=2)
    mean, deviation = channel_statistics(pixels, np.arange(1, 10), chunk=4)
    np.testing.assert_allclose(mean, images[1:].mean(axis=(0, 1, 2, 3)) / 255)
    np.testing.assert_allclose(deviation, images[1:].std(axis=(0, 1, 2, 3)) / 255)


def test_prepared_volumes_are_laid_out_channels_last() -> None:
    preparation = ImagePreparation(torch.nn.Identity(), torch.nn.Identity()).eval()
    batch = torch.from_numpy(volumes(2, 3, 4, 4, 4))
    prepared = preparation(batch)
    assert prepared.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(prepared, batch.float() / 255)
    assert preparation(batch[:, :, 0]).is_contiguous(memory_format=torch.channels_last)
    torch.nn.Conv3d(3, 2, 3).to(memory_format=memory_format(3))(prepared)


def test_a_volume_is_shown_by_its_central_slice() -> None:
    volume = volumes(5, 4, 6, 1)
    np.testing.assert_array_equal(viewable(volume), np.repeat(volume[2], 3, axis=-1))
    colour = volumes(4, 6, 3)
    np.testing.assert_array_equal(viewable(colour), colour)
    sequences = volumes(5, 4, 6, 4)
    np.testing.assert_array_equal(viewable(sequences)[..., 2], sequences[2, ..., 0])


def test_volumes_choose_recipes_of_volumes(write_npz) -> None:
    def archive(*shape: int) -> ImageCollection:
        return open_collection(
            write_npz(
                train_images=volumes(12, *shape),
                val_images=volumes(4, *shape, seed=1),
                test_images=volumes(4, *shape, seed=2),
            )
        )

    assert choose_dataset_recipe(archive(28, 28, 28)) == "small_volumes"
    assert choose_dataset_recipe(archive(41, 42, 43)) == "volumes"
    assert choose_dataset_recipe(archive(28, 28)) == "small_images"
    collection = archive(9, 8, 7)
    assert collection.dimensions == 3
    findings = audit(collection)
    assert findings.sizes == {"9 x 8 x 7": 20}
    assert not findings.unreadable


@pytest.mark.parametrize(("name", "side"), [("adrenalmnist3d", 28), ("adrenalmnist3d_64", 64)])
def test_the_real_volumes(shared_data: Path, name: str, side: int) -> None:
    collection = open_collection(shared_data / f"{name}.npz")
    assert [collection.class_counts(split).tolist() for split in ("train", "validation", "test")] == [
        [929, 259],
        [76, 22],
        [229, 69],
    ]
    assert collection.first_form() == ImageForm(side, side, "L", depth=side)
    some = collection.select(np.arange(0, 1500, 100))
    pixels = load_pixels(some, image_size=28, channels=1)
    assert pixels.read([0]).shape == (1, 1, 28, 28, 28)
    assert pixels.read(np.arange(15)).float().std() > 20
    with np.load(shared_data / f"{name}.npz") as archive:
        np.testing.assert_array_equal(some.source.read(13)[..., 0], archive["test_images"][1300 - 1286])
