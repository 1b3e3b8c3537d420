"""Augmentation: each image decides for itself, nothing is lost, the device's generator decides all."""

import pytest
import torch
from torchvision.transforms.v2 import functional as torchvision_functional

from medtail.data.transforms import (
    AUGMENTATION,
    Normalize,
    RandomBrightness,
    RandomContrast,
    RandomHorizontalFlip,
    RandomQuarterTurn,
    RandomShift,
    RandomVerticalFlip,
    build_augmentation,
)

COUNT = 400


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(COUNT, 3, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def which(result: torch.Tensor, candidates: list[torch.Tensor]) -> torch.Tensor:
    """For each image, the number of the candidate it equals; every image must equal exactly one."""
    equal = torch.stack([(result == candidate).flatten(1).all(dim=1) for candidate in candidates])
    assert (equal.sum(dim=0) == 1).all()
    return equal.int().argmax(dim=0)


@pytest.mark.parametrize(("transform", "axis"), [(RandomHorizontalFlip, -1), (RandomVerticalFlip, -2)])
def test_flips_mirror_a_share_of_the_images(images, transform, axis: int) -> None:
    flipped = which(transform(0.3)(images), [images, images.flip(axis)])
    assert 0.2 < flipped.float().mean() < 0.4
    assert torch.equal(transform(0.0)(images), images)
    assert torch.equal(transform(1.0)(images), images.flip(axis))


def test_quarter_turns_are_exact_and_equally_likely(images) -> None:
    turned = which(RandomQuarterTurn(0.75)(images), [images.rot90(k, (-2, -1)) for k in range(4)])
    shares = torch.bincount(turned, minlength=4) / COUNT
    assert (shares - 0.25).abs().max() < 0.07
    assert torch.equal(RandomQuarterTurn(0.0)(images), images)
    assert (which(RandomQuarterTurn(1.0)(images), [images.rot90(k, (-2, -1)) for k in range(4)]) > 0).all()


def test_quarter_turns_need_square_images(refuses) -> None:
    assert "got 6 x 5" in refuses(RandomQuarterTurn(0.5), torch.rand(2, 1, 6, 5))


@pytest.mark.parametrize("shape", [(6, 6), (5, 8)])
def test_shifts_are_whole_pixels_over_black(shape: tuple[int, int]) -> None:
    pixels = 2
    images = torch.rand(COUNT, 3, *shape) + 0.1
    padded = torch.nn.functional.pad(images, [pixels] * 4)
    height, width = shape
    candidates = [padded[:, :, dy : dy + height, dx : dx + width] for dy in range(5) for dx in range(5)]
    chosen = which(RandomShift(pixels)(images), candidates)
    counts = torch.bincount(chosen, minlength=25)
    assert counts.min() > 0  # all 25 shifts occur
    assert counts.max() < COUNT / 25 * 2.5
    assert torch.equal(RandomShift(0)(images), images)


@pytest.mark.parametrize(
    ("transform", "reference"),
    [
        (RandomBrightness, torchvision_functional.adjust_brightness),
        (RandomContrast, torchvision_functional.adjust_contrast),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_and_contrast_agree_with_torchvision(transform, reference, channels: int) -> None:
    images = torch.rand(50, channels, 6, 6)
    torch.manual_seed(1)
    factors = 1 + 0.4 * (2 * torch.rand(50) - 1)
    torch.manual_seed(1)
    result = transform(0.4)(images)
    expected = torch.stack(
        [reference(image, float(factor)) for image, factor in zip(images, factors, strict=True)]
    )
    # torchvision rounds its luminance weights to four digits.
    torch.testing.assert_close(result, expected, atol=2e-4, rtol=0)
    assert result.min() >= 0
    assert result.max() <= 1


def test_normalize_gives_mean_0_and_deviation_1(images) -> None:
    mean, deviation = images.mean(dim=(0, 2, 3)), images.std(dim=(0, 2, 3))
    normalized = Normalize(mean.tolist(), deviation.tolist())(images)
    torch.testing.assert_close(normalized.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalized.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-5, rtol=0)
    assert Normalize([0.5], [0.5]).state_dict() == {}


def test_images_are_not_changed_in_place(images) -> None:
    before = images.clone()
    build_augmentation(dict.fromkeys(AUGMENTATION, 0.5) | {"shift": 2})(images)
    assert torch.equal(images, before)


def test_the_generator_decides_everything(images) -> None:
    chain = build_augmentation(dict.fromkeys(AUGMENTATION, 0.5) | {"shift": 2})
    torch.manual_seed(3)
    first = chain(images)
    torch.manual_seed(3)
    assert torch.equal(chain(images), first)
    assert not torch.equal(chain(images), first)
    assert first.shape == images.shape
    assert first.dtype == images.dtype


def test_only_what_is_asked_for_is_built() -> None:
    assert [type(part) for part in build_augmentation({})] == [RandomHorizontalFlip]
    assert len(build_augmentation(dict.fromkeys(AUGMENTATION, 0))) == 0
    names = [name for name, _ in build_augmentation({"contrast": 0.1, "shift": 1}).named_children()]
    assert names == ["horizontal_flip", "shift", "contrast"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"horizontal_flips": 0.5}, "did you mean horizontal_flip?"),
        ({"vertical_flip": 1.5}, "vertical_flip must be a probability between 0 and 1, got 1.5"),
        ({"quarter_turn": -0.1}, "quarter_turn must be a probability"),
        ({"shift": -1}, "shift must be at least 0 pixels, got -1"),
        ({"brightness": 1.0}, "brightness must be at least 0 and below 1, got 1.0"),
        ({"contrast": -0.2}, "contrast must be at least 0 and below 1, got -0.2"),
    ],
)
def test_wrong_settings_are_refused(refuses, settings: dict, expected: str) -> None:
    assert expected in refuses(build_augmentation, settings)


def test_wrong_statistics_are_refused(refuses) -> None:
    assert "got 3 and 1 values" in refuses(Normalize, [0.1, 0.2, 0.3], [0.1])
    assert "must be positive, got [0.0]" in refuses(Normalize, [0.1], [0.0])
