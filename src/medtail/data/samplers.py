"""Samplers decide in which proportions the classes of the *training* split are drawn.

A sampler yields positions in the targets it was given. Every rank draws the same order for (seed, epoch) and takes its
own places in it: places are disjoint, and all ranks have equally many. If the number of processes divides the number
of images, the k-th batches of all ranks together are the k-th batch that a single process would draw with a batch as
large as theirs together.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, final

import numpy as np
from torch.utils.data import Sampler

from medtail.checks import whole_number
from medtail.errors import InputError


class TrainingSampler(Sampler[int], ABC):
    """Positions of training images, epoch by epoch; abstract.

    Args:
        targets: Class ids of the training images ``(N,)``. Validation and test are never resampled: do not pass
            their targets.
        batch_size: Images per batch of this rank.
        seed: Seed of the draw; the same on all ranks.
        num_replicas: Number of processes.
        rank: Rank of this process.
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
        batch_size: int = 1,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
        num_epochs: int | None = None,
    ) -> None:
        targets = np.asarray(targets)
        if targets.ndim != 1 or targets.dtype.kind not in "iu":
            raise InputError(
                f"targets must be class ids of shape (N,), got {targets.dtype} of shape {targets.shape}; "
                f"pass those of the training split"
            )
        whole_number("batch_size", batch_size, low=1, remedy="e.g. 128")
        whole_number("seed", seed, low=0, remedy="e.g. 0")
        if not 0 <= rank < num_replicas:
            raise InputError(
                f"rank must be from 0 to num_replicas - 1 = {num_replicas - 1}, got {rank}; pass that of this process"
            )
        if len(targets) < num_replicas:
            raise InputError(
                f"each of {num_replicas} processes needs a training image, got {len(targets)} images; "
                f"use fewer processes"
            )
        self.batch_size = batch_size
        self.seed = seed
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.num_images = len(targets)
        # Positions sorted by class: those of the k-th class are members[starts[k]:starts[k] + counts[k]].
        self.members = np.argsort(targets, kind="stable")
        _, self.starts, self.counts = np.unique(targets[self.members], return_index=True, return_counts=True)
        self._next = 0
        self._given = 0

    def __len__(self) -> int:
        return self.num_images // self.num_replicas

    def set_epoch(self, epoch: int) -> None:
        """Start another epoch; the current epoch, if set again, continues where it is."""
        if epoch != self.epoch:
            self.epoch = epoch
            self._next = self._given = 0

    def __iter__(self) -> Iterator[int]:
        share = self._share(self.draw(self._generator(), len(self) * self.num_replicas))
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
        full = len(self) // self.batch_size * self.batch_size * self.num_replicas
        batches = order[:full].reshape(-1, self.num_replicas, self.batch_size)[:, self.rank]
        rest = order[full:].reshape(self.num_replicas, -1)[self.rank]
        return np.concatenate([batches.reshape(-1), rest])

    def _identity(self) -> dict[str, int]:
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


@final
class UniformSampler(TrainingSampler):
    """Every image once per epoch, in random order: classes are as frequent as in the data.

    Example:
        >>> sorted(UniformSampler(np.array([0, 0, 0, 1]), batch_size=2))
        [0, 1, 2, 3]
    """

    def draw(self, generator: np.random.Generator, length: int) -> np.ndarray:
        return generator.permutation(self.num_images)[:length]

    def class_probabilities(self) -> np.ndarray:
        return self._powers(1.0)


