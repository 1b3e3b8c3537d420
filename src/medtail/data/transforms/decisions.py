"""Random decisions, one per image of a batch, and the ranges they may have."""

import torch
from torch import Tensor

from medtail.checks import number
from medtail.errors import InputError


def per_image(values: Tensor, images: Tensor) -> Tensor:
    """Reshape ``(N,)`` to ``(N, 1, …, 1)``."""
    return values.reshape(-1, *(1,) * (images.ndim - 1))


def chosen(probability: float, images: Tensor) -> Tensor:
    """A mask ``(N, 1, …, 1)`` that is true for each image with the given probability."""
    return per_image(torch.rand(images.shape[0], device=images.device) < probability, images)


def uniform(low: float, high: float, images: Tensor) -> Tensor:
    """One number per image, uniform in [low, high], shape ``(N, 1, …, 1)``."""
    drawn = torch.rand(images.shape[0], device=images.device, dtype=images.dtype)
    return per_image(low + (high - low) * drawn, images)


def check_probability(name: str, value: float) -> float:
    """Return ``value``, which must lie in [0, 1]."""
    return number(name, value, low=0, high=1, remedy="e.g. 0.5")


def check_strength(name: str, value: float) -> float:
    """Return ``value``, a relative change, which must lie in [0, 1) so that no factor reaches zero."""
    return number(name, value, low=0, high=1, open_high=True, remedy="e.g. 0.2")


def check_interval(name: str, low: float, high: float, example: str) -> tuple[float, float]:
    """Return both ends of an interval, which must be positive and not empty."""
    if not 0.0 < low <= high:
        raise InputError(f"{name} needs 0 < low <= high, got low {low} and high {high}; e.g. {example}")
    return low, high
