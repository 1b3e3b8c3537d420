"""Losses of C binary decisions, for single-label and multi-label targets."""

from typing import Literal, final

from medtail import checks
from medtail.losses.parts.likelihoods import (
    Asymmetric,
    AsymmetricPolynomial,
    AsymmetricSoftmax,
    Coefficients,
    Hill,
    PadeAsymmetric,
    SigmoidFocal,
    pade_coefficients,
)
from medtail.losses.parts.reductions import Reduction
from medtail.losses.parts.targets import UnknownLabels
from medtail.losses.pipeline import PipelineLoss
from medtail.tensor_checks import ClassCounts


@final
class BinaryCrossEntropyLoss(PipelineLoss):
    r"""Binary cross-entropy of every class: the reference of the sigmoid losses.

    .. math:: -\sum_c y\log p + (1-y)\log(1-p)

    p = σ(z). Probabilities of single-label classes are σ(z) divided by their sum. ALPA eq. 6 divides by C, which only
    scales the learning rate.

    Args:
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        unknown_labels: ``"refuse"``, or ``"leave_out"`` labels that are NaN, see :meth:`forward`.
        reduction: Applies to the samples' sums over classes; ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import torch
        >>> BinaryCrossEntropyLoss()(torch.zeros(1, 2), torch.tensor([1])).exp()
        tensor(4.)

    Source: ALPA eq. 6.
    """

    def __init__(
        self,
        *,
        class_counts: ClassCounts | None = None,
        unknown_labels: UnknownLabels = "refuse",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            likelihood=SigmoidFocal(0.0),
            class_counts=class_counts,
            unknown_labels=unknown_labels,
            reduction=reduction,
        )


@final
class SigmoidFocalLoss(PipelineLoss):
    r"""Focal loss of every class by itself, with one weight for positives and one for negatives.

    .. math:: -\sum_c\alpha_+\,y\,(1-p)^\gamma\log p + \alpha_-\,(1-y)\,p^\gamma\log(1-p)

    p = σ(z). Probabilities of single-label classes are σ(z) divided by their sum. :class:`~medtail.losses.FocalLoss` is
    the softmax form.

    Args:
        gamma: γ; 2 in Lin et al., 0.5 in ALPA's Fig. 1. 0 is binary cross-entropy.
        alpha_positive: α₊; 0.25 in Lin et al. ALPA gives no value.
        alpha_negative: α₋; 0.75 in Lin et al.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        unknown_labels: ``"refuse"``, or ``"leave_out"`` labels that are NaN, see :meth:`forward`.
        reduction: Applies to the samples' sums over classes; ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> import torch
        >>> loss = SigmoidFocalLoss(gamma=0, alpha_positive=2, alpha_negative=1)
        >>> round(loss(torch.zeros(1, 2), torch.tensor([1])).exp().item(), 4)
        8.0

    Source: Lin et al., 2017; ALPA eq. 2, whose signs are those of a likelihood.
    """

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        alpha_positive: float = 1.0,
        alpha_negative: float = 1.0,
        class_counts: ClassCounts | None = None,
        unknown_labels: UnknownLabels = "refuse",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            likelihood=SigmoidFocal(
                checks.number("gamma", gamma, low=0),
                checks.number("alpha_positive", alpha_positive, low=0),
                checks.number("alpha_negative", alpha_negative, low=0),
            ),
            class_counts=class_counts,
            unknown_labels=unknown_labels,
            reduction=reduction,
        )


@final
class HillLoss(PipelineLoss):
    r"""Hill loss: negatives that look like positives, and may be wrongly labelled, pull little.

    .. math:: \sum_c -y\,(1-p_m)^\gamma\log p_m + (1-y)\,(\lambda - p)\,p^2,\qquad p_m = \sigma(z - m)

    p = σ(z). The gradient of a negative falls again as p nears 1. Probabilities of single-label classes are σ(z)
    divided by their sum. ALPA v3 takes up only λ, in another form: see ``hill`` of :class:`PadeAsymmetricLoss`.

    Args:
        hill: λ of at least 1; 1.5 in the paper. With less than 1.5 the cost of a negative falls again near p = 1.
        margin: m of positives; 1 in the paper.
        gamma: γ of positives; 2 in the paper.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        unknown_labels: ``"refuse"``, or ``"leave_out"`` labels that are NaN, see :meth:`forward`.
        reduction: Applies to the samples' sums over classes; ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> import torch
        >>> HillLoss()(torch.zeros(1, 2), torch.tensor([[0, 0]]))                    # 2 · (1.5 - 0.5) · 0.25
        tensor(0.5000)

    Source: Zhang et al., 2021, "Simple and Robust Loss Design for Multi-Label Learning with Missing Labels".
    """

    def __init__(
        self,
        *,
        hill: float = 1.5,
        margin: float = 1.0,
        gamma: float = 2.0,
        class_counts: ClassCounts | None = None,
        unknown_labels: UnknownLabels = "refuse",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            likelihood=Hill(
                hill=checks.number("hill", hill, low=1),
                margin=checks.number("margin", margin),
                gamma=checks.number("gamma", gamma, low=0),
            ),
            class_counts=class_counts,
            unknown_labels=unknown_labels,
            reduction=reduction,
        )


