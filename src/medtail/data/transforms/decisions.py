"""What each image of a batch decides for itself, and the ranges it may decide in."""

import torch
from torch import Tensor

from medtail.errors import InputError


def per_image(values: Tensor, images: Tensor) -> Tensor:
    """Shape ``(N,)`` to ``(N, 1, …, 1)``."""
    return values.reshape(-1, *(1,) * (images.ndim - 1))


def chosen(probability: float, images: Tensor) -> Tensor:
    """A mask ``(N, 1, …, 1)``, true for each image with the given probability."""
    return per_image(torch.rand(images.shape[0], device=images.device) < probability, images)


def uniform(low: float, high: float, images: Tensor) -> Tensor:
    """One number an image, uniform in [low, high], shape ``(N, 1, …, 1)``."""
    drawn = torch.rand(images.shape[0], device=images.device, dtype=images.dtype)
    return per_image(low + (high - low) * drawn, images)


def check_probability(name: str, value: float) -> float:
    """Refuse what is no probability."""
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name} must be a probability between 0 and 1, got {value}; e.g. 0.5")
    return value


def check_strength(name: str, value: float) -> float:
    """Refuse a relative change that could reach zero."""
    if not 0.0 <= value < 1.0:
        raise InputError(f"{name} must be at least 0 and below 1, got {value}; e.g. 0.2")
    return value


def check_interval(name: str, low: float, high: float, example: str) -> tuple[float, float]:
    """Refuse an interval that is empty or not positive."""
    if not 0.0 < low <= high:
        raise InputError(f"{name} needs 0 < low <= high, got low {low} and high {high}; e.g. {example}")
    return low, high
