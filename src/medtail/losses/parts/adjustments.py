"""Adjustments: per-class affine maps of the logits, from the class prior."""

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from medtail import checks, tensor_checks
from medtail.losses.parts.base import Part
from medtail.tensor_checks import ClassCounts


class Adjustment(Part, ABC):
    r"""A map of the logits before the likelihood, used in training only.

    Attributes:
        removed_power: τ; training with the adjustment takes :math:`\pi^\tau` out of the prior of the scores.
    """

    removed_power: float
    # Affine maps keep convexity.
    convex = True

    @abstractmethod
    def forward(self, logits: Tensor) -> Tensor:
        """Return the adjusted logits ``(N, C)``."""


@final
class NoAdjustment(Adjustment):
    """Leave the logits unchanged."""

    removed_power = 0.0

    def forward(self, logits: Tensor) -> Tensor:
        """Return the logits."""
        return logits


@final
class PriorAdjustment(Adjustment):
    r"""The affine map of balanced softmax, logit adjustment and vector scaling.

    .. math:: \Delta_c z_c + \iota_c,\qquad \Delta_c = (n_c / n_{\max})^\gamma,\quad \iota_c = \tau\log\pi_c,\quad
              \pi_c = n_c / n

    Training *adds* τ log π; the post-hoc form *subtracts* it from trained scores.

    Args:
        class_counts: ``(C,)``.
        tau: τ; 1 is balanced softmax (DBM eq. 4), 0 omits the offset.
        gamma: γ; 0 omits the slope; LCT eqs. 3, 21, 22 tune it in [0, 0.3].

    Raises:
        InputError: A count is not positive, or a parameter is not a number of at least 0.

    Example:
        >>> PriorAdjustment([75, 25])(torch.zeros(1, 2)).exp()
        tensor([[0.7500, 0.2500]])
    """

    slope: Tensor | None
    offset: Tensor

    def __init__(self, class_counts: ClassCounts, tau: float = 1.0, gamma: float = 0.0) -> None:
        super().__init__()
        counts = tensor_checks.class_counts(class_counts)
        self.removed_power = checks.number("tau", tau, low=0)
        slope = (counts / counts.max()).pow(checks.number("gamma", gamma, low=0))
        self.register_buffer("slope", None if gamma == 0 else slope, persistent=False)
        self.register_buffer("offset", tau * (counts / counts.sum()).log(), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Return the adjusted logits ``(N, C)``."""
        offset, slope = self.offset.to(logits), self.slope
        return offset + logits if slope is None else torch.addcmul(offset, slope.to(logits), logits)


#: Adjustments by the name that settings use.
ADJUSTMENTS: dict[str, type[Adjustment]] = {"none": NoAdjustment, "prior": PriorAdjustment}
