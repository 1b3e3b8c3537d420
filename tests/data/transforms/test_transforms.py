"""Augmentation: every image has its own decision, no image is lost, the generator of the device decides everything."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as torchvision_functional

from medtail.data.transforms import (
    AUGMENTATION,
    CentreCrop,
    CifarAutoAugment,
    Cutout,
    MaskedNormalize,
    Normalize,
    RandomAffine,
    RandomBrightness,
    RandomContrast,
    RandomContrastGain,
    RandomCrop,
    RandomDepthFlip,
    RandomErasing,
    RandomGamma,
    RandomGaussianBlur,
    RandomHorizontalFlip,
    RandomQuarterTurn,
    RandomShift,
    RandomVerticalFlip,
    build_augmentation,
)
from medtail.recipes.schema import (
    AffineSettings,
    Augmentation,
    BlurSettings,
    ContrastGainSettings,
    ErasingSettings,
    GammaSettings,
    SharpnessSettings,
)

COUNT = 400

#: Every setting on, for images; volumes also flip in depth, and have no AutoAugment.
EVERYTHING = {
    "horizontal_flip": 0.5,
    "vertical_flip": 0.5,
    "quarter_turn": 0.5,
    "affine": {},
    "crop": 12,
    "shift": 0.125,
    "brightness": 0.5,
    "contrast": 0.5,
    "gamma": {},
    "contrast_gain": {},
    "blur": {},
    "sharpness": {},
    "cutout": 4,
}
EVERYTHING_2D = EVERYTHING | {"auto_augment": "cifar10", "erasing": {}}
EVERYTHING_3D = EVERYTHING | {"depth_flip": 0.5}


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
    chosen = which(RandomShift(pixels / min(shape))(images), candidates)
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


def batch(dimensions: int, channels: int = 3, count: int = 16, side: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, *(side,) * dimensions, generator=generator)


CHAINS = [
    (2, 1, EVERYTHING_2D),
    (2, 3, EVERYTHING_2D),
    (2, 4, EVERYTHING),
    (3, 1, EVERYTHING_3D),
    (3, 4, EVERYTHING_3D),
]


@pytest.mark.parametrize(("dimensions", "channels", "settings"), CHAINS)
def test_everything_together_stays_between_black_and_white(dimensions: int, channels: int, settings) -> None:
    images = batch(dimensions, channels)
    before = images.clone()
    chain = build_augmentation(settings)
    assert set(settings) == {name for name, _ in chain.named_children()}
    torch.manual_seed(3)
    first = chain(images)
    assert torch.equal(images, before)  # nothing is changed in place
    assert first.shape == (16, channels, *(12,) * dimensions)
    assert first.dtype == torch.float32
    assert first.min() >= 0
    assert first.max() <= 1
    torch.manual_seed(3)
    assert torch.equal(chain(images), first)  # the generator decides everything
    assert not torch.equal(chain(images), first)
    torch.manual_seed(3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(chain(images), first)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(
    "transform",
    [
        RandomAffine(1.0, degrees=0.0, scale=0.0),
        RandomAffine(0.0),
        RandomGamma(1.0, 1.0, 1.0),
        RandomGamma(0.0),
        RandomContrastGain(0.0),
        RandomGaussianBlur(1.0, sigma=0.0),
        RandomGaussianBlur(0.0),
        RandomCrop(16),
        CentreCrop(16),
        RandomShift(0),
        Cutout(0),
    ],
    ids=repr,
)
def test_at_no_strength_nothing_happens(dimensions: int, transform) -> None:
    images = batch(dimensions)
    torch.testing.assert_close(transform(images), images, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "transform",
    [
        RandomAffine(0.3, 40.0, 0.2),
        RandomGamma(0.3),
        RandomContrastGain(0.3),
        RandomGaussianBlur(0.3),
        RandomDepthFlip(0.3),
    ],
)
def test_a_share_of_the_images_is_changed_each_in_its_own_way(transform) -> None:
    images = batch(3, channels=1, count=1, side=6).expand(COUNT, -1, -1, -1, -1)
    results = transform(images)
    changed = (results != images).flatten(1).any(dim=1)
    assert 0.2 < changed.float().mean() < 0.4
    different = len(results[changed].flatten(1).unique(dim=0))
    assert different == (1 if isinstance(transform, RandomDepthFlip) else int(changed.sum()))


def test_flips_of_volumes_are_along_their_own_axis() -> None:
    volumes = batch(3)
    for transform, axis in ((RandomDepthFlip, -3), (RandomVerticalFlip, -2), (RandomHorizontalFlip, -1)):
        assert torch.equal(transform(1.0)(volumes), volumes.flip(axis))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_crops_are_windows_at_every_place(dimensions: int) -> None:
    images = batch(dimensions, count=COUNT, side=7)
    windows = images
    for axis in range(2, images.ndim):
        windows = windows.unfold(axis, 5, 1)
    candidates = list(windows.flatten(2, 1 + dimensions).unbind(2))
    places = which(RandomCrop(5)(images), candidates)
    assert torch.bincount(places, minlength=3**dimensions).min() > 0
    assert (which(CentreCrop(5)(images), candidates) == 3**dimensions // 2).all()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_blur_is_that_of_scipy(dimensions: int) -> None:
    images = batch(dimensions, channels=2, count=5, side=9)
    torch.manual_seed(5)
    torch.rand(5)
    sigmas = 1.5 * torch.rand(5)
    torch.manual_seed(5)
    blurred = RandomGaussianBlur(1.0, 1.5)(images)
    for image, sigma, result in zip(images, sigmas, blurred, strict=True):
        for channel, expected in zip(image.numpy(), result.numpy(), strict=True):
            reference = ndimage.gaussian_filter(channel, float(sigma), mode="reflect", truncate=6)
            np.testing.assert_allclose(expected, reference, atol=2e-5)


def test_gamma_and_gain_are_those_of_their_equations() -> None:
    images = batch(2, count=4)
    np.testing.assert_allclose(RandomGamma(1.0, 0.7, 0.7)(images), images.numpy() ** 0.7, rtol=1e-5)
    expected = 1 / (1 + np.exp(6 * (0.5 - images.numpy())))
    np.testing.assert_allclose(RandomContrastGain(1.0, 6.0, 6.0)(images), expected, rtol=1e-5)


def test_rotation_and_scale_are_about_the_centre() -> None:
    places = torch.arange(32.0) - 15.5
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    line = torch.exp(-(rows**2) / 8).expand(200, 1, 32, 32)
    middle = (rows**2 + columns**2) < 100
    torch.manual_seed(0)
    turned = RandomAffine(1.0, degrees=90.0, scale=0.0)(line)
    mass = turned[:, 0] * middle
    angles = (
        0.5
        * torch.atan2(
            2 * (mass * rows * columns).sum((1, 2)), (mass * (columns**2 - rows**2)).sum((1, 2))
        ).rad2deg()
    )
    # A line has no direction, so its angle is uniform over 180 degrees.
    assert torch.histc(angles, 6, -90, 90).min() > 10
    assert (mass.sum((1, 2)) - (line[0, 0] * middle).sum()).abs().max() < 0.05 * (line[0, 0] * middle).sum()
    # Nearer to the edge, mirrored pixels would count too.
    near = (rows**2 + columns**2) < 144
    disc = ((rows**2 + columns**2) < 64).float().expand(200, 1, 32, 32)
    areas = (RandomAffine(1.0, degrees=0.0, scale=0.5)(disc)[:, 0] * near).sum((1, 2)) / disc[0].sum()
    assert 0.2 < areas.min() < 0.35
    assert 1.9 < areas.max() < 2.35


@pytest.mark.parametrize("dimensions", [2, 3])
def test_cutout_hides_a_square_about_any_pixel(dimensions: int) -> None:
    images = torch.ones(COUNT, 3, *(8,) * dimensions)
    hidden = Cutout(4, fill=(0.1, 0.2, 0.3))(images)
    places = (hidden[:, 0] != 1).flatten(1)
    for channel, value in enumerate((0.1, 0.2, 0.3)):
        assert torch.equal((hidden[:, channel] == value).flatten(1), places)
    # The square is whole inside and loses up to half of its side at the edge.
    sides = {2, 3, 4}
    areas = {a * b * (c if dimensions == 3 else 1) for a in sides for b in sides for c in sides}
    assert set(places.sum(dim=1).tolist()) <= areas
    assert places.any(dim=0).all()


def test_auto_augment_draws_anew_for_each_image() -> None:
    photograph = np.linspace(0, 255, 32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8)
    images = (torch.from_numpy(photograph).permute(2, 0, 1).float() / 255).expand(100, -1, -1, -1)
    results = CifarAutoAugment()(images)
    assert len(results.flatten(1).unique(dim=0)) > 25
    torch.manual_seed(11)
    first = CifarAutoAugment()(images[:1])
    torch.manual_seed(11)
    expected = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)(torch.from_numpy(photograph).permute(2, 0, 1))
    assert torch.equal((first[0] * 255).round().to(torch.uint8), expected)


def test_masked_normalisation_leaves_the_background_black() -> None:
    volumes = batch(3, channels=2, count=6, side=8) * 0.5 + 0.25
    mask = torch.zeros(6, 1, 8, 8, 8, dtype=torch.bool)
    mask[:, :, 2:7, 1:6, 3:] = True
    normalized = MaskedNormalize()(volumes * mask)
    inside = normalized.masked_select(mask.expand_as(normalized)).reshape(6, 2, -1)
    torch.testing.assert_close(inside.mean(-1), torch.zeros(6, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(inside.std(-1, correction=0), torch.ones(6, 2), atol=1e-4, rtol=0)
    assert not normalized.masked_select(~mask.expand_as(normalized)).any()
    # The gain of the scanner, a constant channel and an empty image have no effect.
    torch.testing.assert_close(MaskedNormalize()(0.4 * volumes * mask), normalized, atol=1e-4, rtol=0)
    assert not MaskedNormalize()(mask.float()).any()
    assert not MaskedNormalize()(torch.zeros(2, 1, 4, 4)).any()


def test_only_what_is_asked_for_is_built() -> None:
    assert len(build_augmentation({})) == 0
    defaults = Augmentation().model_dump(include=set(AUGMENTATION))
    assert [type(part) for part in build_augmentation(defaults)] == [RandomHorizontalFlip]
    assert len(build_augmentation(dict.fromkeys(AUGMENTATION, 0))) == 0
    names = [name for name, _ in build_augmentation({"contrast": 0.1, "shift": 0.1}).named_children()]
    assert names == ["shift", "contrast"]


def test_official_fills_are_black_and_grey() -> None:
    settings = {"cutout": 4, "auto_augment": "cifar10"}
    for variant, fill in (("paper", 0.5), ("official", 0.0)):
        chain = build_augmentation(settings, mean=(0.5, 0.5, 0.5), variant=variant)
        assert chain.auto_augment.variant == variant
        assert (chain.cutout.fill == fill).all()


def test_recipes_and_transforms_have_the_same_defaults() -> None:
    # Mixup mixes images and targets, so it is not a transform; the others are no changes of one view.
    no_transforms = {"mixup", "contrast_view", "variant"}
    assert list(Augmentation().model_dump(exclude=no_transforms)) == list(AUGMENTATION)
    for key, settings in (
        ("affine", AffineSettings()),
        ("gamma", GammaSettings()),
        ("contrast_gain", ContrastGainSettings()),
        ("blur", BlurSettings()),
        ("sharpness", SharpnessSettings()),
        ("erasing", ErasingSettings()),
    ):
        given, bare = (
            build_augmentation({"horizontal_flip": 0, key: value})[0] for value in (settings.model_dump(), {})
        )
        numbers = {name: value for name, value in vars(given).items() if isinstance(value, float)}
        assert numbers
        assert numbers == {name: vars(bare)[name] for name in numbers}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"horizontal_flips": 0.5}, "did you mean horizontal_flip?"),
        ({"vertical_flip": 1.5}, "vertical_flip must be a number in [0, 1], got 1.5"),
        ({"quarter_turn": -0.1}, "quarter_turn must be a number in [0, 1], got -0.1"),
        ({"shift": 4}, "shift must be a number in [0, 1), got 4"),
        ({"brightness": 1.0}, "brightness must be a number in [0, 1), got 1.0"),
        ({"contrast": -0.2}, "contrast must be a number in [0, 1), got -0.2"),
        ({"depth_flip": 2}, "depth_flip must be a number in [0, 1], got 2"),
        ({"affine": {"degrees": 200}}, "affine.degrees must be a number in [0, 180], got 200"),
        ({"affine": {"scale": 1.0}}, "affine.scale must be a number in [0, 1), got 1.0"),
        ({"gamma": {"low": 2.0}}, "gamma needs 0 < low <= high, got low 2.0 and high 1.5"),
        ({"contrast_gain": {"low": 0.0}}, "contrast_gain needs 0 < low <= high"),
        ({"blur": {"sigma": -1}}, "blur.sigma must be a number in [0, inf), got -1"),
        ({"sharpness": {"low": 3}}, "sharpness.low must be a number in [0, 2], got 3"),
        ({"erasing": {"low": 0.5}}, "erasing needs 0 < low <= high, got low 0.5 and high 0.4"),
        ({"erasing": {"high": 1.5}}, "erasing.high must be a number"),
        ({"crop": -3}, "crop must be a whole number of at least 1, got -3"),
        ({"cutout": -3}, "cutout must be a whole number of at least 0, got -3"),
        (
            {"auto_augment": "cifar"},
            "auto_augment must be one of cifar10, got 'cifar'; did you mean cifar10?",
        ),
    ],
)
def test_wrong_settings_are_refused(refuses, settings: dict, expected: str) -> None:
    assert expected in refuses(build_augmentation, settings)


def test_wrong_statistics_are_refused(refuses) -> None:
    assert "got 3 and 1 values" in refuses(Normalize, [0.1, 0.2, 0.3], [0.1])
    assert "must be positive, got [0.0]" in refuses(Normalize, [0.1], [0.0])


def test_transforms_refuse_images_they_cannot_take(refuses) -> None:
    assert "got images, which have no depth" in refuses(RandomDepthFlip(), batch(2))
    assert "got 17 for 16 x 16;" in refuses(RandomCrop(17), batch(2))
    assert "got 17 for 16 x 16 x 16;" in refuses(CentreCrop(17), batch(3))
    assert "auto_augment needs images of 1 or 3 channels, got 4" in refuses(CifarAutoAugment(), batch(2, 4))
    assert "erasing needs images, got volumes" in refuses(RandomErasing(), batch(3))
    assert "3 spatial axes" in refuses(CifarAutoAugment(), batch(3))
