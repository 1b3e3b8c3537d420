"""Two samplers drawn side by side, for images that are mixed with others."""

from collections.abc import Iterator
from typing import final

from torch.utils.data.distributed import DistributedSampler

from medtail.data.samplers.training_sampler import TrainingSampler


@final
class PairedSampler(DistributedSampler[tuple[int, int]]):
    """Positions from one sampler, each paired with a position from another; as many as both samplers have.

    Args:
        own: Draws the images.
        partners: Draws what they are paired with, with another seed, so that the two draws are independent.

    Example:
        >>> import numpy as np
        >>> from medtail.data.samplers import ClassBalancedSampler, UniformSampler
        >>> targets = np.array([0, 0, 0, 1])
        >>> len(list(PairedSampler(UniformSampler(targets), ClassBalancedSampler(targets, seed=1))))
        4
    """

    def __init__(self, own: TrainingSampler, partners: TrainingSampler) -> None:
        # Without DistributedSampler's constructor: both samplers know their processes.
        self.own = own
        self.partners = partners

    @property
    def num_replicas(self) -> int:  # type: ignore[override]
        """Number of processes that share an epoch."""
        return self.own.num_replicas

    @property
    def rank(self) -> int:  # type: ignore[override]
        """Rank of this process."""
        return self.own.rank

    def __len__(self) -> int:
        return min(len(self.own), len(self.partners))

    def set_epoch(self, epoch: int) -> None:
        """Start another epoch of both."""
        self.own.set_epoch(epoch)
        self.partners.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        # Both iterators are exhausted, so that both samplers start the next epoch at its beginning.
        return iter(list(zip(self.own, self.partners, strict=True)))
