"""How bright pixels are: brightness, contrast, gamma, blur. Everything stays in [0, 1]."""

from typing import final

import torch
from torch import Tensor, nn

from medtail.data.transforms.decisions import (
    check_interval,
    check_probability,
    check_strength,
    chosen,
    uniform,
)
from medtail.errors import InputError

#: ITU-R 601 luminance, as Pillow and torchvision have it.
_LUMINANCE = (0.299, 0.587, 0.114)


@final
class RandomBrightness(nn.Module):
    """Multiply by a factor, clip to [0, 1].

    Args:
        strength: The factor of each image is uniform in [1 - strength, 1 + strength].
    """

    def __init__(self, strength: float = 0.2) -> None:
        super().__init__()
        self.strength = check_strength("brightness", strength)

    def forward(self, images: Tensor) -> Tensor:
        return (images * uniform(1.0 - self.strength, 1.0 + self.strength, images)).clamp(0.0, 1.0)


@final
class RandomContrast(nn.Module):
    """Move away from, or towards, the mean luminance of the image, clip to [0, 1].

    Args:
        strength: The factor of each image is uniform in [1 - strength, 1 + strength].
    """

    def __init__(self, strength: float = 0.2) -> None:
        super().__init__()
        self.strength = check_strength("contrast", strength)

    def forward(self, images: Tensor) -> Tensor:
        factors = uniform(1.0 - self.strength, 1.0 + self.strength, images)
        mean = _luminance(images).mean(dim=tuple(range(1, images.ndim)), keepdim=True)
        return (mean + factors * (images - mean)).clamp(0.0, 1.0)


@final
class RandomGamma(nn.Module):
    r"""Raise to a power: :math:`x^\gamma`; black and white stay.

    Args:
        probability: For each image; Scholz et al. (2024): 0.5.
        low: Least γ; theirs is 0.5.
        high: Greatest γ; theirs is 1.5.
    """

    def __init__(self, probability: float = 0.5, low: float = 0.5, high: float = 1.5) -> None:
        super().__init__()
        self.probability = check_probability("gamma.probability", probability)
        self.low, self.high = check_interval("gamma", low, high, "0.5 and 1.5")

    def forward(self, images: Tensor) -> Tensor:
        is_chosen = chosen(self.probability, images)
        powers = uniform(self.low, self.high, images)
        return torch.where(is_chosen, images.clamp(0.0, 1.0) ** powers, images)


@final
class RandomContrastGain(nn.Module):
    r"""Sigmoid contrast: :math:`1 / (1 + e^{g (1/2 - x)})`; black becomes :math:`1 / (1 + e^{g/2})`, not 0.

    Args:
        probability: For each image; Scholz et al. (2024, B.2.2): 0.5, on fundus photographs.
        low: Least gain g; theirs is 5.
        high: Greatest gain; theirs is 10.
    """

    def __init__(self, probability: float = 0.5, low: float = 5.0, high: float = 10.0) -> None:
        super().__init__()
        self.probability = check_probability("contrast_gain.probability", probability)
        self.low, self.high = check_interval("contrast_gain", low, high, "5 and 10")

    def forward(self, images: Tensor) -> Tensor:
        is_chosen = chosen(self.probability, images)
        gains = uniform(self.low, self.high, images)
        return torch.where(is_chosen, torch.sigmoid(gains * (images - 0.5)), images)


@final
class RandomGaussianBlur(nn.Module):
    """Blur along every axis with a Gaussian of the image's own width; edges are mirrored, as SciPy does by default.

    Args:
        probability: For each image; Scholz et al. (2024, B.1.2): 0.5, on volumes.
        sigma: The standard deviation of each image is uniform in [0, sigma] pixels; theirs is 1.5.
    """

    def __init__(self, probability: float = 0.5, sigma: float = 1.5) -> None:
        super().__init__()
        self.probability = check_probability("blur.probability", probability)
        if sigma < 0:
            raise InputError(f"blur.sigma must be at least 0 pixels, got {sigma}; e.g. 1.5")
        self.sigma = sigma

    def forward(self, images: Tensor) -> Tensor:
        is_chosen = chosen(self.probability, images)
        sigmas = uniform(0.0, self.sigma, images)
        blurred = images
        # A product of matrices, which autocast would round to bfloat16.
        with torch.autocast(images.device.type, enabled=False):
            for axis in range(2, images.ndim):
                rows = blurred.movedim(axis, -1)
                weights = _blur_weights(sigmas.flatten(), rows.shape[-1])
                smoothed = rows.reshape(len(rows), -1, rows.shape[-1]) @ weights.mT
                blurred = smoothed.reshape(rows.shape).movedim(-1, axis)
        return torch.where(is_chosen, blurred.clamp(0.0, 1.0), images)


def _blur_weights(sigmas: Tensor, side: int) -> Tensor:
    """How much of each pixel (last axis) goes into each pixel of the result: ``(N, side, side)``, rows sum to 1."""
    places = torch.arange(side, device=sigmas.device, dtype=sigmas.dtype)
    distance = places[:, None] - places
    # The pixel itself, and its image in the mirror before the first and after the last one.
    mirrored = places[:, None] + places + 1
    distances = torch.stack([distance, mirrored, 2 * side - mirrored])
    # A width of 0 would divide 0 by 0; from here on it blurs nothing.
    widths = sigmas.clamp(min=1e-3)[:, None, None, None]
    weights = torch.exp(-0.5 * (distances / widths).square()).sum(dim=1)
    return weights / weights.sum(dim=-1, keepdim=True)


def _luminance(images: Tensor) -> Tensor:
    if images.shape[1] != len(_LUMINANCE):
        return images
    red, green, blue = images.unbind(1)
    return (_LUMINANCE[0] * red + _LUMINANCE[1] * green + _LUMINANCE[2] * blue).unsqueeze(1)
