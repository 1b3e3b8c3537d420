"""The operations of AutoAugment and RandAugment on whole batches: every image has an operation and a magnitude.

Pixels are whole numbers from 0 to 255, held as floats, and the results are what torchvision computes on uint8 images.
The host draws the operations, so that it knows which images go together without waiting for the device.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

#: In the order of their numbers; an operation that is none leaves the image as it is.
OPERATIONS = (
    "none",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "color",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "auto_contrast",
    "equalize",
    "invert",
)
_NUMBERS = {name: number for number, name in enumerate(OPERATIONS)}

Variant = Literal["paper", "official"]

#: What comes from outside, and how shears interpolate.
FILLS: dict[str, int] = {"paper": 0, "official": 128}


def numbers(names: Sequence[str]) -> Tensor:
    """Return the numbers of operations ``(L,)``."""
    return torch.tensor([_NUMBERS[name] for name in names])


def magnitudes(levels: int) -> Tensor:
    """Return the magnitude of each operation at each level ``(operations, levels)``.

    Shears are slopes, translations are shares of a side, rotations are degrees, enhancements are added to the factor 1,
    posterisation keeps as many bits, and solarisation inverts from that share of white on.
    """
    steps = torch.linspace(0, 1, levels, dtype=torch.float64)
    nothing = torch.zeros_like(steps)
    of = {
        "shear_x": 0.3 * steps,
        "shear_y": 0.3 * steps,
        "translate_x": 150 / 331 * steps,
        "translate_y": 150 / 331 * steps,
        "rotate": 30 * steps,
        "brightness": 0.9 * steps,
        "color": 0.9 * steps,
        "contrast": 0.9 * steps,
        "sharpness": 0.9 * steps,
        "posterize": (8 - 4 * steps).round(),
        "solarize": 1 - steps,
    }
    return torch.stack([of.get(name, nothing) for name in OPERATIONS])


def apply_operations(
    pixels: Tensor, operation: Tensor, magnitude: Tensor, variant: Variant = "paper"
) -> Tensor:
    """Return the batch after one operation per image.

    Args:
        pixels: ``(N, 1 or 3, H, W)``, whole numbers from 0 to 255.
        operation: ``(N,)``, numbers of :data:`OPERATIONS`, on the CPU.
        magnitude: ``(N,)``, signed, on the CPU.
        variant: ``"paper"`` moves the nearest pixels over black, as torchvision does. ``"official"`` is the code that
            DBM and its baselines were trained with: grey 128, and shears by cubic interpolation, as Pillow does.
    """
    result = pixels
    for names, compute in _FAMILIES.items():
        rows = torch.isin(operation, numbers(names)).nonzero().squeeze(1)
        if len(rows):
            own = [values[rows].reshape(-1, 1, 1, 1) for values in (operation, magnitude.to(pixels.dtype))]
            of_image, strength = (values.to(pixels.device, non_blocking=True) for values in own)
            places = rows.to(pixels.device, non_blocking=True)
            result = result.index_copy(0, places, compute(pixels[places], of_image, strength, variant))
    return result


def signed(operation: Tensor, magnitude: Tensor, is_negative: Tensor, variant: Variant) -> Tensor:
    """Return the magnitude, negative for those images whose operation may have either sign.

    Rotations of the official code turn to one side only.
    """
    may_be_negative = (operation >= _NUMBERS["shear_x"]) & (operation <= _NUMBERS["sharpness"])
    if variant == "official":
        may_be_negative &= operation != _NUMBERS["rotate"]
    return torch.where(may_be_negative & is_negative, -magnitude, magnitude)


# ---------------------------------------------------------------------------------------------- where pixels go

#: From a translation in pixels to whole ones to the right or down: torchvision's, and Pillow's, which looks there.
_STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "paper": torch.trunc,
    "official": lambda pixels: -(pixels + 0.5).floor(),
}


def _moved(pixels: Tensor, operation: Tensor, magnitude: Tensor, variant: Variant) -> Tensor:
    height, width = pixels.shape[-2:]
    angle = torch.where(operation == _NUMBERS["rotate"], -torch.deg2rad(magnitude), 0.0)
    shear_x = torch.where(operation == _NUMBERS["shear_x"], magnitude, 0.0)
    shear_y = torch.where(operation == _NUMBERS["shear_y"], magnitude, 0.0)
    steps = _STEPS[variant]
    right = torch.where(operation == _NUMBERS["translate_x"], steps(magnitude * width), 0.0)
    down = torch.where(operation == _NUMBERS["translate_y"], steps(magnitude * height), 0.0)
    # From each pixel of the result to where it comes from, in pixels from the centre; shears start at the top left.
    columns = torch.linspace(
        (1 - width) / 2, (width - 1) / 2, width, device=pixels.device, dtype=pixels.dtype
    )
    rows = torch.linspace(
        (1 - height) / 2, (height - 1) / 2, height, device=pixels.device, dtype=pixels.dtype
    )
    cosine, sine = angle.cos(), angle.sin()
    to_column = (cosine, sine + shear_x, shear_x * height / 2 - right)
    to_row = (shear_y - sine, cosine, shear_y * width / 2 - down)
    grid = torch.stack(
        [
            (by_column * columns + by_row * rows[:, None] + offset)[:, 0] / (side / 2)
            for (by_column, by_row, offset), side in ((to_column, width), (to_row, height))
        ],
        dim=3,
    )
    fill = FILLS[variant]
    nearest = functional.grid_sample(pixels - fill, grid, mode="nearest", align_corners=False).round() + fill
    if variant == "paper":
        return nearest
    is_sheared = operation <= _NUMBERS["shear_y"]
    along_rows = _cubic_shear(pixels, shear_x, fill)
    along_columns = _cubic_shear(pixels.mT, shear_y, fill).mT
    sheared = torch.where(operation == _NUMBERS["shear_x"], along_rows, along_columns)
    return torch.where(is_sheared, sheared, nearest)


def _cubic_shear(pixels: Tensor, slope: Tensor, fill: int) -> Tensor:
    """Move every row by the slope times its distance from the top, with Pillow's cubic kernel."""
    height, width = pixels.shape[-2:]
    columns = torch.arange(width, device=pixels.device, dtype=pixels.dtype) + 0.5
    lines = torch.arange(height, device=pixels.device, dtype=pixels.dtype)[:, None] + 0.5
    source = columns + slope * lines
    is_inside = (source >= 0) & (source < width)
    first = (source - 0.5).floor()
    share = source - 0.5 - first
    before, left, right, after = (
        pixels.gather(3, (first + step).clamp(0, width - 1).long().expand_as(pixels))
        for step in (-1, 0, 1, 2)
    )
    quadratic, cubic = 2 * (before - left) + right - after, left - before - right + after
    value = left + share * (right - before + share * (quadratic + share * cubic))
    return torch.where(is_inside, value.clamp(0, 255).floor(), fill)


