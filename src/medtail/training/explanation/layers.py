"""Which layer of a network a heat map is read from, and how its output is read as maps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isqrt
from typing import final

import torch
from torch import Tensor, nn

from medtail.errors import InputError

#: Cells along each side that a map needs to tell places apart; later layers are coarser.
_FEWEST_CELLS = 4


@final
@dataclass(frozen=True)
class MapLayer:
    """A layer whose output can be read as maps.

    Attributes:
        module: Part of the network.
        as_maps: From the module's output to maps ``(N, K, *cells)``.
    """

    module: nn.Module
    as_maps: Callable[[Tensor], Tensor]


def map_layer(network: nn.Module, images: Tensor) -> MapLayer:
    """Return the last layer of a network whose maps still tell places apart.

    A network is read as a chain of stages. Of a convolutional network it is the last stage with at least 4 cells along
    each side, or the one with most cells if all have fewer. Of a transformer that reads its class token, it is the
    normalisation in front of the attention of the last block: patches have no gradient behind it.

    Args:
        network: A backbone.
        images: What it takes, ``(N, channels, H, W)`` or volumes; the first one is passed through.

    Raises:
        InputError: No stage has maps.
    """
    shapes: dict[nn.Module, torch.Size] = {}

    def keep(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor):
            shapes[module] = output.shape

    stages = list(_stages(network))
    handles = [module.register_forward_hook(keep) for module in stages]
    try:
        with torch.no_grad():
            network(images[:1])
    finally:
        for handle in handles:
            handle.remove()
    readings = [(module, _reading(network, module, shape, images.ndim)) for module, shape in shapes.items()]
    found = [
        (min(reading.cells), MapLayer(module, reading.as_maps))
        for module, reading in readings
        if reading is not None and max(reading.cells) > 1
    ]
    if not found:
        raise InputError(
            f"heat maps need a layer that tells places apart, but {type(network).__name__} has none for images of "
            f"{images.shape[-1]} pixels; train with larger images, or with resnet18 or a vision transformer"
        )
    fine = [layer for cells, layer in found if cells >= _FEWEST_CELLS]
    return fine[-1] if fine else max(found, key=lambda each: each[0])[1]


def _stages(module: nn.Module) -> Iterator[nn.Module]:
    """The parts that follow one another: never the inside of a block, whose maps lack what its shortcut carries.

    The block of a transformer is an exception: its first normalisation is what its attention reads.
    """
    for child in module.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from _stages(child)
        yield _before_attention(child) or child


def _before_attention(stage: nn.Module) -> nn.Module | None:
    norm = getattr(stage, "norm1", None)
    return norm if isinstance(norm, nn.Module) and hasattr(stage, "attn") else None


@final
@dataclass(frozen=True)
class _Reading:
    """How many cells the maps of an output have along each side, and how it becomes maps."""

    cells: tuple[int, ...]
    as_maps: Callable[[Tensor], Tensor]


def _reading(network: nn.Module, module: nn.Module, shape: torch.Size, axes: int) -> _Reading | None:
    """How an output is read as maps, if it can be."""
    if len(shape) == axes:
        channels_last = getattr(network, "output_fmt", None) == "NHWC"
        cells = shape[1:-1] if channels_last else shape[2:]
        return _Reading(tuple(cells), _channels_first if channels_last else _as_they_are)
    if len(shape) != 3 or axes != 4:
        return None
    others = int(getattr(network, "num_prefix_tokens", 0))
    side = isqrt(max(0, shape[1] - others))
    attended = any(_before_attention(each) is module for each in network.modules())
    unread = others > 0 and getattr(network, "global_pool", "token") == "token" and not attended
    if side * side + others != shape[1] or unread:
        return None
    return _Reading((side, side), _Patches(others, side))


def _as_they_are(output: Tensor) -> Tensor:
    return output


def _channels_first(output: Tensor) -> Tensor:
    return output.movedim(-1, 1)


@final
@dataclass(frozen=True)
class _Patches:
    """Tokens ``(N, others + side², K)`` as maps ``(N, K, side, side)``; class and register tokens come first."""

    others: int
    side: int

    def __call__(self, output: Tensor) -> Tensor:
        count, _, size = output.shape
        return output[:, self.others :].reshape(count, self.side, self.side, size).movedim(-1, 1)
