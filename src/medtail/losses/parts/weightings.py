"""Weightings: how much each sample counts."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from medtail import checks, tensor_checks
from medtail.errors import InputError
from medtail.losses import functional
from medtail.losses.parts.base import Part
from medtail.tensor_checks import ClassCounts


class Weighting(Part, ABC):
    """A weight for each class, and so for each sample; abstract.

    Attributes:
        removed_power: 1 for inverse frequencies, which take the prior out of the scores; 0 for other weights.
    """

    removed_power: ClassVar[float] = 0.0

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the weights of class ids ``(N,)``."""
        class_weights = self.per_class(outputs, targets)
        return outputs.new_ones(len(targets)) if class_weights is None else class_weights[targets]

    @abstractmethod
    def per_class(self, outputs: Tensor, targets: Tensor) -> Tensor | None:
        """Return the weight of each class ``(C,)``, or None where all are 1.

        Args:
            outputs: ``(N, C)``.
            targets: Class ids ``(N,)``; also class probabilities ``(N, C)``, except where ``needs_one_class``.
        """

    def final_class_weights(self) -> Tensor:
        """Return the class weights ``(C,)`` that trained scores contain besides ``removed_power``, or 1 ``()``."""
        return torch.ones((), dtype=torch.float64)


@final
class NoWeighting(Weighting):
    """Every sample has weight 1."""

    convex = True

    def per_class(self, outputs: Tensor, targets: Tensor) -> None:
        """Return None."""


