"""Families of losses: a loss as a function of some of its hyper-parameters λ."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from medtail import checks, tensor_checks
from medtail.errors import InputError
from medtail.losses import LOSSES, FocalLoss, create_loss, functional
from medtail.losses.margin_losses import balanced_difficulty_aware_margin
from medtail.losses.parts.reductions import Reduction
from medtail.losses.pipeline import ClassificationLoss
from medtail.tensor_checks import ClassCounts

#: Called with λ by name, gives a loss; ``functools.partial(VectorScalingLoss, class_counts)`` is one.
LossFamily = Callable[..., ClassificationLoss]


def focal(
    class_counts: ClassCounts,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    positive: int | None = None,
    reduction: Reduction = "mean",
) -> FocalLoss:
    """Focal loss for any number of classes, with class weights that follow from one number α.

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        gamma: The paper's φ, which is 0 to 3 there.
        alpha: In (0, 1), 0.1 to 0.75 in the paper: the weight of the positive class of two. Of several classes, the
            rarest weighs α / (1 - α) times the commonest (:func:`medtail.losses.functional.rarity_weights`). None
            means no weights: twice the loss of 0.5.
        positive: As in :class:`medtail.losses.FocalLoss`.
        reduction: As in :class:`medtail.losses.FocalLoss`.

    Example:
        >>> focal([900, 100], alpha=0.75).weighting.class_weights
        tensor([0.2500, 0.7500], dtype=torch.float64)

    Source: LCT eq. 2; the form for more than two classes is our extension.
    """
    weights: float | Tensor | None = alpha
    if alpha is not None:
        alpha = checks.number("alpha", alpha, low=0, high=1, open_low=True, open_high=True)
        if len(class_counts) > 2:
            weights = functional.rarity_weights(tensor_checks.class_counts(class_counts), alpha)
    return FocalLoss(
        gamma=gamma, alpha=weights, class_counts=class_counts, positive=positive, reduction=reduction
    )


#: What a loss key stands for where λ varies: the loss itself, unless λ is not a number of its own constructor.
FAMILIES: dict[str, Callable[..., ClassificationLoss]] = LOSSES | {
    "focal": focal,
    "dbm": partial(balanced_difficulty_aware_margin, tau=0.0),
}


def create_family(
    name: str,
    *,
    class_counts: ClassCounts,
    settings: Mapping[str, Any] | None = None,
    num_epochs: int | None = None,
    positive: int | None = None,
) -> LossFamily:
    """Return the family of the loss called ``name``: a function of λ, given by name.

    Any number that the loss's constructor names can be λ: γ and τ of ``vector_scaling``, α and γ of ``focal``, τ of
    ``logit_adjusted``, ``scale``, ``min_margin`` and ``max_margin`` of ``dal``, ``scale``, ``max_margin``, ``power``
    and the prior exponent ``tau`` of ``dbm`` and ``dbm_bs``, and so on.

    Args:
        name: A key of :data:`medtail.losses.LOSSES`.
        class_counts: ``(C,)``, training counts in class-id order.
        settings: The settings that do not vary.
        num_epochs: Number of training epochs, for schedules.
        positive: As in :func:`medtail.losses.create_loss`.

    Raises:
        InputError: When the family is called: a name or value is wrong, or λ names a setting that does not vary.

    Example:
        >>> family = create_family("dbm_bs", class_counts=[900, 100], settings={"power": 0.5})
        >>> family(scale=16.0, tau=0.5).adjustment.removed_power
        0.5
    """
    fixed = dict(settings or {})

    def member(**condition: float) -> ClassificationLoss:
        twice = sorted(fixed.keys() & condition.keys())
        if twice:
            raise InputError(
                f"a parameter of loss {name} must either vary or have one value, got both for {', '.join(twice)}; "
                f"leave it out of either the loss's settings or the distributions"
            )
        return create_loss(
            name,
            class_counts=class_counts,
            settings=fixed | condition,
            num_epochs=num_epochs,
            positive=positive,
            constructors=FAMILIES,
        )

    return member
