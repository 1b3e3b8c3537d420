"""Losses that weight samples, by class or by difficulty."""

from collections.abc import Sequence
from typing import Literal, final

import numpy as np
import torch
from torch import Tensor

from medtail import checks
from medtail.losses import functional
from medtail.losses.parts.likelihoods import (
    CLASS_BALANCED_LIKELIHOODS,
    COMPLEMENT_LIKELIHOODS,
    Focal,
)
from medtail.losses.parts.reductions import Reduction
from medtail.losses.parts.weightings import (
    EffectiveNumberWeighting,
    InverseFrequencyWeighting,
    Weighting,
    alpha_weighting,
)
from medtail.losses.pipeline import ClassificationLoss, PipelineLoss
from medtail.tensor_checks import ClassCounts


@final
class CrossEntropyLoss(PipelineLoss):
    r"""Cross-entropy, :math:`-\log p_y` with p = softmax(z): the reference of every comparison.

    Args:
        weighting: Weights of the samples, e.g. :class:`~medtail.losses.parts.weightings.DeferredWeighting` for CE-DRW
            (with ``reduction="weighted_mean"``); None for equal ones.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import torch
        >>> CrossEntropyLoss()(torch.zeros(1, 2), torch.tensor([1])).exp()
        tensor(2.)

    Source: LCT eq. 1.
    """

    def __init__(
        self,
        *,
        weighting: Weighting | None = None,
        class_counts: ClassCounts | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(weighting=weighting, class_counts=class_counts, reduction=reduction)


@final
class WeightedCrossEntropyLoss(PipelineLoss):
    r"""Cross-entropy weighted by normalised inverse class frequency, :math:`-\omega_y\log p_y`.

    :math:`\omega_c = n / (C\,n_c)`, scikit-learn's ``balanced``. Trained scores stand for the uniform prior.

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        reduction: ``"mean"`` is Σωℓ / N, ``"weighted_mean"`` is Σωℓ / Σω as in ``F.cross_entropy(weight=…)``;
            or ``"sum"`` or ``"none"``.

    Raises:
        InputError: A count is not positive.

    Example:
        >>> import torch
        >>> loss = WeightedCrossEntropyLoss([75, 25])
        >>> round(loss(torch.zeros(1, 2), torch.tensor([1])).item() / 0.6931472, 3)
        2.0

    Source: Scholz et al., eq. 6.
    """

    def __init__(self, class_counts: ClassCounts, *, reduction: Reduction = "mean") -> None:
        super().__init__(
            weighting=InverseFrequencyWeighting(class_counts), class_counts=class_counts, reduction=reduction
        )


@final
class FocalLoss(PipelineLoss):
    r"""Focal loss, :math:`-\alpha_y(1 - p_y)^\gamma\log p_y`: easy samples count less.

    Args:
        gamma: γ; 2 in the paper. 0 is cross-entropy.
        alpha: None for equal weights; a number for two classes, α₊ = α for the positive class and α₋ = 1 - α for the
            other (LCT eq. 2); otherwise ``(C,)``.
        class_counts: Training counts, needed for ``probabilities(…, prior)`` (scores stand for π·α) and to find the
            rarer class.
        positive: The id of the positive class of two; by default the one with fewer training images, as in LCT, and
            class 1 where counts are equal or unknown.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: γ, α or ``positive`` is out of range.

    Example:
        >>> import torch
        >>> loss = FocalLoss(gamma=2.0)
        >>> round(loss(torch.zeros(1, 2), torch.tensor([1])).item() / 0.6931472, 3)
        0.25

    Source: Lin et al., 2017; LCT eq. 2; Scholz et al., eq. 1.
    """

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        alpha: float | Sequence[float] | np.ndarray | Tensor | None = None,
        class_counts: ClassCounts | None = None,
        positive: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            likelihood=Focal(checks.number("gamma", gamma, low=0)),
            weighting=alpha_weighting(alpha, class_counts, positive),
            class_counts=class_counts,
            reduction=reduction,
        )


