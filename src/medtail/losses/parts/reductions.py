"""From one value per sample to the value of a batch.

Distributed data-parallel training averages gradients over ranks. Every reduction is scaled so that the mean over ranks
of the value, and of its gradients, is that of one process with the joined batch, even when the ranks hold different
numbers of samples: the numerator of the rank times the number of ranks, divided by a denominator summed over ranks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, final

import torch
from torch import Tensor

from medtail.distributed import number_of_ranks, sum_over_ranks

Reduction = Literal["mean", "weighted_mean", "sum", "none"]


class SampleLosses(ABC):
    """The weighted losses of a batch before the reduction, abstract.

    Sum and mean are methods, because some likelihoods need not compute the single losses for them.
    """

    @abstractmethod
    def each(self) -> Tensor:
        """Return wℓ ``(N,)``."""

    @abstractmethod
    def weights(self) -> Tensor:
        """Return w ``(N,)``."""

    @abstractmethod
    def size(self) -> Tensor:
        """Return what the samples add to N ``()``."""

    def sum(self) -> Tensor:
        """Return Σwℓ ``()``."""
        return self.each().sum()

    def mean(self) -> Tensor:
        """Return Σwℓ / N of this process ``()``."""
        return _ratio(self.sum(), self.size())


@final
class ListedLosses(SampleLosses):
    """Losses that are computed one by one.

    Args:
        losses: wℓ ``(N,)``.
        weights: w ``(N,)``; 1 by default.
    """

    def __init__(self, losses: Tensor, weights: Tensor | None = None) -> None:
        self._losses = losses
        self._weights = weights

    def each(self) -> Tensor:
        """Return the losses."""
        return self._losses

    def weights(self) -> Tensor:
        """Return the weights."""
        return torch.ones_like(self._losses) if self._weights is None else self._weights

    def size(self) -> Tensor:
        """Return the number of samples."""
        return self._losses.new_full((), len(self._losses))

    def mean(self) -> Tensor:
        """Return the mean of the losses."""
        return self._losses.mean()


@final
class LabelLosses(SampleLosses):
    """Losses of labels, some of which may be unknown.

    Args:
        losses: ℓ ``(N,)``, the sum over the known labels of a sample.
        known: The share of its labels that are known ``(N,)``: its weight, and what it adds to N.
    """

    def __init__(self, losses: Tensor, known: Tensor) -> None:
        self._losses = losses
        self._known = known

    def each(self) -> Tensor:
        """Return the losses."""
        return self._losses

    def weights(self) -> Tensor:
        """Return the known shares."""
        return self._known

    def size(self) -> Tensor:
        """Return the sum of the known shares."""
        return self._known.sum()


def _mean(samples: SampleLosses) -> Tensor:
    if number_of_ranks() == 1:
        return samples.mean()
    return _ratio(_sum(samples), sum_over_ranks(samples.size()))


def _weighted_mean(samples: SampleLosses) -> Tensor:
    return _ratio(_sum(samples), sum_over_ranks(samples.weights().sum()))


def _ratio(total: Tensor, size: Tensor) -> Tensor:
    # Without a single known label, the sum is 0, and so is the mean.
    return total / size.clamp_min(torch.finfo(size.dtype).tiny)


def _sum(samples: SampleLosses) -> Tensor:
    return number_of_ranks() * samples.sum()


def _none(samples: SampleLosses) -> Tensor:
    return samples.each()


#: ``mean`` is Σwℓ / N, ``weighted_mean`` is Σwℓ / Σw, ``sum`` is Σwℓ and ``none`` is wℓ.
REDUCTIONS: dict[str, Callable[[SampleLosses], Tensor]] = {
    "mean": _mean,
    "weighted_mean": _weighted_mean,
    "sum": _sum,
    "none": _none,
}


def mean_over_batch(losses: Tensor) -> Tensor:
    """Return the mean ``()`` of one value per sample, reduced as ``mean`` reduces."""
    return REDUCTIONS["mean"](ListedLosses(losses))
