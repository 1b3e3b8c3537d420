"""Samplers by the shares in which they draw the classes."""

from typing import final

import numpy as np

from medtail.data.samplers.training_sampler import TrainingSampler
from medtail.errors import InputError


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
