"""A slowly following copy of an encoder, which no gradient reaches."""

from copy import deepcopy
from typing import final

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from medtail import checks


@final
class MomentumCopy(nn.Module):
    r"""The exponential moving average of the parameters of modules, applied one after the other.

    .. math:: \bar\theta \leftarrow m \bar\theta + (1 - m)\,\theta

    Args:
        modules: What is copied; the copy starts equal.
        momentum: m; 0.999 in MoCo and NCL.

    Raises:
        InputError: The momentum is not in [0, 1].

    Buffers are not averaged: batch normalisation takes its statistics from the batches that the copy sees.

    Example:
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> copy = MomentumCopy(layer, momentum=0.5)
        >>> _ = nn.init.constant_(layer.weight, 3.0), nn.init.constant_(copy.copies[0].weight, 1.0)
        >>> copy.follow(layer)
        >>> copy(torch.ones(1, 1))
        tensor([[2.]])
    """

    def __init__(self, *modules: nn.Module, momentum: float = 0.999) -> None:
        super().__init__()
        self.copies = nn.Sequential(*(deepcopy(module) for module in modules)).requires_grad_(False)
        decay = checks.number("momentum", momentum, low=0, high=1)
        self._average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return what the copy computes."""
        result: Tensor = self.copies(images)
        return result

    @torch.no_grad()
    def follow(self, *modules: nn.Module) -> None:
        """Move towards the modules' parameters."""
        own = list(self.copies.parameters())
        self._average(own, [parameter for module in modules for parameter in module.parameters()], 1)