@final
class ClassBalancedLoss(PipelineLoss):
    r"""Class-balanced loss: weights from the effective number of samples.

    .. math:: w_y\,\ell(z, y),\qquad w_c\propto\frac{1 - \beta}{1 - \beta^{n_c}},\quad\sum_c w_c = C

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        beta: 0.9999 in most comparisons; 0 is the unweighted loss.
        likelihood: ``"softmax"`` cross-entropy; or ``"sigmoid"`` or ``"focal"``, binary (focal) cross-entropy summed
            over classes. For these, initialise the last layer's bias with -log(C - 1).
        gamma: γ of the focal likelihood; the official experiments use 0.5, 1 and 2.
        reduction: ``"mean"`` divides by N, as the official TensorFlow code does; ``"weighted_mean"``,
            ``"sum"`` or ``"none"``.

    Raises:
        InputError: A count is not positive, or a setting is out of range.

    Example:
        >>> ClassBalancedLoss([900, 100]).weighting.class_weights
        tensor([0.2073, 1.7927], dtype=torch.float64)

    Source: Cui et al., 2019.
    """

    def __init__(
        self,
        class_counts: ClassCounts,
        *,
        beta: float = 0.9999,
        likelihood: Literal["softmax", "focal", "sigmoid"] = "softmax",
        gamma: float = 2.0,
        reduction: Reduction = "mean",
    ) -> None:
        checks.choice("likelihood", likelihood, CLASS_BALANCED_LIKELIHOODS)
        super().__init__(
            likelihood=CLASS_BALANCED_LIKELIHOODS[likelihood](checks.number("gamma", gamma, low=0)),
            weighting=EffectiveNumberWeighting(class_counts, beta=beta),
            class_counts=class_counts,
            reduction=reduction,
        )


@final
class ComplementCrossEntropyLoss(PipelineLoss):
    r"""Complement cross-entropy: raise the entropy of the wrong classes.

    .. math:: -\log p_y - \frac{H}{C - 1},\qquad H = -\sum_{j\neq y} q_j\log q_j,\quad q_j = \frac{p_j}{1 - p_y}

    With two classes H = 0.

    Args:
        variant: ``"paper"``, or ``"official"``: the released code computes -log p_y + H/C (its sign was changed in
            2021), with offsets of 1e-7 and 1e-10 inside H.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: The variant is unknown.

    Example:
        >>> import torch
        >>> loss = ComplementCrossEntropyLoss()
        >>> round(loss(torch.zeros(1, 3), torch.tensor([1])).item(), 4)   # log 3 - (log 2) / 2
        0.752

    Source: Kim et al., 2021.
    """

    def __init__(
        self,
        *,
        variant: Literal["paper", "official"] = "paper",
        class_counts: ClassCounts | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        checks.choice("variant", variant, COMPLEMENT_LIKELIHOODS)
        super().__init__(
            likelihood=COMPLEMENT_LIKELIHOODS[variant](), class_counts=class_counts, reduction=reduction
        )


@final
class AdaptivelyWeightedBalancedLoss(ClassificationLoss):
    r"""AWB: class means weighted by batch frequency, plus each class's variation of its own probability.

    .. math:: \frac1C\sum_k\alpha_k\,\mathrm{mean}_{i\in k}(-\log p_i) +
              \mathrm{mean}_i\,\mathrm{softmax}(\alpha)_{y_i}\frac{\mathrm{std}_{y_i}(p)}{\mathrm{mean}_{y_i}(p)}

    p is the probability of the true class, and :math:`\alpha_k = \log(N_{\max}/N_k) + 1`, or 0 for an absent class. The
    softmax runs over all C classes; the deviation is unbiased, and 0 for a single sample. All counts and sums run over
    the joined batch of all ranks. A single sample has no value, and there is no hyper-parameter. Trained scores are
    read as standing for the uniform prior, as they would without α.

    Example:
        >>> import torch
        >>> loss = AdaptivelyWeightedBalancedLoss()
        >>> round(loss(torch.zeros(2, 2), torch.tensor([0, 1])).item(), 4)   # log 2, nearly: p + 1e-6
        0.6931

    Source: Yue et al., 2023, as their released code computes it, including the offset of 1e-6 inside the logarithm.
    """

    needs_one_class = "means and deviations are those of the samples of a class"

    def __init__(self) -> None:
        super().__init__(expects="logits", reduction="batch")

    @property
    def uses_batch_statistics(self) -> bool:
        """Always true."""
        return True

    def compute(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        return functional.adaptively_weighted_balanced(outputs.softmax(1), targets)

    def log_scores(self, outputs: Tensor) -> Tensor:
        """Return the logits."""
        return outputs

    def log_score_prior(self, drawn: Tensor | None = None) -> Tensor:
        """Return 0, the uniform prior, in whatever shares the classes are drawn."""
        return torch.zeros((), dtype=torch.float64)
