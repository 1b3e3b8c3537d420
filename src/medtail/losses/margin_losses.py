"""Losses of cosines: a margin on the true class, then a scale."""

from typing import Literal, final

from medtail import checks
from medtail.losses.parts.adjustments import Adjustment, PriorAdjustment
from medtail.losses.parts.margins import (
    ANGULAR_MARGINS,
    INSTANCE_MARGINS,
    REFERENCE_CLASSES,
    AngularMargin,
    BatchAdaptiveMargin,
    ClassMargin,
    ConstantMargin,
    CosineMargin,
    MultiplicativeMargin,
)
from medtail.losses.parts.reductions import Reduction
from medtail.losses.parts.scales import PAPER_SCALE, FixedScale, adacos_scale_part, dal_scale_part
from medtail.losses.parts.weightings import BatchInverseFrequencyWeighting, Weighting
from medtail.losses.pipeline import PipelineLoss
from medtail.tensor_checks import ClassCounts


@final
class ArcFaceLoss(PipelineLoss):
    r"""Additive angular margin.

    .. math:: -\log\frac{e^{s\cos(\theta_y + m)}}{e^{s\cos(\theta_y + m)} + \sum_{j\neq y} e^{s\cos\theta_j}}

    Args:
        margin: m in radians; 0.5 in the paper, 0 to 0.3 in DAL's Table 3.
        scale: s; 64 in the paper, for thousands of faces. This is far too large for few classes: take one from
            :func:`functional.scale_range` (about 4 for 5 to 8 classes).
        monotonic: Keep decreasing beyond θ + m = π with cos θ - m sin m, as the authors' code does; the printed
            equation rises there.
        weighting: None by default; DAL's Table 3 combines it with ``BatchInverseFrequencyWeighting()`` (DWCE).
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> import torch
        >>> loss = ArcFaceLoss(margin=0.2, scale=4.0)
        >>> round(loss(torch.tensor([[1.0, -1.0]]), torch.tensor([0])).item(), 6)
        0.000363

    Source: Deng et al., 2019; DAL eq. 1.
    """

    def __init__(
        self,
        *,
        margin: float = 0.5,
        scale: float = 64.0,
        monotonic: bool = False,
        weighting: Weighting | None = None,
        class_counts: ClassCounts | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        kind = ANGULAR_MARGINS[checks.boolean("monotonic", monotonic)]
        super().__init__(
            expects="cosines",
            margin=kind(ConstantMargin(checks.angle("margin", margin))),
            scale=FixedScale(checks.positive("scale", scale)),
            weighting=weighting,
            class_counts=class_counts,
            reduction=reduction,
        )


@final
class CosFaceLoss(PipelineLoss):
    r"""Additive cosine margin: cross-entropy of s·(cos θ_y - m).

    Args:
        margin: m; 0.35 in the paper.
        scale: s; 64 in the paper, far too large for few classes, see :class:`ArcFaceLoss`.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> import torch
        >>> CosFaceLoss(scale=4.0)(torch.tensor([[1.0, -1.0]]), torch.tensor([0])).item() < 0.01
        True

    Source: Wang et al., 2018; DBM Table 1.
    """

    def __init__(
        self,
        *,
        margin: float = 0.35,
        scale: float = 64.0,
        class_counts: ClassCounts | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            expects="cosines",
            margin=CosineMargin(ConstantMargin(checks.number("margin", margin, low=0))),
            scale=FixedScale(checks.positive("scale", scale)),
            class_counts=class_counts,
            reduction=reduction,
        )


@final
class SphereFaceLoss(PipelineLoss):
    r"""Multiplicative angular margin: cross-entropy of s·ψ(θ_y).

    .. math:: \psi(\theta) = (-1)^k\cos(m\theta) - 2k,\qquad \theta\in[k\pi/m, (k+1)\pi/m]

    Args:
        margin: m, a whole number; 4 in the paper.
        scale: s, a constant; the paper uses the norm of the features. 64 is far too large for few classes,
            see :class:`ArcFaceLoss`.
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> import torch
        >>> SphereFaceLoss(scale=4.0)(torch.tensor([[1.0, -1.0]]), torch.tensor([0])).item() < 0.01
        True

    Source: Liu et al., 2017; DBM Table 1.
    """

    def __init__(
        self,
        *,
        margin: int = 4,
        scale: float = 64.0,
        class_counts: ClassCounts | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            expects="cosines",
            margin=MultiplicativeMargin(checks.whole_number("margin", margin, low=1)),
            scale=FixedScale(checks.positive("scale", scale)),
            class_counts=class_counts,
            reduction=reduction,
        )


@final
class AdaCosLoss(PipelineLoss):
    r"""Scaled cosine softmax without a margin, whose scale follows from C or from the training.

    The fixed scale is :math:`s = \sqrt2\,\log(C - 1)`. The dynamic scale,
    :math:`s\leftarrow\log B_\text{avg} / \cos\min(\pi/4, \theta_\text{med})`, is updated on every training batch (of
    all ranks) before it is used, and is saved in ``state_dict``.

    Args:
        num_classes: C, at least 3, because the scale of two classes is 0.
        dynamic: Whether the scale follows the training, as by default in the paper.
        weighting: None by default; DAL's Table 3 combines it with ``BatchInverseFrequencyWeighting()`` (DWCE).
        class_counts: Training counts, needed only for ``probabilities(…, prior)``: scores stand for the training prior.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: There are two classes.

    Example:
        >>> import torch
        >>> loss = AdaCosLoss(7, dynamic=False)
        >>> round(loss.scale.value, 3)
        2.534

    Source: Zhang et al., 2019; DAL eq. 2.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        dynamic: bool = True,
        weighting: Weighting | None = None,
        class_counts: ClassCounts | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            expects="cosines",
            scale=adacos_scale_part(num_classes, dynamic),
            weighting=weighting,
            class_counts=class_counts,
            reduction=reduction,
        )


@final
class LDAMLoss(PipelineLoss):
    r"""Label-distribution-aware margin: a cosine margin that is larger for rarer classes.

    .. math:: -\log\mathrm{softmax}(s(\cos\theta - \Delta_y e_y))_y,\qquad
              \Delta_c = m_{\max}\,(n_{\min}/n_c)^{1/4}

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        max_margin: The margin of the rarest class; 0.5 in the paper.
        scale: s; 30 in the paper.
        weighting: ``DeferredWeighting(class_counts)`` with ``reduction="weighted_mean"`` is LDAM-DRW.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> LDAMLoss([900, 100]).margin.size.margins
        tensor([0.2887, 0.5000], dtype=torch.float64)

    Source: Cao et al., 2019 (DBM's Table 1 prints it without the normalisation).
    """

    def __init__(
        self,
        class_counts: ClassCounts,
        *,
        max_margin: float = 0.5,
        scale: float = 30.0,
        weighting: Weighting | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        max_margin = checks.number("max_margin", max_margin, low=0)
        super().__init__(
            expects="cosines",
            margin=CosineMargin(ClassMargin(class_counts, max_margin=max_margin, power=0.25)),
            scale=FixedScale(checks.positive("scale", scale)),
            weighting=weighting,
            class_counts=class_counts,
            reduction=reduction,
        )


@final
class DynamicAngularLoss(PipelineLoss):
    r"""DAL: batch-adaptive angular margin and dynamically weighted cross-entropy.

    .. math:: L = -\frac1N\sum_i\omega_{y_i}\log P_{i,y_i},\qquad
              P_{i,y} = \frac{e^{s\cos(\theta_y + m_y)}}{e^{s\cos(\theta_y + m_y)} + \sum_{j\neq y} e^{s\cos\theta_j}}

    with :math:`\omega_c = N/(C N_c)` and :math:`m_c` rising from ``min_margin`` for the most frequent class of the
    batch to ``max_margin`` for the rarest (eqs. 8–12). N and N_c are counted over the batch of all ranks.

    Args:
        min_margin: In radians. The paper prints neither end; its ablation uses fixed margins of 0, 0.1, 0.2 and 0.3.
        max_margin: In radians; 0 switches the margin off, and ``min_margin`` makes it fixed (Table 3).
        scale: s; 4 in the paper. ``"auto"`` takes the middle of the range of eq. 7 for the negative angles of the
            previous epoch (5th to 95th percentile), and is saved in ``state_dict``.
        weighting: DWCE by default; ``NoWeighting()`` switches it off (Table 3).
        class_counts: Training counts, needed only for ``probabilities(…, prior)`` without DWCE: with DWCE, scores
            stand for the uniform prior.
        reduction: ``"mean"`` is (1/N)Σ, as in eq. 12; Σω, the denominator of ``"weighted_mean"``, is N·K/C when K
            classes are present.

    Raises:
        InputError: A setting is out of range, or there are two classes and ``scale="auto"``.

    Example:
        >>> import torch
        >>> loss = DynamicAngularLoss()
        >>> cosines = torch.tensor([[0.9, -0.5, 0.1], [0.2, 0.7, -0.3]], requires_grad=True)
        >>> loss(cosines, torch.tensor([0, 1])).backward()
        >>> bool(cosines.grad.isfinite().all())
        True

    Source: DAL §3, eqs. 7–12.
    """

    def __init__(
        self,
        *,
        min_margin: float = 0.0,
        max_margin: float = 0.3,
        scale: float | Literal["auto"] = PAPER_SCALE,
        weighting: Weighting | None = None,
        class_counts: ClassCounts | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        min_margin = checks.angle("min_margin", min_margin)
        max_margin = checks.number("max_margin", max_margin, low=min_margin, high=checks.LARGEST_ANGLE)
        super().__init__(
            expects="cosines",
            margin=AngularMargin(BatchAdaptiveMargin(min_margin=min_margin, max_margin=max_margin)),
            scale=dal_scale_part(scale),
            weighting=BatchInverseFrequencyWeighting() if weighting is None else weighting,
            class_counts=class_counts,
            reduction=reduction,
        )


@final
class DifficultyAwareMarginLoss(PipelineLoss):
    r"""DBM: an angular margin that grows with a class's rarity and a sample's difficulty.

    .. math:: s\cos(\theta_y + m_C + \mathbb 1[\text{hard}]\,m_I),\qquad m_C = K (n_y/n_{\min})^{-\tau},\quad
              m_I = m_C\,\frac{1 - \cos\theta_y}{2}

    A positive is hard when another class has a smaller angle, before any margin. The default is DBM-CE.
    ``PriorAdjustment(class_counts)`` makes it DBM-BS (eq. 11), ``EffectiveNumberWeighting(class_counts,
    normalized=False)`` DBM-CB (eq. 10), and ``DeferredWeighting(class_counts)`` with ``reduction="weighted_mean"``
    DBM-DRW.

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        max_margin: K in radians; 0.1 in the paper. 0 gives the plain cosine classifier (Table 5, "Cosine").
        power: τ; 1 in the paper.
        scale: s; 32 on CIFAR, 30 on ImageNet-LT and iNaturalist.
        adjustment: None by default.
        weighting: None by default.
        instance_margin: ``"hard"`` positives (the paper), ``"all"`` positives, or ``"none"`` (Table 5).
        monotonic: Keep decreasing beyond θ + m = π, as ArcFace's code does; the paper's equation rises there.
        variant: ``"paper"``, or ``"official"``: the released code divides by the count of the *last* class instead of
            n_min, which is the same only when classes are sorted by descending count.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> from medtail.losses import PriorAdjustment
        >>> counts = [900, 100]
        >>> dbm_bs = DifficultyAwareMarginLoss(counts, adjustment=PriorAdjustment(counts))

    Source: DBM §3, eqs. 6–11.
    """

    def __init__(
        self,
        class_counts: ClassCounts,
        *,
        max_margin: float = 0.1,
        power: float = 1.0,
        scale: float = 32.0,
        adjustment: Adjustment | None = None,
        weighting: Weighting | None = None,
        instance_margin: Literal["hard", "all", "none"] = "hard",
        monotonic: bool = False,
        variant: Literal["paper", "official"] = "paper",
        reduction: Reduction = "mean",
    ) -> None:
        class_margin = ClassMargin(
            class_counts,
            max_margin=checks.angle("max_margin", max_margin),
            power=checks.number("power", power, low=0),
            reference_class=REFERENCE_CLASSES[checks.choice("variant", variant, REFERENCE_CLASSES)],
        )
        with_instance = INSTANCE_MARGINS[checks.choice("instance_margin", instance_margin, INSTANCE_MARGINS)]
        kind = ANGULAR_MARGINS[checks.boolean("monotonic", monotonic)]
        super().__init__(
            expects="cosines",
            margin=kind(with_instance(class_margin)),
            scale=FixedScale(checks.positive("scale", scale)),
            adjustment=adjustment,
            weighting=weighting,
            class_counts=class_counts,
            reduction=reduction,
        )


def balanced_difficulty_aware_margin(
    class_counts: ClassCounts,
    *,
    tau: float = 1.0,
    max_margin: float = 0.1,
    power: float = 1.0,
    scale: float = 32.0,
    weighting: Weighting | None = None,
    instance_margin: Literal["hard", "all", "none"] = "hard",
    monotonic: bool = False,
    variant: Literal["paper", "official"] = "paper",
    reduction: Reduction = "mean",
) -> DifficultyAwareMarginLoss:
    """DBM-BS: DBM with balanced softmax's log π added to all scaled scores.

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        tau: The exponent of the prior, as in LCT eq. 22; 1 in the paper, and 0 is DBM-CE.
        max_margin: K in radians. This and the other settings are those of :class:`DifficultyAwareMarginLoss`.
        power: τ of the class margin.
        scale: s.
        weighting: None by default.
        instance_margin: ``"hard"``, ``"all"`` or ``"none"``.
        monotonic: Keep decreasing beyond θ + m = π.
        variant: ``"paper"`` or ``"official"``.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> balanced_difficulty_aware_margin([75, 25]).adjustment.offset.exp()
        tensor([0.7500, 0.2500], dtype=torch.float64)

    Source: DBM eq. 11.
    """
    return DifficultyAwareMarginLoss(
        class_counts,
        max_margin=max_margin,
        power=power,
        scale=scale,
        adjustment=PriorAdjustment(class_counts, tau=tau),
        weighting=weighting,
        instance_margin=instance_margin,
        monotonic=monotonic,
        variant=variant,
        reduction=reduction,
    )