@final
class AsymmetricLoss(PipelineLoss):
    r"""ASL: negatives are focused more strongly than positives, and easy negatives cost nothing.

    .. math:: -\sum_c y(1-p)^{\gamma_+}\log p + (1-y)\,q^{\gamma_-}\log(1-q),\qquad q = \max(p - \text{clip}, 0)

    p = σ(z). Probabilities of single-label classes are σ(z) divided by their sum. The released code also sums over
    samples: ``reduction="sum"``.

    Args:
        gamma_negative: γ₋; 4 in the paper.
        gamma_positive: γ₊; 1 in the released code.
        clip: The probability shift; 0.05 in the paper.
        detach_focusing: Let no gradient through the focusing weights, as the released code does by default.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        unknown_labels: ``"refuse"``, or ``"leave_out"`` labels that are NaN, see :meth:`forward`.
        reduction: Applies to the samples' sums over classes; ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> import torch
        >>> loss = AsymmetricLoss(gamma_negative=0, gamma_positive=0, clip=0)       # binary cross-entropy
        >>> loss(torch.zeros(1, 2), torch.tensor([[1, 1]])).exp()
        tensor(4.)

    Source: Ridnik et al., 2021; ALPA eq. 3.
    """

    def __init__(
        self,
        *,
        gamma_negative: float = 4.0,
        gamma_positive: float = 1.0,
        clip: float = 0.05,
        detach_focusing: bool = True,
        class_counts: ClassCounts | None = None,
        unknown_labels: UnknownLabels = "refuse",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            likelihood=Asymmetric(
                gamma_negative=gamma_negative,
                gamma_positive=gamma_positive,
                clip=clip,
                detach_focusing=detach_focusing,
            ),
            class_counts=class_counts,
            unknown_labels=unknown_labels,
            reduction=reduction,
        )


@final
class AsymmetricSoftmaxLoss(PipelineLoss):
    r"""ASL for single-label targets: log softmax with asymmetric focusing and label smoothing.

    .. math:: -\sum_c\tilde y_c\,(1 - p_{t,c})^{\gamma_c}\log p_c,\qquad \tilde y = (1-\epsilon)\,y + \epsilon/C

    p = softmax(z).

    Args:
        gamma_negative: 4 in the released code.
        gamma_positive: 0 in the released code.
        smoothing: ε; 0.1 in the released code.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> import torch
        >>> loss = AsymmetricSoftmaxLoss(gamma_negative=0, smoothing=0)             # cross-entropy
        >>> loss(torch.zeros(1, 2), torch.tensor([1])).exp()
        tensor(2.)

    Source: Ridnik et al., 2021, released code.
    """

    def __init__(
        self,
        *,
        gamma_negative: float = 4.0,
        gamma_positive: float = 0.0,
        smoothing: float = 0.1,
        class_counts: ClassCounts | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            likelihood=AsymmetricSoftmax(
                gamma_negative=checks.number("gamma_negative", gamma_negative, low=0),
                gamma_positive=checks.number("gamma_positive", gamma_positive, low=0),
                smoothing=checks.number("smoothing", smoothing, low=0, high=1),
            ),
            class_counts=class_counts,
            reduction=reduction,
        )


