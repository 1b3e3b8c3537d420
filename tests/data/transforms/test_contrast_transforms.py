"""The transforms of contrastive views: each image is what torchvision makes of it with the same draws."""

import pytest
import torch
from torchvision.transforms.v2 import functional

from medtail.data.transforms import RandomColorJitter, RandomGaussianBlur, RandomGrey, RandomResizedCrop
from medtail.data.transforms.colour import _turned
from medtail.data.transforms.intensity import luminance


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(300, 3, 10, 12)


@pytest.mark.parametrize("turn", [-0.5, -0.1, 0.0, 0.07, 0.5])
def test_a_turned_hue_is_torchvisions(images, turn: float) -> None:
    images = torch.cat([images[:20], images[:1, :1].expand(1, 3, -1, -1), torch.zeros(1, 3, 10, 12)])
    turned = _turned(images, torch.arange(len(images)), turns=torch.full((len(images), 1, 1, 1), turn))
    torch.testing.assert_close(turned, functional.adjust_hue(images, turn), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("setting", "adjust"),
    [
        ("brightness", functional.adjust_brightness),
        ("contrast", functional.adjust_contrast),
        ("saturation", functional.adjust_saturation),
        ("hue", functional.adjust_hue),
    ],
)
def test_jitter_of_one_kind_is_torchvisions(images, setting: str, adjust) -> None:
    others = dict.fromkeys(("brightness", "contrast", "saturation", "hue"), 0.0)
    jittered = RandomColorJitter(1.0, **others | {setting: 0.3})(images)
    middle = 0.0 if setting == "hue" else 1.0
    factors = torch.linspace(middle - 0.3, middle + 0.3, 2001)
    for image, result in zip(images[:5], jittered, strict=False):
        candidates = torch.stack([adjust(image, float(factor)) for factor in factors])
        assert (candidates - result).abs().amax((1, 2, 3)).min() < 2e-3


def test_every_order_of_jitter_occurs(images) -> None:
    # Brightness clips what is bright, so that what comes after it sees another image.
    image = images[:1].expand(300, -1, -1, -1)
    jitter = RandomColorJitter(1.0, brightness=0.9, contrast=0.9, saturation=0.9, hue=0.5)
    assert len(jitter(image).flatten(1).unique(dim=0)) == 300


def test_a_share_of_the_images_is_jittered(images) -> None:
    changed = (RandomColorJitter(0.3)(images) != images).flatten(1).any(1).float().mean()
    assert 0.2 < changed < 0.4
    grey = torch.rand(50, 1, 8, 8)
    unchanged = RandomColorJitter(1.0, brightness=0, contrast=0)(grey)
    torch.testing.assert_close(unchanged, grey)


def test_grey_images_have_the_luminance_everywhere(images) -> None:
    result = RandomGrey(0.5)(images)
    is_grey = (result == luminance(images)).flatten(1).all(1)
    assert torch.equal(result[~is_grey], images[~is_grey])
    assert 0.4 < is_grey.float().mean() < 0.6


def test_blur_has_a_least_width() -> None:
    image = torch.zeros(200, 1, 21, 21)
    image[:, :, 10, 10] = 1
    centres = RandomGaussianBlur(1.0, sigma=2.0, low=1.0)(image)[:, 0, 10, 10]
    # The share of a Gaussian that stays in its own pixel, at widths 1 and 2.
    assert centres.max() < 0.16 and centres.min() > 0.037


@pytest.mark.parametrize("shape", [(16, 16), (12, 20)])
def test_resized_crops_are_torchvisions(shape: tuple[int, int]) -> None:
    images = torch.rand(200, 3, *shape)
    transform = RandomResizedCrop(0.2, 0.8)
    torch.manual_seed(3)
    corners, sides = transform._windows(images)
    torch.manual_seed(3)
    results = transform(images)
    assert torch.equal(corners, corners.round()) and torch.equal(sides, sides.round())
    for number in range(50):
        (top, left), (height, width) = corners[:, number].int().tolist(), sides[:, number].int().tolist()
        part = functional.crop(images[number], top, left, height, width)
        assert part.shape[1:] == (height, width) and top >= 0 and left >= 0
        assert top + height <= shape[0] and left + width <= shape[1]
        expected = functional.resize(part, list(shape), antialias=False)
        torch.testing.assert_close(results[number], expected, atol=1e-5, rtol=0)


def test_areas_and_shapes_are_in_range() -> None:
    images = torch.rand(2000, 1, 100, 100)
    corners, sides = RandomResizedCrop(0.2, 1.0)._windows(images)
    areas, ratios = sides.prod(0) / 100**2, sides[1] / sides[0]
    assert areas.min() > 0.19 and areas.max() <= 1 and 0.5 < areas.mean() < 0.62
    assert ratios.min() > 0.73 and ratios.max() < 1.37
    assert (corners >= 0).all() and (corners + sides <= 100).all()


def test_the_whole_is_taken_where_nothing_fits() -> None:
    corners, sides = RandomResizedCrop(1.0, 1.0, ratio=1.0)._windows(torch.rand(5, 1, 10, 40))
    assert sides.tolist() == [[10] * 5, [10] * 5] and corners.tolist() == [[0] * 5, [15] * 5]


def test_resized_crops_have_the_size_asked_for(images) -> None:
    assert RandomResizedCrop(size=7)(images).shape == (300, 3, 7, 7)


def test_wrong_settings_are_refused(refuses) -> None:
    assert "resized_crop needs 0 < low <= high" in refuses(RandomResizedCrop, 0.9, 0.2)
    assert "resized_crop.high must be a number" in refuses(RandomResizedCrop, 0.9, 1.2)
    assert "resized_crop.ratio must be a number in [1" in refuses(RandomResizedCrop, ratio=0.5)
    assert "got volumes" in refuses(RandomResizedCrop(), torch.rand(2, 1, 4, 4, 4))
    assert "color_jitter.hue must be a number in [0, 0.5]" in refuses(RandomColorJitter, hue=0.6)
    assert "blur.low must be a number in [0, 1]" in refuses(RandomGaussianBlur, sigma=1.0, low=2.0)