@final
class StratifiedOversampler(TrainingSampler):
    """An equal share of every batch for each class; the remainder rotates over the classes.

    Classes are dealt over the joint batches in a fixed cycle, which is drawn anew each epoch, so any B consecutive
    places hold each of C classes ``B // C`` times or once more. Within a class, all images come once, in random order,
    before any of them is repeated.

    This is the stratified oversampling of Scholz et al. (2024): "equal portions of a batch to each class".

    Example:
        >>> targets = np.array([0, 0, 0, 0, 0, 0, 0, 1])
        >>> targets[list(StratifiedOversampler(targets, batch_size=4))][:4].sum().item()
        2
    """

    def draw(self, generator: np.random.Generator, length: int) -> np.ndarray:
        num_classes = len(self.counts)
        cycle = generator.permutation(num_classes)
        order = np.empty(length, dtype=np.int64)
        for offset, number in enumerate(cycle):
            places = np.arange(offset, length, num_classes)
            start, count = self.starts[number], self.counts[number]
            rounds = -(-len(places) // count)
            shuffled = generator.permuted(np.tile(np.arange(count), (rounds, 1)), axis=1).reshape(-1)
            order[places] = self.members[start + shuffled[: len(places)]]
        return order

    def class_probabilities(self) -> np.ndarray:
        return self._powers(0.0)


class ClassProbabilitySampler(TrainingSampler):
    """Independent draws with replacement: first a class by its probability, then any of its images; abstract."""

    def draw(self, generator: np.random.Generator, length: int) -> np.ndarray:
        numbers = generator.choice(len(self.counts), size=length, p=self.class_probabilities())
        within = (generator.random(length) * self.counts[numbers]).astype(np.int64)
        chosen: np.ndarray = self.members[self.starts[numbers] + within]
        return chosen


@final
class ClassBalancedSampler(ClassProbabilitySampler):
    """Every class is equally likely: p_j = 1 / C (Kang et al. 2020).

    Example:
        >>> ClassBalancedSampler(np.array([0, 0, 0, 1])).class_probabilities().tolist()
        [0.5, 0.5]
    """

    def class_probabilities(self) -> np.ndarray:
        return self._powers(0.0)


@final
class SquareRootSampler(ClassProbabilitySampler):
    """Classes are drawn in proportion to the square roots of their counts (Kang et al. 2020).

    Example:
        >>> SquareRootSampler(np.array([0, 0, 0, 0, 1])).class_probabilities().round(3).tolist()
        [0.667, 0.333]
    """

    def class_probabilities(self) -> np.ndarray:
        return self._powers(0.5)


@final
class ProgressivelyBalancedSampler(ClassProbabilitySampler):
    """From the frequencies of the data to equally likely classes in the course of training (Kang et al. 2020).

    p_j(t) = (1 - t/T) n_j/n + (t/T) / C, where t is the epoch, counted from 0, and T = num_epochs - 1, so the first
    epoch is instance-balanced and the last is class-balanced.

    Raises:
        InputError: ``num_epochs`` is missing.

    Example:
        >>> sampler = ProgressivelyBalancedSampler(np.array([0, 0, 0, 1]), num_epochs=3)
        >>> sampler.set_epoch(1)
        >>> sampler.class_probabilities().tolist()
        [0.625, 0.375]
    """

    def __init__(self, targets: np.ndarray, *, num_epochs: int | None = None, **settings: int) -> None:
        super().__init__(targets, **settings)
        if num_epochs is None or num_epochs < 1:
            raise InputError(f"num_epochs must be the length of the training, got {num_epochs}; e.g. 100")
        self.num_epochs = num_epochs

    def class_probabilities(self) -> np.ndarray:
        progress = min(self.epoch / max(self.num_epochs - 1, 1), 1.0)
        probabilities: np.ndarray = (1.0 - progress) * self._powers(1.0) + progress * self._powers(0.0)
        return probabilities


@final
class DeferredBalancedSampler(ClassProbabilitySampler):
    """The frequencies of the data first, equally likely classes in the last fifth of training (DRS; Cao et al. 2019).

    From epoch ``int(0.8 * num_epochs)`` on, counted from 0, it draws as :class:`ClassBalancedSampler` does.

    Raises:
        InputError: ``num_epochs`` is missing.

    Example:
        >>> sampler = DeferredBalancedSampler(np.array([0, 0, 0, 1]), num_epochs=10)
        >>> sampler.set_epoch(7)
        >>> early = sampler.class_probabilities().tolist()
        >>> sampler.set_epoch(8)
        >>> early, sampler.class_probabilities().tolist()
        ([0.75, 0.25], [0.5, 0.5])
    """

    start = 0.8

    def __init__(self, targets: np.ndarray, *, num_epochs: int | None = None, **settings: int) -> None:
        super().__init__(targets, **settings)
        if num_epochs is None or num_epochs < 1:
            raise InputError(f"num_epochs must be the length of the training, got {num_epochs}; e.g. 100")
        self.start_epoch = int(self.start * num_epochs)

    def class_probabilities(self) -> np.ndarray:
        probabilities: np.ndarray = self._powers(0.0 if self.epoch >= self.start_epoch else 1.0)
        return probabilities


@final
class PairedSampler(Sampler[tuple[int, int]]):
    """Positions from one sampler, each paired with a position from another; as many as both samplers have.

    Args:
        own: Draws the images.
        partners: Draws what they are paired with, with another seed, so that the two draws are independent.

    Example:
        >>> targets = np.array([0, 0, 0, 1])
        >>> len(list(PairedSampler(UniformSampler(targets), ClassBalancedSampler(targets, seed=1))))
        4
    """

    def __init__(self, own: TrainingSampler, partners: TrainingSampler) -> None:
        self.own = own
        self.partners = partners

    def __len__(self) -> int:
        return min(len(self.own), len(self.partners))

    def set_epoch(self, epoch: int) -> None:
        """Start another epoch of both."""
        self.own.set_epoch(epoch)
        self.partners.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        # Both iterators are exhausted, so that both samplers start the next epoch at its beginning.
        return iter(list(zip(self.own, self.partners, strict=True)))


#: Samplers by the names they have in recipes.
SAMPLERS: dict[str, Callable[..., TrainingSampler]] = {
    "uniform": UniformSampler,
    "stratified": StratifiedOversampler,
    "class_balanced": ClassBalancedSampler,
    "square_root": SquareRootSampler,
    "progressively_balanced": ProgressivelyBalancedSampler,
    "deferred_balanced": DeferredBalancedSampler,
}


def drawn_prior(name: str, class_counts: np.ndarray, num_epochs: int) -> np.ndarray:
    """Return the shares in which the last epoch of a training draws the classes ``(C,)``.

    Args:
        name: A key of :data:`SAMPLERS`.
        class_counts: Training counts ``(C,)``, all positive.
        num_epochs: Length of the training.

    Example:
        >>> drawn_prior("square_root", np.array([400, 100]), num_epochs=30).round(3)
        array([0.667, 0.333])
    """
    targets = np.repeat(np.arange(len(class_counts)), class_counts)
    sampler = SAMPLERS[name](targets, num_epochs=num_epochs)
    sampler.set_epoch(num_epochs - 1)
    return sampler.class_probabilities()
