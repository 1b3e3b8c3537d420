"""Lays one picture over another: the affine map under which they agree, and how well their details then agree.

The map is found by the inverse compositional algorithm of Lucas and Kanade (Baker and Matthews, Lucas-Kanade 20 years
on, 2004), for many pairs at a time. Brightness and contrast are fitted along, so that an inverted picture fits too, and
pixels that do not fit (a drawn box, a hair, text) lose their weight.
"""

import torch
from torch import Tensor
from torch.nn import functional

#: Sides of the blocks whose details are compared, and of the window over which the mean is taken off.
_BLOCK, _WINDOW = 8, 9

#: Details of fewer grey levels may be noise, and those of more count no more.
_LEVELS = 1.0

#: Share of the details that may disagree, where something is drawn.
_SPOILT = 0.4


def affine(degrees: float = 0.0, scale: float = 1.0, x: float = 0.0, y: float = 0.0) -> Tensor:
    """The map ``(2, 3)`` that turns and scales about the centre, then shifts; a picture reaches from -1 to 1."""
    angle = torch.deg2rad(torch.tensor(degrees))
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    return torch.stack(
        [torch.stack([cosine, -sine, torch.tensor(x)]), torch.stack([sine, cosine, torch.tensor(y)])]
    )


def sampled(pictures: Tensor, maps: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Values ``(N, size, size)`` of pictures ``(N, S, S)`` at mapped places, and which places lie inside."""
    grid = functional.affine_grid(maps, [len(maps), 1, size, size], align_corners=False)
    values = functional.grid_sample(pictures[:, None], grid, padding_mode="border", align_corners=False)[:, 0]
    return values, (grid.abs() <= 1.0).all(dim=-1).float()


def register(wholes: Tensor, parts: Tensor, maps: Tensor, steps: int) -> Tensor:
    """Improve the maps under which parts are found in wholes.

    Args:
        wholes: float32 ``(N, S, S)``.
        parts: float32 ``(N, P, P)``.
        maps: From places of the part to those of the whole ``(N, 2, 3)``.
        steps: Number of improvements.
    """
    count, size, _ = parts.shape
    # A picture is 2 wide in units of the map.
    along_y, along_x = torch.gradient(parts, spacing=2 / size, dim=(1, 2))
    places = torch.linspace(-1 + 1 / size, 1 - 1 / size, size)
    x, y = places.expand(size, size), places[:, None].expand(size, size)
    descent = torch.stack([along_x * x, along_x * y, along_x, along_y * x, along_y * y, along_y], dim=1)
    descent, flat = descent.flatten(2), parts.flatten(1)
    identity, last = torch.eye(6), torch.tensor([0.0, 0.0, 1.0]).expand(count, 1, 3)
    for _ in range(steps):
        values, inside = sampled(wholes, maps, size)
        shown, weights, _ = fit_brightness(values.flatten(1), flat, inside.flatten(1))
        weighted = descent * weights[:, None]
        normal = weighted @ descent.transpose(1, 2)
        # Along an axis without detail, a picture does not determine the map.
        damping = 1e-3 * normal.diagonal(dim1=1, dim2=2).mean(dim=1) + 1e-6
        missing = weighted @ (shown - flat)[..., None]
        change = torch.linalg.solve(normal + damping[:, None, None] * identity, missing)
        change = change.clamp(-0.2, 0.2).reshape(count, 2, 3)
        step = torch.cat([change, torch.zeros(count, 1, 3)], dim=1) + torch.eye(3)
        maps = torch.linalg.solve(step, torch.cat([maps, last], dim=1), left=False)[:, :2]
    return maps


def fit_brightness(values: Tensor, parts: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give values the brightness and contrast of parts, all ``(N, pixels)``; pixels that do not fit lose weight.

    Returns:
        The fitted values, the weights of pixels, and the factors of contrast ``(N,)``: negative if inverted.
    """
    weights = inside
    for _ in range(2):
        total = weights.sum(dim=1, keepdim=True).clamp(min=1.0)
        mean, other = ((weights * one).sum(dim=1, keepdim=True) / total for one in (values, parts))
        centred = values - mean
        factor = (weights * centred * (parts - other)).sum(dim=1, keepdim=True)
        factor = factor / (weights * centred.square()).sum(dim=1, keepdim=True).clamp(min=1e-6)
        shown = factor * centred + other
        misfit = (shown - parts).abs()
        # A grey level is what rounding may do.
        usual = 3.0 * misfit[:, ::5].median(dim=1, keepdim=True).values + 1.0
        weights = inside / (1.0 + (misfit / usual).square()).square()
    return shown, weights, factor[:, 0]


def agreement(wholes: Tensor, parts: Tensor, maps: Tensor, trusted: Tensor | None = None) -> Tensor:
    """How well the details of parts agree with those of wholes under the maps ``(N,)``, from -1 to 1.

    Details are what is left of a picture without the means of its surroundings. They are correlated in blocks of
    8 x 8 pixels, of which each is as heavy as the details that both pictures have there. The correlation that blocks of
    three fifths of the weight reach is returned.

    Args:
        wholes: float32 ``(N, S, S)``.
        parts: float32 ``(N, P, P)``.
        maps: From places of the part to those of the whole ``(N, 2, 3)``.
        trusted: Weights of the pixels of parts ``(N, P, P)``, where some do not count.
    """
    count, size, _ = parts.shape
    values, inside = sampled(wholes, maps, size)
    inside = inside if trusted is None else inside * trusted
    _, weights, factor = fit_brightness(values.flatten(1), parts.flatten(1), inside.flatten(1))
    weights = weights.reshape(count, size, size)
    total = _means(weights).clamp(min=1e-6)
    one, other = (_blocks(shown - _means(weights * shown) / total) for shown in (values, parts))
    weights, inside = _blocks(weights), _blocks(inside)
    products = (weights * one * other).sum(dim=2) * factor.sign()[:, None]
    energies = (weights * one.square()).sum(dim=2).sqrt(), (weights * other.square()).sum(dim=2).sqrt()
    correlations = products / (energies[0] * energies[1]).clamp(min=1e-6)
    heaviness = torch.minimum(energies[0] * factor.abs()[:, None], energies[1]).clamp(max=_LEVELS * _BLOCK)
    heaviness = heaviness * (inside.mean(dim=2) > 0.5)
    order = correlations.argsort(dim=1)
    reached = heaviness.gather(1, order).cumsum(dim=1)
    middle = (reached < _SPOILT * reached[:, -1:]).sum(dim=1, keepdim=True).clamp(max=order.shape[1] - 1)
    return correlations.gather(1, order).gather(1, middle)[:, 0] * (reached[:, -1] > 0)


def _means(pictures: Tensor) -> Tensor:
    """The means of the surroundings of each pixel ``(N, S, S)``, along one axis and then along the other."""
    down = functional.avg_pool2d(pictures[:, None], (_WINDOW, 1), 1, (_WINDOW // 2, 0))
    return functional.avg_pool2d(down, (1, _WINDOW), 1, (0, _WINDOW // 2))[:, 0]


def _blocks(pictures: Tensor) -> Tensor:
    """The blocks of pictures ``(N, S, S)``, ``(N, blocks, pixels)``."""
    return pictures.unfold(1, _BLOCK, _BLOCK).unfold(2, _BLOCK, _BLOCK).flatten(3).flatten(1, 2)
