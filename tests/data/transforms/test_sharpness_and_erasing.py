"""Sharpness as torchvision has it, and rectangles of the promised size, shape and place."""

import pytest
import torch
from torchvision.transforms.v2 import functional

from medtail.data.transforms import RandomErasing, RandomSharpness


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 2.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_sharpness_is_torchvisions(factor: float, channels: int) -> None:
    images = torch.rand(20, channels, 9, 7)
    result = RandomSharpness(1.0, factor, factor)(images)
    torch.testing.assert_close(result, functional.adjust_sharpness(images, factor), atol=1e-6, rtol=0)


def test_volumes_are_sharpened_slice_by_slice() -> None:
    volumes = torch.rand(4, 2, 5, 8, 8)
    result = RandomSharpness(1.0, 1.7, 1.7)(volumes)
    for index in range(5):
        expected = functional.adjust_sharpness(volumes[:, 0, index, None], 1.7)[:, 0]
        torch.testing.assert_close(result[:, 0, index], expected, atol=1e-6, rtol=0)


def test_each_image_draws_its_sharpness() -> None:
    image = torch.rand(1, 3, 8, 8).expand(200, -1, -1, -1)
    result = RandomSharpness(0.5)(image)
    unchanged = (result == image).flatten(1).all(1).float().mean()
    assert 0.35 < unchanged < 0.65
    assert len(result.flatten(1).unique(dim=0)) > 70
    tiny = torch.rand(4, 1, 2, 2)
    assert torch.equal(RandomSharpness(1.0)(tiny), tiny)


def hidden_part(hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Heights and widths of the hidden rectangles ``(N, H, W)``, each of which must be whole."""
    heights, widths = hidden.any(2).sum(1), hidden.any(1).sum(1)
    assert torch.equal(hidden.flatten(1).sum(1), heights * widths)
    return heights, widths


def test_rectangles_have_the_area_and_shape_that_were_asked_for() -> None:
    images = torch.ones(2000, 3, 64, 48)
    result = RandomErasing(1.0, 0.1, 0.3, ratio=2, fill=(0.1, 0.2, 0.3))(images)
    hidden = result[:, 0] != 1
    for channel, value in enumerate((0.1, 0.2, 0.3)):
        assert torch.equal(result[:, channel] != 1, hidden)
        torch.testing.assert_close(result[:, channel][hidden], torch.full((int(hidden.sum()),), value))
    heights, widths = hidden_part(hidden)
    shares = heights * widths / (64 * 48)
    assert shares.min() > 0.09 and shares.max() < 0.32
    assert shares.mean() == pytest.approx(0.2, abs=0.01)
    ratios = widths / heights
    assert ratios.min() > 0.45 and ratios.max() < 2.2 and ratios.log().mean().abs() < 0.05
    # Every pixel is hidden in some image, the corners too.
    assert hidden.any(0).all()


def test_a_share_of_the_images_is_erased_and_long_rectangles_are_cut() -> None:
    images = torch.ones(400, 1, 10, 40)
    assert 0.4 < (RandomErasing(0.5)(images) != 1).flatten(1).any(1).float().mean() < 0.6
    heights, widths = hidden_part(RandomErasing(1.0, 0.5, 0.5, ratio=4)(images)[:, 0] != 1)
    assert heights.max() == 10 and widths.max() <= 40
