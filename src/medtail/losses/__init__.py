"""Losses for imbalanced classification: each is called as ``loss(outputs, targets)`` and drops into any loop.

``outputs`` are logits or cosines ``(N, C)``, as ``loss.expects`` says; ``targets`` are class ids ``(N,)``.
:data:`LOSSES` lists the losses by key, and :func:`create_loss` builds one from settings. docs/how_to_add_a_loss.md
explains how to add one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medtail.losses import functional
    from medtail.losses.catalogue import (
        COMPOSITIONS,
        LOSSES,
        NEUTRAL_SETTINGS,
        create_loss,
    )
    from medtail.losses.contrastive_losses import (
        BalancedContrastiveLoss,
        GaussianMixtureLoss,
        MomentumContrastLoss,
    )
    from medtail.losses.descriptions import DESCRIPTIONS, PAPERS, UNAVAILABLE_LOSSES
    from medtail.losses.distillation_losses import DistillationLoss, NestedCollaborativeLoss
    from medtail.losses.gradient_figure import plot_gradients
    from medtail.losses.margin_losses import (
        AdaCosLoss,
        ArcFaceLoss,
        CosFaceLoss,
        DifficultyAwareMarginLoss,
        DynamicAngularLoss,
        LDAMLoss,
        SphereFaceLoss,
    )
    from medtail.losses.metric_losses import SoftF1Loss, SoftMCCLoss
    from medtail.losses.parts.adjustments import NoAdjustment, PriorAdjustment
    from medtail.losses.parts.weightings import (
        BatchInverseFrequencyWeighting,
        ClassWeighting,
        DeferredWeighting,
        EffectiveNumberWeighting,
        InverseFrequencyWeighting,
        NoWeighting,
    )
    from medtail.losses.pipeline import ClassificationLoss, PipelineLoss, WeightedSumLoss
    from medtail.losses.prior_losses import BalancedSoftmaxLoss, LogitAdjustedLoss, VectorScalingLoss
    from medtail.losses.sigmoid_losses import (
        AsymmetricLoss,
        AsymmetricPolynomialLoss,
        AsymmetricSoftmaxLoss,
        PadeAsymmetricLoss,
    )
    from medtail.losses.weighted_losses import (
        AdaptivelyWeightedBalancedLoss,
        ClassBalancedLoss,
        ComplementCrossEntropyLoss,
        CrossEntropyLoss,
        FocalLoss,
        WeightedCrossEntropyLoss,
    )

__all__ = [
    "COMPOSITIONS",
    "DESCRIPTIONS",
    "LOSSES",
    "NEUTRAL_SETTINGS",
    "PAPERS",
    "UNAVAILABLE_LOSSES",
    "AdaCosLoss",
    "AdaptivelyWeightedBalancedLoss",
    "ArcFaceLoss",
    "AsymmetricLoss",
    "AsymmetricPolynomialLoss",
    "AsymmetricSoftmaxLoss",
    "BalancedContrastiveLoss",
    "BalancedSoftmaxLoss",
    "BatchInverseFrequencyWeighting",
    "ClassBalancedLoss",
    "ClassWeighting",
    "ClassificationLoss",
    "ComplementCrossEntropyLoss",
    "CosFaceLoss",
    "CrossEntropyLoss",
    "DeferredWeighting",
    "DifficultyAwareMarginLoss",
    "DistillationLoss",
    "DynamicAngularLoss",
    "EffectiveNumberWeighting",
    "FocalLoss",
    "GaussianMixtureLoss",
    "InverseFrequencyWeighting",
    "LDAMLoss",
    "LogitAdjustedLoss",
    "MomentumContrastLoss",
    "NestedCollaborativeLoss",
    "NoAdjustment",
    "NoWeighting",
    "PadeAsymmetricLoss",
    "PipelineLoss",
    "PriorAdjustment",
    "SoftF1Loss",
    "SoftMCCLoss",
    "SphereFaceLoss",
    "VectorScalingLoss",
    "WeightedCrossEntropyLoss",
    "WeightedSumLoss",
    "create_loss",
    "functional",
    "plot_gradients",
]

#: The module of each name, loaded when the name is first used: PyTorch takes seconds, which listing need not wait for.
_MODULES = {
    "functional": "functional",
    "COMPOSITIONS": "catalogue",
    "LOSSES": "catalogue",
    "NEUTRAL_SETTINGS": "catalogue",
    "PAPERS": "descriptions",
    "UNAVAILABLE_LOSSES": "descriptions",
    "DESCRIPTIONS": "descriptions",
    "create_loss": "catalogue",
    "BalancedContrastiveLoss": "contrastive_losses",
    "GaussianMixtureLoss": "contrastive_losses",
    "MomentumContrastLoss": "contrastive_losses",
    "DistillationLoss": "distillation_losses",
    "NestedCollaborativeLoss": "distillation_losses",
    "plot_gradients": "gradient_figure",
    "AdaCosLoss": "margin_losses",
    "ArcFaceLoss": "margin_losses",
    "CosFaceLoss": "margin_losses",
    "DifficultyAwareMarginLoss": "margin_losses",
    "DynamicAngularLoss": "margin_losses",
    "LDAMLoss": "margin_losses",
    "SphereFaceLoss": "margin_losses",
    "SoftF1Loss": "metric_losses",
    "SoftMCCLoss": "metric_losses",
    "NoAdjustment": "parts.adjustments",
    "PriorAdjustment": "parts.adjustments",
    "BatchInverseFrequencyWeighting": "parts.weightings",
    "ClassWeighting": "parts.weightings",
    "DeferredWeighting": "parts.weightings",
    "EffectiveNumberWeighting": "parts.weightings",
    "InverseFrequencyWeighting": "parts.weightings",
    "NoWeighting": "parts.weightings",
    "ClassificationLoss": "pipeline",
    "PipelineLoss": "pipeline",
    "WeightedSumLoss": "pipeline",
    "BalancedSoftmaxLoss": "prior_losses",
    "LogitAdjustedLoss": "prior_losses",
    "VectorScalingLoss": "prior_losses",
    "AsymmetricLoss": "sigmoid_losses",
    "AsymmetricPolynomialLoss": "sigmoid_losses",
    "AsymmetricSoftmaxLoss": "sigmoid_losses",
    "PadeAsymmetricLoss": "sigmoid_losses",
    "AdaptivelyWeightedBalancedLoss": "weighted_losses",
    "ClassBalancedLoss": "weighted_losses",
    "ComplementCrossEntropyLoss": "weighted_losses",
    "CrossEntropyLoss": "weighted_losses",
    "FocalLoss": "weighted_losses",
    "WeightedCrossEntropyLoss": "weighted_losses",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES[name]}")
    return module if _MODULES[name] == name else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
