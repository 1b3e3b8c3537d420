"""Copies that were moved a little, drawn on or inverted are found, and other images are not."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from medtail.data import open_collection
from medtail.inspection.altered_copies import altered_copies, picture
from medtail.inspection.look_alikes import Look, likenesses_of
from medtail.inspection.registration import affine, agreement, register, sampled
from medtail.inspection.search import cells
from references.benchmarks import benchmark


@pytest.fixture(scope="module")
def leaks() -> ModuleType:
    """The benchmark that plants copies of each kind."""
    return benchmark("inspect_leaks")


def test_planted_copies_of_every_kind_are_found_among_real_images(
    monkeypatch, shared_data: Path, leaks
) -> None:
    source = open_collection(shared_data / "ham10000_128").source
    originals = [source.read(row) for row in range(0, 3000, 25)]
    images, truth, kinds = list(originals), {}, {}
    generator = np.random.default_rng(0)
    for start, (kind, change) in enumerate(leaks.KINDS.items()):
        for original in range(10 * start, 10 * start + 10):
            truth[len(images)], kinds[len(images)] = original, kind
            images.append(leaks.of_picture(change)(originals[original], generator))
    looks = [Look.at(image) for image in images]
    found = leaks.pairs_of(looks)
    same = [truth.get(row, row) for row in range(len(images))]
    assert all(same[one] == same[other] for one, other in found)
    missed = [kinds[row] for row in truth if not any(row in pair for pair in found)]
    assert all(missed.count(kind) <= 1 for kind in leaks.KINDS), missed
    monkeypatch.setattr(cells, "NEAREST", len(images))
    assert leaks.pairs_of(looks) == found


def smooth_pictures(count: int, size: int = 64) -> torch.Tensor:
    generator = np.random.default_rng(0)
    cells = generator.integers(0, 256, (count, 9, 9), dtype=np.uint8)
    return torch.from_numpy(
        np.stack(
            [np.asarray(Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC)) for one in cells]
        )
    ).float()


def test_registration_finds_the_map_and_the_inversion() -> None:
    wholes = smooth_pictures(20)
    maps = torch.stack([affine(degrees=4.0, scale=0.85, x=0.05, y=-0.03)] * 20)
    parts, _ = sampled(wholes, maps, 48)
    start = torch.stack([affine(scale=0.9)] * 20)
    fitted = register(wholes, 255 - parts, start, 12)
    torch.testing.assert_close(fitted, maps, atol=0.01, rtol=0)
    assert (agreement(wholes, 255 - parts, fitted) > 0.98).all()
    strangers = register(wholes, parts.roll(1, dims=0), start, 12)
    assert (agreement(wholes, parts.roll(1, dims=0), strangers) < 0.9).all()


def test_a_frame_is_cut_off() -> None:
    image = np.random.default_rng(0).integers(60, 256, (100, 100, 3), dtype=np.uint8)
    framed = np.zeros((130, 120, 3), dtype=np.uint8)
    framed[20:120, 10:110] = image
    np.testing.assert_array_equal(picture(framed), picture(image))


def test_progress_reaches_all_pairs() -> None:
    seen: list[tuple[str, int, int]] = []
    small = smooth_pictures(40).to(torch.uint8).numpy()
    small[1] = 255 - small[0]
    (found,) = altered_copies(np.stack([small, small], axis=1), lambda *now: seen.append(now))
    assert (found.first, found.second) == (0, 1)
    for what in ("comparing middles", "comparing quarters", "registering images"):
        done = [(now, of) for text, now, of in seen if text == what]
        assert done == sorted(done)
        assert done[-1][0] == done[-1][1]


def test_few_blank_or_small_images_resemble_nothing() -> None:
    blank = np.full((4, 2, 64, 64), 9, dtype=np.uint8)
    assert not list(altered_copies(blank))
    assert not list(altered_copies(blank[:1]))
    small = [
        Look.at(np.random.default_rng(row).integers(0, 256, (40, 200, 1), dtype=np.uint8)) for row in range(3)
    ]
    assert all(look.picture is None for look in small)
    assert not list(likenesses_of(small, [[row] for row in range(3)]))
