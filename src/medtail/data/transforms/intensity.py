"""Transforms of brightness: brightness, contrast, gamma, blur. Everything stays in [0, 1]."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from medtail.checks import number
from medtail.data.transforms.decisions import (
    check_interval,
    check_probability,
    check_strength,
    chosen,
    uniform,
)

#: ITU-R 601 luminance, as in Pillow and torchvision.
_LUMINANCE = (0.299, 0.587, 0.114)


@final
class RandomBrightness(nn.Module):
    """Multiply by a factor and clip to [0, 1].

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
    """Move away from, or towards, the mean luminance of the image, and clip to [0, 1].

    Args:
        strength: The factor of each image is uniform in [1 - strength, 1 + strength].
    """

    def __init__(self, strength: float = 0.2) -> None:
        super().__init__()
        self.strength = check_strength("contrast", strength)

    def forward(self, images: Tensor) -> Tensor:
        factors = uniform(1.0 - self.strength, 1.0 + self.strength, images)
        mean = luminance(images).mean(dim=tuple(range(1, images.ndim)), keepdim=True)
        return (mean + factors * (images - mean)).clamp(0.0, 1.0)


@final
class RandomGamma(nn.Module):
    r"""Raise to a power: :math:`x^\gamma`; black and white stay as they are.

    Args:
        probability: For each image; 0.5 in Scholz et al. (2024).
        low: Smallest γ; 0.5 in the paper.
        high: Largest γ; 1.5 in the paper.
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
        probability: For each image; 0.5 in Scholz et al. (2024, B.2.2), on fundus photographs.
        low: Smallest gain g; 5 in the paper.
        high: Largest gain; 10 in the paper.
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
class RandomSharpness(nn.Module):
    """Move away from, or towards, the smoothed image, slice by slice in volumes, and clip to [0, 1].

    Args:
        probability: For each image.
        low: Least factor; 0 smoothes by the 3 × 3 filter of Pillow, 1 leaves the image as it is.
        high: Greatest factor; 2 doubles the difference to the smoothed image.

    The outermost pixels have no whole neighbourhood, and stay.
    """

    def __init__(self, probability: float = 0.5, low: float = 0.0, high: float = 2.0) -> None:
        super().__init__()
        self.probability = check_probability("sharpness.probability", probability)
        self.high = number("sharpness.high", high, low=0, remedy="e.g. 2")
        self.low = number("sharpness.low", low, low=0, high=self.high, remedy="0 smoothes")

    def forward(self, images: Tensor) -> Tensor:
        is_chosen = chosen(self.probability, images)
        factors = uniform(self.low, self.high, images)
        if min(images.shape[-2:]) < 3:
            return images
        flat = images.flatten(1, -3)
        smoothed = flat.clone()
        inner = flat[..., 1:-1, 1:-1]
        smoothed[..., 1:-1, 1:-1] = (9 * functional.avg_pool2d(flat, 3, stride=1) + 4 * inner) / 13
        smoothed = smoothed.reshape(images.shape)
        return torch.where(is_chosen, (smoothed + factors * (images - smoothed)).clamp(0.0, 1.0), images)


@final
class RandomGaussianBlur(nn.Module):
    """Blur along every axis with a Gaussian whose width each image draws; edges are mirrored, as in SciPy by default.

    Args:
        probability: For each image; 0.5 in Scholz et al. (2024, B.1.2), on volumes.
        sigma: The standard deviation of each image is uniform in [low, sigma] pixels; 1.5 in the paper.
        low: 0 in the paper; SimCLR blurs between 0.1 and 2.
    """

    def __init__(self, probability: float = 0.5, sigma: float = 1.5, low: float = 0.0) -> None:
        super().__init__()
        self.probability = check_probability("blur.probability", probability)
        self.sigma = number("blur.sigma", sigma, low=0, remedy="e.g. 1.5")
        self.low = number("blur.low", low, low=0, high=self.sigma, remedy="0 is usual, and 0.1 in SimCLR")

    def forward(self, images: Tensor) -> Tensor:
        is_chosen = chosen(self.probability, images)
        sigmas = uniform(self.low, self.sigma, images)
        blurred = images
        # Autocast would round a product of matrices to bfloat16.
        with torch.autocast(images.device.type, enabled=False):
            for axis in range(2, images.ndim):
                rows = blurred.movedim(axis, -1)
                weights = _blur_weights(sigmas.flatten(), rows.shape[-1])
                smoothed = rows.reshape(len(rows), -1, rows.shape[-1]) @ weights.mT
                blurred = smoothed.reshape(rows.shape).movedim(-1, axis)
        return torch.where(is_chosen, blurred.clamp(0.0, 1.0), images)


def _blur_weights(sigmas: Tensor, side: int) -> Tensor:
    """Weight of each pixel (last axis) in each pixel of the result: ``(N, side, side)``, rows sum to 1."""
    places = torch.arange(side, device=sigmas.device, dtype=sigmas.dtype)
    distance = places[:, None] - places
    # Each pixel, and its mirror images before the first and after the last pixel.
    mirrored = places[:, None] + places + 1
    distances = torch.stack([distance, mirrored, 2 * side - mirrored])
    # A width of 0 would divide 0 by 0; the smallest width allowed here blurs nothing.
    widths = sigmas.clamp(min=1e-3)[:, None, None, None]
    weights = torch.exp(-0.5 * (distances / widths).square()).sum(dim=1)
    return weights / weights.sum(dim=-1, keepdim=True)


def luminance(images: Tensor) -> Tensor:
    """Return the luminance ``(N, 1, …)`` of images of three channels; others stay as they are."""
    if images.shape[1] != len(_LUMINANCE):
        return images
    red, green, blue = images.unbind(1)
    return (_LUMINANCE[0] * red + _LUMINANCE[1] * green + _LUMINANCE[2] * blue).unsqueeze(1)
