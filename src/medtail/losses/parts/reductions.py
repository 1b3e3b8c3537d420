"""From one value a sample to the value of a batch.

Distributed data-parallel training averages gradients over ranks. Every reduction is scaled so that the mean
over ranks of the value, and of its gradients, is that of one process with the joined batch, also when the
ranks hold different numbers of samples: numerator of this rank times the number of ranks, over a denominator
summed over ranks.
"""

from collections.abc import Callable
from typing import Literal

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


#: ``mean`` = Σwℓ / N, ``weighted_mean`` = Σwℓ / Σw, ``sum`` = Σwℓ, ``none`` = wℓ.
REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "weighted_mean": _weighted_mean,
    "sum": _sum,
    "none": _none,
}
