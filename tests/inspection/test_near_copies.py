"""Changed copies are found, different images are not."""

import io
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medtail.data import open_collection
from medtail.inspection import near_copies
from medtail.inspection.cropped_copies import fit_windows, windows_of
from medtail.inspection.near_copies import likenesses, thumbnail
from medtail.inspection.search.crowds import MOST_PARTNERS
from references.benchmarks import benchmark


def pairs(thumbnails: np.ndarray) -> set[tuple[int, int]]:
    return {(likeness.first, likeness.second) for likeness in likenesses(thumbnails)}


def changed(image: Image.Image) -> dict[str, Image.Image]:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    noise = np.random.default_rng(0).normal(0, 6, (*image.size[::-1], 3))
    return {
        "recompressed": Image.open(buffer),
        "half": image.resize((image.width // 2, image.height // 2)),
        "brighter": ImageEnhance.Brightness(image).enhance(1.15),
        "contrast": ImageEnhance.Contrast(image).enhance(1.2),
        "noisy": Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)),
        "mirrored": image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "turned": image.transpose(Image.Transpose.ROTATE_270),
        "cropped": image.crop((5, 4, image.width - 6, image.height - 3)),
    }


def as_array(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def test_changed_copies_of_real_images_are_found(shared_data: Path) -> None:
    collection = open_collection(shared_data / "ham10000_128")
    originals = [Image.fromarray(collection.source.read(row)) for row in range(60)]
    found_of: dict[str, int] = {}
    for kind in changed(originals[0]):
        copies = [changed(image)[kind] for image in originals]
        thumbnails = np.stack([thumbnail(as_array(image)) for image in originals + copies])
        found = pairs(thumbnails)
        assert found <= {(row, row + 60) for row in range(60)}  # never two different lesions
        found_of[kind] = len(found)
    assert min(found_of.values()) >= 57, found_of


def test_every_position_is_named(draw) -> None:
    image = np.asarray(draw(3, size=32))
    turned = {
        "": image,
        "mirrored left to right": image[:, ::-1],
        "mirrored top to bottom": image[::-1],
        "turned by 180 degrees": np.rot90(image, 2),
        "turned by 90 degrees counter-clockwise": np.rot90(image, 1),
        "turned by 90 degrees clockwise": np.rot90(image, -1),
        "mirrored along a diagonal": image.swapaxes(0, 1),
        "mirrored along the other diagonal": np.rot90(image, 2).swapaxes(0, 1),
    }
    for name, copy in turned.items():
        thumbnails = np.stack([thumbnail(image), thumbnail(np.ascontiguousarray(copy))])
        assert [likeness.change for likeness in likenesses(thumbnails)] == [name]


@pytest.mark.parametrize("box", [1, 7, 1000])
def test_all_pairs_are_found_whatever_the_boxes(monkeypatch, box) -> None:
    generator = np.random.default_rng(0)
    thumbnails = generator.integers(0, 256, (40, 1, 32, 32), dtype=np.uint8)
    thumbnails[[5, 17, 39]] = thumbnails[2]
    monkeypatch.setattr("medtail.inspection.search.close_pairs._BOX", box)
    assert pairs(thumbnails) == {(2, 5), (2, 17), (2, 39), (5, 17), (5, 39), (17, 39)}


@pytest.fixture(scope="module")
def searches() -> ModuleType:
    """The benchmark that compares all pairs."""
    return benchmark("inspect_search")


def test_pairs_are_those_of_comparing_all(searches) -> None:
    thumbnails = searches.imagined(640)
    assert len(pairs(thumbnails)) == 40
    assert pairs(thumbnails) == set(searches.brute_force(thumbnails))


def test_pairs_of_real_images_are_those_of_comparing_all(searches, shared_data: Path) -> None:
    source = open_collection(shared_data / "bccd_cells_64").source
    thumbnails = np.unique(np.stack([thumbnail(source.read(row)) for row in range(1200)]), axis=0)
    assert pairs(thumbnails) == set(searches.brute_force(thumbnails))


@pytest.mark.slow
def test_pairs_of_16_000_images_are_those_of_comparing_all(searches) -> None:
    thumbnails = searches.imagined(16_000)
    assert len(pairs(thumbnails)) == 1000
    assert pairs(thumbnails) == set(searches.brute_force(thumbnails))


def test_a_crowd_is_connected_by_few_pairs(monkeypatch) -> None:
    generator = np.random.default_rng(0)
    film, title = np.zeros((1, 32, 32), dtype=np.int16), generator.integers(40, 256, (9, 14))
    film[0, 4:13, 6:20] = title
    frames = (film + generator.integers(0, 2, (700, 1, 32, 32))).clip(0, 255).astype(np.uint8)
    others = generator.integers(0, 256, (100, 1, 32, 32), dtype=np.uint8)
    thumbnails = np.concatenate([frames, others])
    most = 0

    def watched(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        nonlocal most
        most = max(most, len(first))
        return correlations(first, second)

    correlations = near_copies._correlations
    monkeypatch.setattr(near_copies, "_correlations", watched)
    found = pairs(thumbnails)
    assert most <= 4096
    assert len(found) <= 700 * (MOST_PARTNERS + 1)
    graph = coo_array((np.ones(len(found)), np.array(list(found)).T), shape=(800, 800))
    _, component = connected_components(graph, directed=False)
    assert len(set(component[:700])) == 1
    assert len(set(component[700:])) == 100


def test_progress_reaches_all_images() -> None:
    seen: list[tuple[str, int, int]] = []
    thumbnails = np.random.default_rng(0).integers(0, 256, (600, 1, 32, 32), dtype=np.uint8)
    assert not list(likenesses(thumbnails, lambda *now: seen.append(now)))
    assert [now for now in seen if now[1] == 600] == [
        ("comparing images", 600, 600),
        ("comparing crops", 600, 600),
    ]
    assert len(seen) > 2


def test_blank_images_resemble_nothing() -> None:
    blank = np.full((5, 1, 32, 32), 7, dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not pairs(blank)
        assert not pairs(blank[:0])


def test_volumes_are_compared_by_two_pictures() -> None:
    generator = np.random.default_rng(0)
    volumes = generator.integers(0, 256, (4, 9, 20, 22, 1), dtype=np.uint8)
    volumes[1] = volumes[0, ::-1]  # slices in reverse order
    volumes[2, 4] = volumes[3, 4]  # one common slice does not make a copy
    thumbnails = np.stack([thumbnail(volume) for volume in volumes])
    assert thumbnails.shape == (4, 2, 32, 32)
    assert pairs(thumbnails) == {(0, 1)}


def test_a_crop_is_distinguished_from_its_original(draw) -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (12, 12), dtype=np.uint8)).resize(
        (80, 80), Image.Resampling.BICUBIC
    )
    crop = image.crop((3, 5, 76, 77))
    whole_first = np.stack([thumbnail(as_array(picture)) for picture in (image, crop)])
    assert [likeness.change for likeness in likenesses(whole_first)] == ["cropped"]
    assert [likeness.change for likeness in likenesses(whole_first[::-1])] == ["with more around it"]


def test_the_window_of_a_crop_is_fitted() -> None:
    generator = np.random.default_rng(0)
    wholes = np.stack(
        [
            np.asarray(Image.fromarray(cells).resize((32, 32), Image.Resampling.BICUBIC), dtype=np.float32)
            for cells in generator.integers(0, 256, (20, 7, 7), dtype=np.uint8)
        ]
    )
    scale = generator.uniform(0.88, 0.97, (20, 2))
    shift = generator.uniform(-1, 1, (20, 2)) * (1 - scale) * 31 / 4
    windows = np.stack([scale[:, 0], shift[:, 0], scale[:, 1], shift[:, 1]], axis=1).astype(np.float32)
    positions, fitted = fit_windows(wholes, windows_of(wholes, windows))
    assert len(positions) >= 19
    np.testing.assert_allclose(fitted, windows[positions], atol=0.02)
    strangers, _ = fit_windows(wholes, windows_of(np.roll(wholes, 1, axis=0), windows))
    assert not len(strangers)


def test_any_number_of_channels_has_a_thumbnail() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 4), dtype=np.uint8)
    expected = thumbnail(image.mean(axis=2, keepdims=True).round().astype(np.uint8))
    np.testing.assert_array_equal(thumbnail(image), expected)
