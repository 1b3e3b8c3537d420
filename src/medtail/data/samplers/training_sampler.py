"""What all samplers have in common: epochs, shares of processes, and continuing in the middle.

A sampler yields positions in the targets it was given. Every rank draws the same order for (seed, epoch) and takes its
own places in it: places are disjoint, and all ranks have equally many. If the number of processes divides the number
of images, the k-th batches of all ranks together are the k-th batch that a single process would draw with a batch as
large as theirs together.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data.distributed import DistributedSampler

from medtail.checks import whole_number
from medtail.distributed import loader_processes
from medtail.errors import InputError


class TrainingSampler(DistributedSampler[int], ABC):
    """Positions of training images, epoch by epoch; abstract.

    It is a ``DistributedSampler``, so that Lightning leaves it as it is instead of dividing its share again.

    Args:
        targets: Class ids of the training images ``(N,)``. Validation and test are never resampled: do not pass
            their targets.
        batch_size: Images per batch of this rank, if joint batches are to be those of a single process; by default the
            places of a rank are consecutive ones of the epoch.
        seed: Seed of the draw; the same on all ranks.
        num_replicas: Number of processes; by default those of ``torch.distributed``, found when they are needed, so
            that a sampler may be made before the process group. Where an ``accelerate.Accelerator`` exists, the
            default is 1, because its ``prepare`` deals out whole batches of one draw.
        rank: Rank of this process; found in the same way.
        num_epochs: Length of the training; used by samplers that change during training.

    An epoch has ``N // num_replicas`` positions per rank. Up to ``num_replicas - 1`` places are left out rather than
    repeated, so that no image counts twice.

    Raises:
        InputError: An argument is out of range.
    """

    def __init__(
        self,
        targets: np.ndarray,
        *,
        batch_size: int | None = None,
        seed: int = 0,
        num_replicas: int | None = None,
        rank: int | None = None,
        num_epochs: int | None = None,
    ) -> None:
        # Without DistributedSampler's constructor, which asks for the process group at once.
        targets = np.asarray(targets)
        if targets.ndim != 1 or targets.dtype.kind not in "iu":
            raise InputError(
                f"targets must be class ids of shape (N,), got {targets.dtype} of shape {targets.shape}; "
                f"pass those of the training split"
            )
        if batch_size is not None:
            whole_number("batch_size", batch_size, low=1, remedy="e.g. 128")
        whole_number("seed", seed, low=0, remedy="e.g. 0")
        self.dataset = targets  # type: ignore[assignment]
        self.shuffle = self.drop_last = True
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0
        self.num_images = len(targets)
        self._num_replicas = num_replicas
        self._rank = rank
        self._processes()
        # Positions sorted by class: those of the k-th class are members[starts[k]:starts[k] + counts[k]].
        self.members = np.argsort(targets, kind="stable")
        _, self.starts, self.counts = np.unique(targets[self.members], return_index=True, return_counts=True)
        self._next = 0
        self._given = 0

    def _processes(self) -> tuple[int, int]:
        """The number of processes that share an epoch, and the rank of this one, checked."""
        found, place = loader_processes()
        num_replicas = found if self._num_replicas is None else self._num_replicas
        rank = place if self._rank is None else self._rank
        if not 0 <= rank < num_replicas:
            raise InputError(
                f"rank must be from 0 to num_replicas - 1 = {num_replicas - 1}, got {rank}; pass that of this process"
            )
        if self.num_images < num_replicas:
            raise InputError(
                f"each of {num_replicas} processes needs a training image, got {self.num_images} images; "
                f"use fewer processes"
            )
        return num_replicas, rank

    @property
    def num_replicas(self) -> int:  # type: ignore[override]
        """Number of processes that share an epoch."""
        return self._processes()[0]

    @property
    def rank(self) -> int:  # type: ignore[override]
        """Rank of this process."""
        return self._processes()[1]

    @property
    def num_samples(self) -> int:  # type: ignore[override]
        """Positions per epoch of this rank."""
        return self.num_images // self.num_replicas

    @property
    def total_size(self) -> int:  # type: ignore[override]
        """Positions per epoch of all ranks together."""
        return self.num_samples * self.num_replicas

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Start another epoch; the current epoch, if set again, continues where it is."""
        if epoch != self.epoch:
            self.epoch = epoch
            self._next = self._given = 0

    def __iter__(self) -> Iterator[int]:
        share = self._share(self.draw(self._generator(), self.total_size))
        start, self._next = self._next, 0
        for place in range(start, len(share)):
            self._given = place + 1
            yield int(share[place])

    @abstractmethod
    def draw(self, generator: np.random.Generator, length: int) -> np.ndarray:
        """Positions of one epoch, for all ranks together, batch after batch."""

    @abstractmethod
    def class_probabilities(self) -> np.ndarray:
        """The shares in which this epoch draws the classes: ``(classes with images,)``, summing to 1."""

    def _powers(self, power: float) -> np.ndarray:
        """p_j = n_j^q / sum_i n_i^q (Kang et al. 2020)."""
        raised = self.counts.astype(np.float64) ** power
        probabilities: np.ndarray = raised / raised.sum()
        return probabilities

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.epoch])

    def _share(self, order: np.ndarray) -> np.ndarray:
        """The places of this rank: one batch of every joint batch, and an equal part of the joint rest."""
        num_replicas, rank = self._processes()
        batch_size = len(self) if self.batch_size is None else self.batch_size
        full = len(self) // batch_size * batch_size * num_replicas
        batches = order[:full].reshape(-1, num_replicas, batch_size)[:, rank]
        rest = order[full:].reshape(num_replicas, -1)[rank]
        return np.concatenate([batches.reshape(-1), rest])

    def _identity(self) -> dict[str, int | None]:
        return {
            "seed": self.seed,
            "num_images": self.num_images,
            "num_replicas": self.num_replicas,
            "rank": self.rank,
            "batch_size": self.batch_size,
        }

    def state_dict(self, given: int | None = None) -> dict[str, Any]:
        """What :meth:`load_state_dict` needs to continue in the middle of an epoch.

        Args:
            given: Positions of this epoch that are done; by default those handed out. A loader with worker processes
                asks ahead, so there pass the number of batches done times the batch size.
        """
        return {**self._identity(), "epoch": self.epoch, "given": self._given if given is None else given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where ``state`` was taken.

        Raises:
            InputError: The state belongs to another sampler: to other images, seed, batch size or processes.
        """
        differing = [
            f"{key} {state.get(key)} (here {value})"
            for key, value in self._identity().items()
            if state.get(key) != value
        ]
        if differing:
            raise InputError(
                f"sampler state must be of the same sampler, but has {', '.join(differing)}; "
                f"resume with the settings it was saved with"
            )
        self.epoch = state["epoch"]
        self._next = self._given = state["given"]
