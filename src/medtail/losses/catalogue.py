"""Every loss by its key, and how to build one from settings."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from medtail import checks
from medtail.errors import InputError
from medtail.losses.descriptions import UNAVAILABLE_LOSSES
from medtail.losses.margin_losses import (
    AdaCosLoss,
    ArcFaceLoss,
    CosFaceLoss,
    DifficultyAwareMarginLoss,
    DynamicAngularLoss,
    LDAMLoss,
    SphereFaceLoss,
    balanced_difficulty_aware_margin,
)
from medtail.losses.metric_losses import (
    SoftF1Loss,
    SoftMCCLoss,
    cross_entropy_and_soft_f1,
    cross_entropy_and_soft_mcc,
)
from medtail.losses.parts.adjustments import ADJUSTMENTS
from medtail.losses.parts.targets import UnknownLabels
from medtail.losses.parts.weightings import WEIGHTINGS
from medtail.losses.pipeline import ClassificationLoss
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
from medtail.naming import nearest
from medtail.tensor_checks import ClassCounts

#: Every loss by its key.
LOSSES: dict[str, Callable[..., ClassificationLoss]] = {
    "ce": CrossEntropyLoss,
    "weighted_ce": WeightedCrossEntropyLoss,
    "focal": FocalLoss,
    "class_balanced": ClassBalancedLoss,
    "ldam": LDAMLoss,
    "balanced_softmax": BalancedSoftmaxLoss,
    "logit_adjusted": LogitAdjustedLoss,
    "vector_scaling": VectorScalingLoss,
    "complement_ce": ComplementCrossEntropyLoss,
    "awb": AdaptivelyWeightedBalancedLoss,
    "arcface": ArcFaceLoss,
    "cosface": CosFaceLoss,
    "sphereface": SphereFaceLoss,
    "adacos": AdaCosLoss,
    "dal": DynamicAngularLoss,
    "dbm": DifficultyAwareMarginLoss,
    "dbm_bs": balanced_difficulty_aware_margin,
    "bce": BinaryCrossEntropyLoss,
    "sigmoid_focal": SigmoidFocalLoss,
    "hill": HillLoss,
    "asl": AsymmetricLoss,
    "asl_softmax": AsymmetricSoftmaxLoss,
    "apl": AsymmetricPolynomialLoss,
    "alpa": PadeAsymmetricLoss,
    "soft_f1": SoftF1Loss,
    "soft_mcc": SoftMCCLoss,
    "ce+soft_f1": cross_entropy_and_soft_f1,
    "ce+soft_mcc": cross_entropy_and_soft_mcc,
}

#: Settings under which a loss is cross-entropy of the logits, or of the scaled cosines.
NEUTRAL_SETTINGS: dict[str, dict[str, Any]] = {
    "ce": {},
    "focal": {"gamma": 0.0},
    "class_balanced": {"beta": 0.0},
    "ldam": {"max_margin": 0.0},
    "logit_adjusted": {"tau": 0.0},
    "vector_scaling": {"gamma": 0.0, "tau": 0.0},
    "arcface": {"margin": 0.0},
    "cosface": {"margin": 0.0},
    "sphereface": {"margin": 1},
    "adacos": {"dynamic": False},
    "dal": {"max_margin": 0.0, "weighting": "none"},
    "dbm": {"max_margin": 0.0},
    "asl_softmax": {"gamma_negative": 0.0, "smoothing": 0.0},
    "ce+soft_f1": {"weights": (1.0, 0.0)},
    "ce+soft_mcc": {"weights": (1.0, 0.0)},
}

#: Settings that the papers name, or that take another path through the code: label -> key and settings.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "class_balanced, sigmoid": ("class_balanced", {"likelihood": "sigmoid"}),
    "class_balanced, focal": ("class_balanced", {"likelihood": "focal"}),
    "complement_ce, official": ("complement_ce", {"variant": "official"}),
    "arcface, monotonic": ("arcface", {"monotonic": True}),
    "adacos, fixed": ("adacos", {"dynamic": False}),
    "ldam-drw": ("ldam", {"weighting": "deferred", "reduction": "weighted_mean"}),
    "dal, auto": ("dal", {"scale": "auto"}),
    "dal, no DWCE": ("dal", {"weighting": "none"}),
    "dbm-cb": ("dbm", {"weighting": {"name": "effective_number", "normalized": False}}),
    "dbm-drw": ("dbm", {"weighting": "deferred", "reduction": "weighted_mean"}),
    "dbm, all positives": ("dbm", {"instance_margin": "all"}),
    "dbm, monotonic": ("dbm", {"monotonic": True}),
    "sigmoid_focal, weighted": ("sigmoid_focal", {"alpha_positive": 0.25, "alpha_negative": 0.75}),
    "asl, unknown labels": ("asl", {"unknown_labels": "leave_out"}),
    "asl, attached": ("asl", {"detach_focusing": False, "clip": 0.0}),
    "alpa v3": (
        "alpa",
        {"alpha": 1.25, "beta": 2.0, "gamma_positive": 3.0, "gamma_negative": 2.0, "hill": 1.5},
    ),
    "alpa, pade_1_1": ("alpa", {"approximant": "pade_1_1"}),
    "soft_f1, skip": ("soft_f1", {"absent": "skip"}),
    "soft_mcc, macro": ("soft_mcc", {"average": "macro"}),
    "weighted_ce+soft_mcc": ("ce+soft_mcc", {"weighting": "inverse_frequency"}),
}

#: What the contract tests: every loss at its defaults, and the variants.
COMPOSITIONS: dict[str, tuple[str, dict[str, Any]]] = {key: (key, {}) for key in LOSSES} | VARIANTS

#: Parts by the name that settings use, for each parameter that takes a part.
PARTS: dict[str, Mapping[str, Callable[..., Any]]] = {"weighting": WEIGHTINGS, "adjustment": ADJUSTMENTS}


def create_loss(
    name: str,
    *,
    class_counts: ClassCounts,
    settings: Mapping[str, Any] | None = None,
    num_epochs: int | None = None,
    positive: int | None = None,
    unknown_labels: UnknownLabels = "refuse",
    constructors: Mapping[str, Callable[..., ClassificationLoss]] = LOSSES,
) -> ClassificationLoss:
    """Build a loss by name, passing on the arguments that its constructor names.

    Args:
        name: A key of :data:`LOSSES`.
        class_counts: ``(C,)``, training counts in class-id order.
        settings: Arguments of the constructor. A part is given by its name, or as ``{"name": …, its settings}``.
        num_epochs: The length of the training, for schedules.
        positive: The id of the positive class of two, where one is named; otherwise the rarer class.
        unknown_labels: Whether a multi-label loss leaves out labels that are NaN, ``"leave_out"``, or refuses them.
        constructors: The constructor of each name.

    Raises:
        InputError: The name, a setting or a value is wrong.

    Example:
        >>> loss = create_loss(
        ...     "ldam",
        ...     class_counts=[900, 100],
        ...     settings={"weighting": {"name": "deferred", "beta": 0.999}, "reduction": "weighted_mean"},
        ...     num_epochs=30,
        ... )
        >>> loss.weighting.start_epoch
        24
    """
    if name in UNAVAILABLE_LOSSES:
        raise InputError(f"loss {name} is {UNAVAILABLE_LOSSES[name]}; choose one of {', '.join(LOSSES)}")
    measured: dict[str, Any] = {
        "class_counts": class_counts,
        "num_classes": len(class_counts),
        "positive": positive,
        "unknown_labels": unknown_labels,
    }
    if num_epochs is not None:
        measured["num_epochs"] = num_epochs
    loss: ClassificationLoss = _build("loss", name, constructors, settings or {}, measured)
    return loss


def multi_label_losses() -> list[str]:
    """Return the keys of the losses that take 0/1 targets ``(N, C)``.

    Example:
        >>> multi_label_losses()
        ['bce', 'sigmoid_focal', 'hill', 'asl', 'apl', 'alpa']
    """
    return [key for key in LOSSES if create_loss(key, class_counts=[1, 1, 1]).multi_label]


def takes_setting(key: str, setting: str) -> bool:
    """Return whether the constructor of a loss takes a setting.

    Example:
        >>> takes_setting("dal", "scale"), takes_setting("ce", "scale")
        (True, False)
    """
    return setting in _parameters(LOSSES[key])


def _parameters(constructor: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters that a constructor names."""
    return {
        key: parameter
        for key, parameter in inspect.signature(constructor).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


def _build(
    role: str,
    name: Any,
    known: Mapping[str, Callable[..., Any]],
    settings: Mapping[str, Any],
    measured: Mapping[str, Any],
) -> Any:
    """Call the constructor of ``name`` with the settings, and with those of the measured values that it takes."""
    parameters = _parameters(known[checks.choice(role, name, known)])
    arguments = {key: value for key, value in measured.items() if key in parameters}
    for key, value in settings.items():
        if key not in parameters:
            allowed = [parameter for parameter in parameters if parameter not in measured]
            raise InputError(
                f"{role} {name} has no setting {key}, got {value!r}; "
                f"it takes {', '.join(allowed) or 'none'}{nearest(key, allowed)}"
            )
        arguments[key] = _part(key, value, measured) if key in PARTS else value
    missing = [
        key
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty and key not in arguments
    ]
    if missing:
        raise InputError(
            f"{role} {name} must be given {', '.join(missing)}, got none; add it to its settings"
        )
    return known[name](**arguments)


def _part(role: str, value: Any, measured: Mapping[str, Any]) -> Any:
    """Build a part from its name or ``{"name": …, its settings}``; None leaves the choice to the loss."""
    if value is None:
        return None
    settings = {"name": value} if isinstance(value, str) else value
    if not isinstance(settings, Mapping) or "name" not in settings:
        raise InputError(
            f"{role} must be a name or a mapping with one, got {value!r}; "
            f"e.g. {role}: {{name: {next(iter(PARTS[role]))}}}, of {', '.join(PARTS[role])}"
        )
    others = {key: setting for key, setting in settings.items() if key != "name"}
    return _build(role, settings["name"], PARTS[role], others, measured)