class FixedWeighting(Weighting):
    """A fixed weight for each class, abstract."""

    convex = True
    class_weights: Tensor

    def __init__(self, class_weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights, persistent=False)

    def per_class(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the class weights ``(C,)``."""
        if len(self.class_weights) != outputs.shape[1]:
            raise InputError(
                f"class weights must be one for each of the {outputs.shape[1]} columns of the outputs, "
                f"got {len(self.class_weights)}; pass one per class"
            )
        return self.class_weights.to(outputs)


@final
class ClassWeighting(FixedWeighting):
    """A given weight for each class.

    Args:
        class_weights: ``(C,)``, at least 0.
    """

    def __init__(self, class_weights: Sequence[float] | Tensor) -> None:
        super().__init__(tensor_checks.class_vector("class_weights", class_weights))

    def final_class_weights(self) -> Tensor:
        """Return the class weights."""
        return self.class_weights


@final
class InverseFrequencyWeighting(FixedWeighting):
    r"""Inverse frequency in the training split, :math:`\omega_c = n / (C\,n_c)` (Scholz eq. 6)."""

    removed_power: ClassVar[float] = 1.0

    def __init__(self, class_counts: ClassCounts) -> None:
        super().__init__(functional.inverse_frequency_weights(tensor_checks.class_counts(class_counts)))


@final
class BatchInverseFrequencyWeighting(Weighting):
    r"""Inverse frequency in the joined batch of all ranks, :math:`\omega_c = N / (C\,N_c)`: DAL's DWCE (eq. 11)."""

    removed_power: ClassVar[float] = 1.0
    uses_batch_statistics: ClassVar[bool] = True
    needs_one_class: ClassVar[str] = "the weights count the classes of the batch"

    def per_class(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the weights ``(C,)``."""
        return functional.inverse_frequency_weights(functional.batch_counts(outputs.detach(), targets))


@final
class EffectiveNumberWeighting(FixedWeighting):
    r"""Class-balanced weights, :math:`w_c = (1 - \beta) / (1 - \beta^{n_c})` (Cui et al., 2019).

    Args:
        class_counts: ``(C,)``.
        beta: β in [0, 1); 0.9999 in all five papers.
        normalized: Scale the weights to Σ w_c = C, as published code does; DBM eq. 10 prints them unscaled.
    """

    def __init__(self, class_counts: ClassCounts, *, beta: float = 0.9999, normalized: bool = True) -> None:
        weights = functional.effective_number_weights(class_counts, beta)
        if not checks.boolean("normalized", normalized):
            weights = 1 / functional.effective_numbers(tensor_checks.class_counts(class_counts), beta)
        super().__init__(weights)

    def final_class_weights(self) -> Tensor:
        """Return the class weights."""
        return self.class_weights


@final
class DeferredWeighting(Weighting):
    """Equal weights first, class-balanced weights in the last part of training (DRW; Cao et al., 2019).

    From epoch ``int(start * num_epochs)`` on, counted from 0, the weights are those of
    :class:`EffectiveNumberWeighting`. It was published with ``reduction="weighted_mean"``.

    Args:
        class_counts: ``(C,)``.
        beta: 0.9999 in LDAM-DRW and DBM.
        start: The share of training before the weights change; 0.8 is epoch 160 of 200.
        num_epochs: The length of training in epochs; 200 in LDAM-DRW and DBM.

    Raises:
        InputError: A setting is out of range, or the loss is called before ``set_epoch``.

    Example:
        >>> weighting = DeferredWeighting([900, 100], num_epochs=10)
        >>> weighting.set_epoch(8)
        >>> weighting(torch.zeros(2, 2), torch.tensor([0, 1]))
        tensor([0.2073, 1.7927])
    """

    current_weights: Tensor
    late_weights: Tensor

    def __init__(
        self, class_counts: ClassCounts, *, beta: float = 0.9999, start: float = 0.8, num_epochs: int = 200
    ) -> None:
        super().__init__()
        weights = functional.effective_number_weights(class_counts, beta)
        num_epochs = checks.whole_number("num_epochs", num_epochs, low=1)
        self.start_epoch = int(checks.number("start", start, low=0, high=1) * num_epochs)
        self._knows_epoch = False
        self.register_buffer("late_weights", weights, persistent=False)
        self.register_buffer("current_weights", torch.ones_like(weights), persistent=False)

    def set_epoch(self, epoch: int) -> None:
        """Switch to the late weights from their epoch on."""
        self._knows_epoch = True
        late = epoch >= self.start_epoch
        self.current_weights = self.late_weights if late else torch.ones_like(self.late_weights)

    def per_class(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the weights ``(C,)`` of the current epoch."""
        if not self._knows_epoch:
            raise InputError(
                "a deferred weighting must know the epoch before its first batch, got none; "
                "call loss.set_epoch(epoch) at the start of every epoch"
            )
        return self.current_weights.to(outputs)

    def final_class_weights(self) -> Tensor:
        """Return the late weights, because trained scores are those of the end of the schedule."""
        return self.late_weights


#: Weightings by the name that settings use.
WEIGHTINGS: dict[str, type[Weighting]] = {
    "none": NoWeighting,
    "inverse_frequency": InverseFrequencyWeighting,
    "batch_inverse_frequency": BatchInverseFrequencyWeighting,
    "class": ClassWeighting,
    "effective_number": EffectiveNumberWeighting,
    "deferred": DeferredWeighting,
}


def alpha_weighting(
    alpha: float | Sequence[float] | np.ndarray | Tensor | None,
    class_counts: ClassCounts | None = None,
    positive: int | None = None,
) -> Weighting:
    """Return the class weights of focal loss: none, α of the positive class and 1 - α of the other, or one per class.

    The positive class is ``positive``; by default the one with fewer training images, as in LCT, and class 1 where
    counts are equal or unknown.
    """
    if alpha is None:
        return NoWeighting()
    if np.ndim(alpha) > 0:
        return ClassWeighting(tensor_checks.class_vector("alpha", alpha))
    share = checks.number("alpha", alpha, low=0, high=1)
    if positive is None:
        positive = 1
        if class_counts is not None:
            counts = tensor_checks.class_counts(class_counts)
            positive = int(counts[1] <= counts[0])
    elif positive not in (0, 1):
        raise InputError(f"positive must be class 0 or 1, got {positive!r}; give alpha one weight per class")
    return ClassWeighting([1 - share, share] if positive else [share, 1 - share])