# ---------------------------------------------------------------------------------------------- how bright they are


def grey(pixels: Tensor) -> Tensor:
    """Return the luminance ``(N, 1, H, W)`` with torchvision's weights; grey images stay."""
    if pixels.shape[1] == 1:
        return pixels
    red, green, blue = pixels.unbind(1)
    return red.mul(0.2989).add(green, alpha=0.587).add(blue, alpha=0.114).unsqueeze(1)


def _enhanced(pixels: Tensor, operation: Tensor, magnitude: Tensor, variant: Variant) -> Tensor:
    """Move away from, or towards, black, the grey image, its mean or the smoothed image."""
    luminance = grey(pixels).floor()
    inner = pixels[..., 1:-1, 1:-1]
    smoothed = ((9 * functional.avg_pool2d(pixels, 3, stride=1) + 4 * inner) / 13).round()
    towards = torch.where(operation == _NUMBERS["color"], luminance, 0.0)
    towards = torch.where(operation == _NUMBERS["contrast"], luminance.mean((1, 2, 3), keepdim=True), towards)
    # The edge has no neighbourhood, and stays.
    sharper = functional.pad(smoothed - inner, (1, 1, 1, 1)) + pixels
    towards = torch.where(operation == _NUMBERS["sharpness"], sharper, towards)
    blended = pixels * (1 + magnitude) - towards * magnitude
    return blended.clamp(0, 255).floor()


def _mapped(pixels: Tensor, operation: Tensor, magnitude: Tensor, variant: Variant) -> Tensor:
    """Replace values by others: invert from a threshold on, or keep the leading bits."""
    threshold = torch.where(operation == _NUMBERS["invert"], 0.0, 255 * magnitude)
    inverted = torch.where(pixels >= threshold, 255 - pixels, pixels)
    step = 2 ** (8 - magnitude)
    return torch.where(operation == _NUMBERS["posterize"], (pixels / step).floor() * step, inverted)


def _auto_contrast(pixels: Tensor, operation: Tensor, magnitude: Tensor, variant: Variant) -> Tensor:
    """Stretch each channel from black to white; a channel of one value stays."""
    low, high = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
    scale = torch.where(high > low, (high - low) * (1 / 255), 1.0)
    return ((pixels - torch.where(high > low, low, 0.0)) / scale).clamp(0, 255).floor()


def _equalized(pixels: Tensor, operation: Tensor, magnitude: Tensor, variant: Variant) -> Tensor:
    """Give each channel a flat histogram, by Pillow's table."""
    values = pixels.flatten(2).long()
    histogram = torch.zeros(*values.shape[:2], 256, dtype=torch.long, device=pixels.device)
    histogram.scatter_add_(2, values, torch.ones_like(values))
    # All but the pixels of the greatest value share 255 steps.
    greatest = values.amax(2, keepdim=True)
    step = (values.shape[2] - histogram.gather(2, greatest)) // 255
    before = histogram.cumsum(2) - histogram
    table = ((before + step // 2) // step.clamp_min(1)).clamp(0, 255)
    equalized = table.gather(2, values).reshape(pixels.shape).to(pixels)
    return torch.where(step.unsqueeze(3) > 0, equalized, pixels)


#: Operations that are computed together.
_FAMILIES: dict[tuple[str, ...], Callable[[Tensor, Tensor, Tensor, Variant], Tensor]] = {
    ("shear_x", "shear_y", "translate_x", "translate_y", "rotate"): _moved,
    ("brightness", "color", "contrast", "sharpness"): _enhanced,
    ("posterize", "solarize", "invert"): _mapped,
    ("auto_contrast",): _auto_contrast,
    ("equalize",): _equalized,
}
