"""Augmentation of whole batches on the device, every image with its own random decision.

Images are float ``(N, channels, H, W)`` in [0, 1]. Randomness comes from PyTorch's global generator of the images'
device. Nothing waits for the device: decisions are masks, never branches.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from medtail.errors import InputError
from medtail.naming import nearest

#: ITU-R 601 luminance, as Pillow and torchvision have it.
_LUMINANCE = (0.299, 0.587, 0.114)


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    """Shape ``(N,)`` to ``(N, 1, …, 1)``."""
    return values.reshape(-1, *(1,) * (images.ndim - 1))


def _chosen(probability: float, images: Tensor) -> Tensor:
    """A mask ``(N, 1, …, 1)``, true for each image with the given probability."""
    return _per_image(torch.rand(images.shape[0], device=images.device) < probability, images)


def _check_probability(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name} must be a probability between 0 and 1, got {value}; e.g. 0.5")
    return value


def _check_range(name: str, value: float) -> float:
    if not 0.0 <= value < 1.0:
        raise InputError(f"{name} must be at least 0 and below 1, got {value}; e.g. 0.2")
    return value


@final
class RandomHorizontalFlip(nn.Module):
    """Mirror left and right.

    Args:
        probability: For each image.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__()
        self.probability = _check_probability("horizontal_flip", probability)

    def forward(self, images: Tensor) -> Tensor:
        return torch.where(_chosen(self.probability, images), images.flip(-1), images)


