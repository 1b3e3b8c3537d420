"""Losses for imbalanced classification: each is called as ``loss(outputs, targets)`` and drops into any loop.

``outputs`` are logits or cosines ``(N, C)``, as ``loss.expects`` says; ``targets`` are class ids ``(N,)``.
:data:`LOSSES` lists the losses by key, and :func:`create_loss` builds one from settings. docs/how_to_add_a_loss.md
explains how to add one.
"""

from typing import TYPE_CHECKING

from medtail.naming import late_names

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
        BinaryCrossEntropyLoss,
        HillLoss,
        PadeAsymmetricLoss,
        SigmoidFocalLoss,
    )
    from medtail.losses.weighted_losses import (
        AdaptivelyWeightedBalancedLoss,
        ClassBalancedLoss,
        ComplementCrossEntropyLoss,
        CrossEntropyLoss,
        FocalLoss,
        WeightedCrossEntropyLoss,
    )
else:
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "catalogue": ["COMPOSITIONS", "LOSSES", "NEUTRAL_SETTINGS", "create_loss"],
            "contrastive_losses": ["BalancedContrastiveLoss", "GaussianMixtureLoss", "MomentumContrastLoss"],
            "descriptions": ["DESCRIPTIONS", "PAPERS", "UNAVAILABLE_LOSSES"],
            "distillation_losses": ["DistillationLoss", "NestedCollaborativeLoss"],
            "functional": ["functional"],
            "gradient_figure": ["plot_gradients"],
            "margin_losses": [
                "AdaCosLoss",
                "ArcFaceLoss",
                "CosFaceLoss",
                "DifficultyAwareMarginLoss",
                "DynamicAngularLoss",
                "LDAMLoss",
                "SphereFaceLoss",
            ],
            "metric_losses": ["SoftF1Loss", "SoftMCCLoss"],
            "parts.adjustments": ["NoAdjustment", "PriorAdjustment"],
            "parts.weightings": [
                "BatchInverseFrequencyWeighting",
                "ClassWeighting",
                "DeferredWeighting",
                "EffectiveNumberWeighting",
                "InverseFrequencyWeighting",
                "NoWeighting",
            ],
            "pipeline": ["ClassificationLoss", "PipelineLoss", "WeightedSumLoss"],
            "prior_losses": ["BalancedSoftmaxLoss", "LogitAdjustedLoss", "VectorScalingLoss"],
            "sigmoid_losses": [
                "AsymmetricLoss",
                "AsymmetricPolynomialLoss",
                "AsymmetricSoftmaxLoss",
                "BinaryCrossEntropyLoss",
                "HillLoss",
                "PadeAsymmetricLoss",
                "SigmoidFocalLoss",
            ],
            "weighted_losses": [
                "AdaptivelyWeightedBalancedLoss",
                "ClassBalancedLoss",
                "ComplementCrossEntropyLoss",
                "CrossEntropyLoss",
                "FocalLoss",
                "WeightedCrossEntropyLoss",
            ],
        },
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
    "BinaryCrossEntropyLoss",
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
    "HillLoss",
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
    "SigmoidFocalLoss",
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
