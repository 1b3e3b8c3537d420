"""Grey levels that conversion to 8 bits leaves, and the window that keeps them."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training.stripes import recipe

from medtail.data import DataWarning, ImageCollection, load_pixels, open_collection
from medtail.data.decoded.cache import PixelCache
from medtail.data.decoded.grey_levels import grey_levels, warn_about_grey_levels
from medtail.errors import InputError
from medtail.inspection.audit import audit
from medtail.recipes.compose import load_recipe
from medtail.training.prepare import decoded

SIDE = 64


def write(folder: Path, values: np.ndarray) -> Path:
    for label in "ab":
        (folder / label).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(np.roll(values, number, axis=0)).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture
def twelve_bits(tmp_path: Path) -> Path:
    """Eight images that hold all values of 12 bits in 16."""
    return write(tmp_path / "ct", np.arange(4096, dtype=np.uint16).reshape(SIDE, SIDE))


def levels(collection: ImageCollection) -> int:
    return len(np.unique(collection.source.read(0)))


def test_twelve_bits_in_sixteen_keep_17_levels_and_a_warning_says_so(twelve_bits: Path) -> None:
    collection = open_collection(twelve_bits)
    found = grey_levels(collection)
    assert (found.low, found.high, found.stored, found.left) == (0, 4095, 4096, levels(collection))
    assert levels(collection) == 17
    with pytest.warns(DataWarning, match=r"leaves 17 of their 4096 grey levels; .*`data.window=\[0,4095\]`"):
        decoded(collection, recipe("ce"))


@pytest.mark.parametrize("window", [(0, 4095), "auto"])
def test_a_window_keeps_256_levels_without_a_warning(twelve_bits: Path, window) -> None:
    collection = open_collection(twelve_bits).windowed(window)
    assert (
        levels(collection)
        == levels(collection.select(np.array([0])))
        == levels(collection.limited(10_000))
        == 256
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        warn_about_grey_levels(collection)


def test_values_far_from_zero_are_offered_a_window_of_their_own(tmp_path: Path) -> None:
    values = (np.arange(SIDE * SIDE) + 32_000).astype(np.uint16).reshape(SIDE, SIDE)
    collection = open_collection(write(tmp_path / "shifted", values))
    assert grey_levels(collection).window == (32_000, 36_095)
    assert levels(collection.windowed(grey_levels(collection).window)) == 256


def test_sixteen_bits_that_are_used_are_not_warned_about(tmp_path: Path) -> None:
    values = (np.arange(SIDE * SIDE) * 16).astype(np.uint16).reshape(SIDE, SIDE)
    assert not grey_levels(open_collection(write(tmp_path / "full", values))).few


def test_masks_of_two_values_lose_nothing(tmp_path: Path) -> None:
    values = np.where(np.arange(SIDE * SIDE) % 3, 0, 65535).astype(np.uint16).reshape(SIDE, SIDE)
    assert not grey_levels(open_collection(write(tmp_path / "masks", values))).few


def test_a_window_of_eight_bit_images_changes_nothing_and_says_so(class_folders: Path) -> None:
    assert grey_levels(open_collection(class_folders)) is None
    with pytest.warns(DataWarning, match="`data.window` changes nothing"):
        warn_about_grey_levels(open_collection(class_folders).windowed((0, 4095)))


def test_the_window_is_part_of_the_key_of_the_cache(twelve_bits: Path, tmp_path: Path) -> None:
    cache = PixelCache(tmp_path / "cache", keeps_all=True)
    plain = open_collection(twelve_bits)
    brightest = [
        int(load_pixels(collection, image_size=SIDE, channels=1, cache=cache).read([0]).max())
        for collection in (plain, plain.windowed((0, 4095)), plain.windowed((0, 2047)), plain)
    ]
    assert brightest == [16, 255, 255, 16]
    assert len([entry for entry in cache.folder.iterdir() if entry.is_dir()]) == 3


def test_inspect_names_the_levels_and_the_remedy(twelve_bits: Path) -> None:
    findings = audit(open_collection(twelve_bits))
    assert any("leaves 17 of their 4096 grey levels" in line for line in findings.warnings)
    assert findings.to_dict()["grey_levels"]["left"] == 17


def test_a_recipe_takes_a_window_and_refuses_an_empty_one(tmp_path: Path) -> None:
    assert recipe("ce").data.window is None
    assert recipe("ce", "data.window=auto").data.window == "auto"
    assert recipe("ce", "data.window=[100,4095]").data.window == (100, 4095)
    for wrong in ("[4095,0]", "[7,7]", "[0]", "wide", "[0,70000]", "[-5,3]", "[0.5,3]"):
        with pytest.raises(
            InputError, match=r"^data\.window must be two grey values from 0 to 65535 .* got [^;]*; e\.g"
        ):
            recipe("ce", f"data.window={wrong}")


def test_a_saved_recipe_remembers_the_window_and_an_older_one_has_none(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    recipe("ce", "data.window=[100,4095]").save(path)
    assert load_recipe(path).data.window == (100, 4095)
    lines = path.read_text().splitlines()
    start = lines.index("  window:")
    path.write_text("\n".join([*lines[:start], *lines[start + 3 :]]))
    assert load_recipe(path) == recipe("ce")
