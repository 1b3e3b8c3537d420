"""From one value per sample to the value of a batch.

Distributed data-parallel training averages gradients over ranks. Every reduction is scaled so that the mean over ranks
of the value, and of its gradients, is that of one process with the joined batch, even when the ranks hold different
numbers of samples: the numerator of the rank times the number of ranks, divided by a denominator summed over ranks.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from medtail.distributed import number_of_ranks, sum_over_ranks

Reduction = Literal["mean", "weighted_mean", "sum", "none"]


def _mean(losses: Tensor, weights: Tensor) -> Tensor:
    if number_of_ranks() == 1:
        return (weights * losses).mean()
    size = sum_over_ranks(losses.new_full((), losses.shape[0]))
    return _sum(losses, weights) / size


def _weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    return _sum(losses, weights) / sum_over_ranks(weights.expand_as(losses).sum())


def _sum(losses: Tensor, weights: Tensor) -> Tensor:
    return number_of_ranks() * (weights * losses).sum()


def _none(losses: Tensor, weights: Tensor) -> Tensor:
    return weights * losses


#: ``mean`` is Σwℓ / N, ``weighted_mean`` is Σwℓ / Σw, ``sum`` is Σwℓ and ``none`` is wℓ.
REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "weighted_mean": _weighted_mean,
    "sum": _sum,
    "none": _none,
}


def mean_over_batch(losses: Tensor) -> Tensor:
    """Return the mean ``()`` of one value per sample, reduced as ``mean`` reduces."""
    return REDUCTIONS["mean"](losses, torch.ones_like(losses))
