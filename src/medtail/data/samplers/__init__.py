"""Samplers decide in which proportions the classes of the *training* split are drawn."""

from collections.abc import Callable

import numpy as np
import torch

from medtail import tensor_checks
from medtail.data.samplers.class_shares import (
    ClassBalancedSampler,
    ClassProbabilitySampler,
    DeferredBalancedSampler,
    ProgressivelyBalancedSampler,
    SquareRootSampler,
    StratifiedOversampler,
    UniformSampler,
)
from medtail.data.samplers.paired import PairedSampler
from medtail.data.samplers.training_sampler import TrainingSampler
from medtail.tensor_checks import ClassCounts

__all__ = [
    "SAMPLERS",
    "ClassBalancedSampler",
    "ClassProbabilitySampler",
    "DeferredBalancedSampler",
    "PairedSampler",
    "ProgressivelyBalancedSampler",
    "SquareRootSampler",
    "StratifiedOversampler",
    "TrainingSampler",
    "UniformSampler",
    "drawn_prior",
]

#: Samplers by the names they have in recipes.
SAMPLERS: dict[str, Callable[..., TrainingSampler]] = {
    "uniform": UniformSampler,
    "stratified": StratifiedOversampler,
    "class_balanced": ClassBalancedSampler,
    "square_root": SquareRootSampler,
    "progressively_balanced": ProgressivelyBalancedSampler,
    "deferred_balanced": DeferredBalancedSampler,
}


def drawn_prior(name: str, class_counts: ClassCounts, num_epochs: int) -> np.ndarray:
    """Return the shares in which the last epoch of a training draws the classes ``(C,)``.

    Args:
        name: A key of :data:`SAMPLERS`.
        class_counts: Training counts ``(C,)``, all positive.
        num_epochs: Length of the training.

    Example:
        >>> drawn_prior("square_root", np.array([400, 100]), num_epochs=30).round(3)
        array([0.667, 0.333])
    """
    counts = tensor_checks.class_counts(class_counts).long()
    targets = torch.arange(len(counts)).repeat_interleave(counts).numpy()
    sampler = SAMPLERS[name](targets, num_epochs=num_epochs)
    sampler.set_epoch(num_epochs - 1)
    return sampler.class_probabilities()
