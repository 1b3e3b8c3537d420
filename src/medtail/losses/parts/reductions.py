"""From one value per sample to the value of a batch.

Distributed data-parallel training averages gradients over ranks. Every reduction is scaled so that the mean over ranks
of the value, and of its gradients, is that of one process with the joined batch, even when the ranks hold different
numbers of samples: the numerator of the rank times the number of ranks, divided by a denominator summed over ranks.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from medtail.distributed import number_of_ranks, sum_over_ranks

Reduction = Literal["mean", "weighted_mean", "sum", "none"]


class SampleLosses(NamedTuple):
    """The loss of each sample before the reduction.

    Attributes:
        losses: wℓ ``(N,)``.
        weights: w ``(N,)``, or one for all samples ``()``.
        sizes: What each sample adds to N ``(N,)``: the known share of its labels. None for samples of known targets,
            which add 1.
    """

    losses: Tensor
    weights: Tensor
    sizes: Tensor | None = None


def _mean(samples: SampleLosses) -> Tensor:
    if samples.sizes is not None:
        return _ratio(samples, samples.sizes.sum())
    if number_of_ranks() == 1:
        return samples.losses.mean()
    return _ratio(samples, samples.losses.new_full((), samples.losses.shape[0]))


def _weighted_mean(samples: SampleLosses) -> Tensor:
    return _ratio(samples, samples.weights.expand_as(samples.losses).sum())


def _ratio(samples: SampleLosses, size: Tensor) -> Tensor:
    # Without a single known label, the sum is 0, and so is the mean.
    return _sum(samples) / sum_over_ranks(size).clamp_min(torch.finfo(size.dtype).tiny)


def _sum(samples: SampleLosses) -> Tensor:
    return number_of_ranks() * samples.losses.sum()


def _none(samples: SampleLosses) -> Tensor:
    return samples.losses


#: ``mean`` is Σwℓ / N, ``weighted_mean`` is Σwℓ / Σw, ``sum`` is Σwℓ and ``none`` is wℓ.
REDUCTIONS: dict[str, Callable[[SampleLosses], Tensor]] = {
    "mean": _mean,
    "weighted_mean": _weighted_mean,
    "sum": _sum,
    "none": _none,
}


def mean_over_batch(losses: Tensor) -> Tensor:
    """Return the mean ``()`` of one value per sample, reduced as ``mean`` reduces."""
    return REDUCTIONS["mean"](SampleLosses(losses, torch.ones_like(losses)))