@final
class RandomVerticalFlip(nn.Module):
    """Mirror top and bottom.

    Args:
        probability: For each image.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__()
        self.probability = _check_probability("vertical_flip", probability)

    def forward(self, images: Tensor) -> Tensor:
        return torch.where(_chosen(self.probability, images), images.flip(-2), images)


@final
class RandomQuarterTurn(nn.Module):
    """Turn by 90, 180 or 270 degrees, each equally likely; exact, no interpolation.

    Args:
        probability: Of being turned at all, for each image; 0.75 makes the four directions equally likely.

    Raises:
        InputError: On use, when images are not square.
    """

    def __init__(self, probability: float = 0.75) -> None:
        super().__init__()
        self.probability = _check_probability("quarter_turn", probability)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[-1] != images.shape[-2]:
            raise InputError(
                f"quarter_turn needs square images, got {images.shape[-2]} x {images.shape[-1]}; "
                f"resize them or set it to 0"
            )
        turned_at_all = _chosen(self.probability, images)
        turns = torch.randint(1, 4, (images.shape[0],), device=images.device)
        quarters = torch.where(turned_at_all, _per_image(turns, images), 0)
        turned = images
        for quarter in (1, 2, 3):
            turned = torch.where(quarters == quarter, images.rot90(quarter, (-2, -1)), turned)
        return turned


@final
class RandomShift(nn.Module):
    """Pad with black on all sides, crop back at a random place (He et al. 2016, §4.2: 4 pixels for CIFAR).

    Args:
        pixels: Padding of each side; shifts are whole numbers, uniform in [-pixels, pixels] on both axes.
    """

    def __init__(self, pixels: int = 4) -> None:
        super().__init__()
        if pixels < 0:
            raise InputError(f"shift must be at least 0 pixels, got {pixels}; e.g. 4")
        self.pixels = pixels

    def forward(self, images: Tensor) -> Tensor:
        count, _, height, width = images.shape
        padded = functional.pad(images, [self.pixels] * 4)
        device = images.device
        corner = torch.randint(0, 2 * self.pixels + 1, (2, count, 1), device=device)
        rows = corner[0] + torch.arange(height, device=device)
        columns = corner[1] + torch.arange(width, device=device)
        numbers = torch.arange(count, device=device)
        # Advanced indices apart from each other put their dimensions first: (N, H, W, channels).
        cropped = padded[numbers[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        return cropped.permute(0, 3, 1, 2)


@final
class RandomBrightness(nn.Module):
    """Multiply by a factor, clip to [0, 1].

    Args:
        strength: The factor of each image is uniform in [1 - strength, 1 + strength].
    """

    def __init__(self, strength: float = 0.2) -> None:
        super().__init__()
        self.strength = _check_range("brightness", strength)

    def forward(self, images: Tensor) -> Tensor:
        return (images * _factors(self.strength, images)).clamp(0.0, 1.0)


@final
class RandomContrast(nn.Module):
    """Move away from, or towards, the mean luminance of the image, clip to [0, 1].

    Args:
        strength: The factor of each image is uniform in [1 - strength, 1 + strength].
    """

    def __init__(self, strength: float = 0.2) -> None:
        super().__init__()
        self.strength = _check_range("contrast", strength)

    def forward(self, images: Tensor) -> Tensor:
        factors = _factors(self.strength, images)
        mean = _luminance(images).mean(dim=tuple(range(1, images.ndim)), keepdim=True)
        return (mean + factors * (images - mean)).clamp(0.0, 1.0)


def _factors(strength: float, images: Tensor) -> Tensor:
    drawn = torch.rand(images.shape[0], device=images.device, dtype=images.dtype)
    return _per_image(1.0 + strength * (2.0 * drawn - 1.0), images)


def _luminance(images: Tensor) -> Tensor:
    if images.shape[1] != len(_LUMINANCE):
        return images
    red, green, blue = images.unbind(1)
    return (_LUMINANCE[0] * red + _LUMINANCE[1] * green + _LUMINANCE[2] * blue).unsqueeze(1)


@final
class Normalize(nn.Module):
    """Subtract the mean and divide by the standard deviation of each channel.

    Args:
        mean: One value a channel, of pixels in [0, 1].
        standard_deviation: One positive value a channel.
    """

    mean: Tensor
    standard_deviation: Tensor

    def __init__(self, mean: Sequence[float], standard_deviation: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(standard_deviation):
            raise InputError(
                f"mean and standard_deviation must be of the same channels, got {len(mean)} and "
                f"{len(standard_deviation)} values; give one of each a channel"
            )
        if min(standard_deviation) <= 0:
            raise InputError(
                f"standard_deviation must be positive, got {list(standard_deviation)}; use 1 for a constant channel"
            )
        # They belong to the facts of the training data, not to the weights.
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32), persistent=False)
        self.register_buffer(
            "standard_deviation", torch.tensor(standard_deviation, dtype=torch.float32), persistent=False
        )

    def forward(self, images: Tensor) -> Tensor:
        shape = (1, -1, *(1,) * (images.ndim - 2))
        return (images - self.mean.reshape(shape)) / self.standard_deviation.reshape(shape)


#: What each setting is when it is not given: images are mirrored, nothing else.
AUGMENTATION: Mapping[str, float] = {
    "horizontal_flip": 0.5,
    "vertical_flip": 0.0,
    "quarter_turn": 0.0,
    "shift": 0,
    "brightness": 0.0,
    "contrast": 0.0,
}

_TRANSFORMS: Mapping[str, Callable[[Any], nn.Module]] = {
    "horizontal_flip": RandomHorizontalFlip,
    "vertical_flip": RandomVerticalFlip,
    "quarter_turn": RandomQuarterTurn,
    "shift": RandomShift,
    "brightness": RandomBrightness,
    "contrast": RandomContrast,
}


def build_augmentation(settings: Mapping[str, float]) -> nn.Sequential:
    """Chain the transforms whose setting is not 0, in the order of :data:`AUGMENTATION`.

    Args:
        settings: Keys of :data:`AUGMENTATION`; what is left out keeps its default.

    Raises:
        InputError: A key is unknown or a value is out of range.

    Example:
        >>> build_augmentation({"horizontal_flip": 0.0, "shift": 2})
        Sequential(
          (shift): RandomShift()
        )
    """
    for key in settings:
        if key not in AUGMENTATION:
            raise InputError(
                f"augmentation has no setting {key!r}{nearest(key, AUGMENTATION)}; "
                f"allowed: {', '.join(AUGMENTATION)}"
            )
    chain = nn.Sequential()
    for key, value in {**AUGMENTATION, **settings}.items():
        if value:
            chain.add_module(key, _TRANSFORMS[key](value))
    return chain