@final
class AsymmetricPolynomialLoss(PipelineLoss):
    r"""APL: ASL with re-weighted leading terms in the expansion of the logarithm.

    .. math:: -\sum_c w\,[y(\log p + \epsilon_1(1-p) + \tfrac12\epsilon_2(1-p)^2) + (1-y)(\log r + \epsilon_- r)]

    with :math:`r = \min(1 - p + \text{clip}, 1)` and the focusing w of :class:`AsymmetricLoss`. Logarithms are floored
    at log 1e-8, so that of a positive below this probability has no gradient. The released code also sums over samples:
    ``reduction="sum"``.

    Args:
        gamma_negative: γ₋; 4 in the paper.
        gamma_positive: γ₊; 0 in the paper.
        clip: The probability shift; 0.05 in the paper.
        epsilon_1: ε₁; 1 in the paper.
        epsilon_2: ε₂; -2.5 in the paper.
        epsilon_negative: ε₋; 0 in the paper.
        detach_focusing: Let no gradient through the focusing weights, as the released code does by default.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        unknown_labels: ``"refuse"``, or ``"leave_out"`` labels that are NaN, see :meth:`forward`.
        reduction: Applies to the samples' sums over classes; ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> import torch
        >>> loss = AsymmetricPolynomialLoss(epsilon_1=0, epsilon_2=0, gamma_negative=0, clip=0)
        >>> loss(torch.zeros(1, 2), torch.tensor([[1, 1]])).exp()
        tensor(4.)

    Source: Huang et al., 2023.
    """

    def __init__(
        self,
        *,
        gamma_negative: float = 4.0,
        gamma_positive: float = 0.0,
        clip: float = 0.05,
        epsilon_1: float = 1.0,
        epsilon_2: float = -2.5,
        epsilon_negative: float = 0.0,
        detach_focusing: bool = True,
        class_counts: ClassCounts | None = None,
        unknown_labels: UnknownLabels = "refuse",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            likelihood=AsymmetricPolynomial(
                gamma_negative=gamma_negative,
                gamma_positive=gamma_positive,
                clip=clip,
                positive_coefficients=(
                    checks.number("epsilon_1", epsilon_1),
                    checks.number("epsilon_2", epsilon_2),
                ),
                negative_coefficient=checks.number("epsilon_negative", epsilon_negative),
                detach_focusing=detach_focusing,
            ),
            class_counts=class_counts,
            unknown_labels=unknown_labels,
            reduction=reduction,
        )


@final
class PadeAsymmetricLoss(PipelineLoss):
    r"""ALPA: rational approximants in place of the logarithms, asymmetrically focused.

    .. math:: -\sum_c \alpha y\,r^{\gamma_+}(1-p)^{\gamma_+}\frac{a_0 + a_1 p}{1 + b_1 p} +
              \beta(1-y)\,p^{\gamma_-}q^{\gamma_-}\Big(\frac{c_0 + c_1 r}{1 + d_1 r} - \lambda p\Big)

    p = σ(z), q = max(p - clip, 0), r = 1 - q. This is the negative of eq. 11, whose L± expand +log. Focusing appears
    twice in it, once explicitly and once in W, while the paper's gradient analysis assumes once. With the defaults, a
    positive costs 1.3125(1 - p) and a negative 1.625p⁹: the gradient of a badly wrong positive *vanishes* with p.

    The losses of Table 2 are v1 (α = β = 1), v2 (the defaults) and v3 (α 1.25, β 2, γ₊ 3, γ₋ 2, hill 1.5). The released
    code also has ``clip=0.05`` and ``reduction="sum"``.

    Args:
        alpha: α; 0.875 in the paper.
        beta: β; 1.625 in the paper.
        gamma_positive: γ₊; 0 in the paper.
        gamma_negative: γ₋; 4 in the paper.
        clip: The probability shift; none in the paper, 0.05 in the released code, where it also enters one of the two
            focusing factors of positives.
        detach_focusing: Let no gradient through W, the second focusing, as in the paper and by default in the released
            code.
        approximant: ``"paper"`` has the straight lines 1.5(p - 1) and r - 1; ``"pade_1_1"`` is the [1/1] Padé
            approximant of the logarithm at 1, 2(p - 1)/(p + 1), that the title promises.
        coefficients: ((a₀, a₁, b₁), (c₀, c₁, d₁)) instead of those of ``approximant``.
        hill: λ; 0, or 1.5 in v3. The paper says that λp is *added to L⁻*. Here it is added to the cost of a negative,
            since inside eq. 11 it would turn the cost of a wrong negative into a reward.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        unknown_labels: ``"refuse"``, or ``"leave_out"`` labels that are NaN, see :meth:`forward`.
        reduction: Applies to the samples' sums over classes; ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> import torch
        >>> loss = PadeAsymmetricLoss()
        >>> loss(torch.zeros(1, 2), torch.tensor([[1, 1]]))
        tensor(1.3125)

    Source: ALPA eqs. 9–11, §5.3.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.875,
        beta: float = 1.625,
        gamma_positive: float = 0.0,
        gamma_negative: float = 4.0,
        clip: float = 0.0,
        detach_focusing: bool = False,
        approximant: Literal["paper", "pade_1_1"] = "paper",
        coefficients: tuple[Coefficients, Coefficients] | None = None,
        hill: float = 0.0,
        class_counts: ClassCounts | None = None,
        unknown_labels: UnknownLabels = "refuse",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            likelihood=PadeAsymmetric(
                alpha=checks.number("alpha", alpha, low=0),
                beta=checks.number("beta", beta, low=0),
                gamma_positive=gamma_positive,
                gamma_negative=gamma_negative,
                clip=clip,
                detach_focusing=detach_focusing,
                coefficients=pade_coefficients(approximant, coefficients),
                hill=checks.number("hill", hill, low=0),
            ),
            class_counts=class_counts,
            unknown_labels=unknown_labels,
            reduction=reduction,
        )
