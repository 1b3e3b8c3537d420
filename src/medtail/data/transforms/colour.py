"""Colours: brightness, contrast, saturation and hue together, and images without colour."""

from collections.abc import Callable
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from medtail.checks import number
from medtail.data.transforms.decisions import check_probability, check_strength, chosen, per_image, uniform
from medtail.data.transforms.intensity import luminance


@final
class RandomColorJitter(nn.Module):
    """Change brightness, contrast, saturation and hue, in an order that each image draws for itself.

    Args:
        probability: For each image; SimCLR: 0.8.
        brightness: The factor of each image is uniform in [1 - brightness, 1 + brightness].
        contrast: Likewise, away from the mean luminance.
        saturation: Likewise, away from the grey image.
        hue: The turn of each image is uniform in [-hue, hue] of the circle of colours, at most 0.5.

    Raises:
        InputError: A setting is out of range.

    Images that are not of three channels have no saturation and no hue, which leave them as they are.

    Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020 (SimCLR).
    """

    def __init__(
        self,
        probability: float = 0.8,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.1,
    ) -> None:
        super().__init__()
        self.probability = check_probability("color_jitter.probability", probability)
        self.brightness = check_strength("color_jitter.brightness", brightness)
        self.contrast = check_strength("color_jitter.contrast", contrast)
        self.saturation = check_strength("color_jitter.saturation", saturation)
        self.hue = number("color_jitter.hue", hue, low=0, high=0.5, remedy="e.g. 0.1")

    def forward(self, images: Tensor) -> Tensor:
        # The host draws who is changed and in which order, so that a turn of hue is computed once per image.
        is_chosen = torch.rand(len(images)) < self.probability
        order = torch.rand(4, len(images)).argsort(dim=0)
        factors = [
            uniform(1.0 - strength, 1.0 + strength, images)
            for strength in (self.brightness, self.contrast, self.saturation)
        ]
        turns = uniform(-self.hue, self.hue, images)
        changed = images
        for step in order:
            changed = _where(changed, is_chosen & (step == 3), partial(_turned, turns=turns))
            changed = _where(changed, is_chosen & (step != 3), partial(_mixed, step=step, factors=factors))
        return changed


@final
class RandomGrey(nn.Module):
    """Put the luminance into every channel.

    Args:
        probability: For each image; SimCLR: 0.2.

    Images that are not of three channels stay as they are.
    """

    def __init__(self, probability: float = 0.2) -> None:
        super().__init__()
        self.probability = check_probability("grey", probability)

    def forward(self, images: Tensor) -> Tensor:
        return torch.where(chosen(self.probability, images), luminance(images), images)


def _where(images: Tensor, is_chosen: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the batch with ``change(images, rows)`` in the rows of a mask on the CPU."""
    rows = is_chosen.nonzero().squeeze(1)
    if not len(rows):
        return images
    places = rows.to(images.device, non_blocking=True)
    return images.index_copy(0, places, change(images[places], places))


def _mixed(images: Tensor, rows: Tensor, *, step: Tensor, factors: list[Tensor]) -> Tensor:
    """Mix with another image: black, the mean luminance, or the grey image."""
    grey = luminance(images)
    kind = per_image(step.to(images.device, non_blocking=True), images)[rows]
    other = torch.where(kind == 1, grey.mean(tuple(range(1, images.ndim)), keepdim=True), 0.0)
    other = torch.where(kind == 2, grey, other)
    factor = torch.stack(factors)[:, rows].gather(0, kind.unsqueeze(0)).squeeze(0)
    return (other + factor * (images - other)).clamp(0.0, 1.0)


def _turned(images: Tensor, rows: Tensor, *, turns: Tensor) -> Tensor:
    """Turn the hue of images in [0, 1], leaving saturation and value (the HSV model)."""
    if images.shape[1] != 3:
        return images
    red, green, blue = images.unbind(1)
    value, least = images.amax(1), images.amin(1)
    chroma = value - least
    divisor = torch.where(chroma > 0, chroma, 1.0)
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sector = (sector + 6 * turns[rows, 0]) % 6
    # Each channel falls from value to least and rises again along the circle.
    places = torch.stack([(offset + sector) % 6 for offset in (5, 3, 1)], dim=1)
    return value.unsqueeze(1) - chroma.unsqueeze(1) * torch.minimum(places, 4 - places).clamp(0, 1)
