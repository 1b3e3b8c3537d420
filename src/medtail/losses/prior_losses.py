"""Losses that adjust the logits by the class prior in training."""

from typing import final

from medtail.losses.parts.adjustments import PriorAdjustment
from medtail.losses.parts.reductions import Reduction
from medtail.losses.pipeline import PipelineLoss
from medtail.tensor_checks import ClassCounts


@final
class BalancedSoftmaxLoss(PipelineLoss):
    r"""Balanced softmax: cross-entropy of z + log π.

    Trained scores stand for the uniform prior.

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A count is not positive.

    Example:
        >>> import torch
        >>> loss = BalancedSoftmaxLoss([75, 25])
        >>> round(loss(torch.zeros(1, 2), torch.tensor([1])).exp().item(), 4)
        4.0

    Source: Ren et al., 2020; DBM eq. 4.
    """

    def __init__(self, class_counts: ClassCounts, *, reduction: Reduction = "mean") -> None:
        super().__init__(
            adjustment=PriorAdjustment(class_counts), class_counts=class_counts, reduction=reduction
        )


@final
class LogitAdjustedLoss(PipelineLoss):
    r"""Logit adjustment in training: cross-entropy of z + τ log π.

    Trained scores stand for the prior π^(1-τ). (The post-hoc form instead *subtracts* τ log π from the scores of
    plain cross-entropy.)

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        tau: τ; 1 in the paper, which is balanced softmax.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A count is not positive, or τ is negative.

    Example:
        >>> import torch
        >>> loss = LogitAdjustedLoss([75, 25], tau=0.0)
        >>> loss(torch.zeros(1, 2), torch.tensor([1])).exp()
        tensor(2.)

    Source: Menon et al., 2021; LCT eq. 22.
    """

    def __init__(self, class_counts: ClassCounts, *, tau: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__(
            adjustment=PriorAdjustment(class_counts, tau=tau), class_counts=class_counts, reduction=reduction
        )


@final
class VectorScalingLoss(PipelineLoss):
    r"""Vector scaling: cross-entropy of Δ⊙z + ι.

    .. math:: \Delta_c = (n_c/n_{\max})^\gamma,\qquad \iota_c = \tau\log\pi_c

    For two classes this is LCT eq. 4: ℓ(-) = log(1 + e^η), ℓ(+) = log(1 + e^(-η)),
    η = z₊/β^γ - (z₋ + τ log β) with imbalance ratio β. Trained scores stand for the prior π^(1-τ).

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        gamma: 0.3 in Kini et al.; LCT tunes it in [0, 0.3].
        tau: 1 in Kini et al.; LCT tunes it in [0, 3].
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A count is not positive, or a parameter is negative.

    Example:
        >>> import torch
        >>> loss = VectorScalingLoss([75, 25], gamma=0.0, tau=0.0)
        >>> loss(torch.zeros(1, 2), torch.tensor([1])).exp()
        tensor(2.)

    Source: Kini et al., 2021; LCT eqs. 3, 4, 21, 22.
    """

    def __init__(
        self,
        class_counts: ClassCounts,
        *,
        gamma: float = 0.3,
        tau: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            adjustment=PriorAdjustment(class_counts, tau=tau, gamma=gamma),
            class_counts=class_counts,
            reduction=reduction,
        )
