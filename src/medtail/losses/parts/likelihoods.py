"""Likelihoods: what is minimised for each sample, and how trained scores are read as probabilities."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.nn import functional as torch_functional

from medtail import checks
from medtail.errors import InputError
from medtail.losses import functional
from medtail.losses.parts.base import Part


class Likelihood(Part, ABC):
    """A value for each sample, abstract.

    Attributes:
        multi_label: Whether targets may be labels ``(N, C)``.
    """

    multi_label: ClassVar[bool] = False

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the values of class ids ``(N,)``; in multi-label likelihoods, also those of labels ``(N, C)``."""
        return functional.target_entries(self.per_class(logits), targets)

    def per_class(self, logits: Tensor) -> Tensor:
        """Return the values ``(N, C)`` that samples of each class would have; not called where ``needs_one_class``."""
        raise NotImplementedError(self.needs_one_class)

    def log_scores(self, scores: Tensor) -> Tensor:
        """Return the logarithms of the scores of the classes ``(N, C)``, not normalised."""
        return scores


# ---------------------------------------------------------------------------------------------- softmax


@final
class CrossEntropy(Likelihood):
    r""":math:`-\log p_y`."""

    convex = True

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the values ``(N,)``."""
        return functional.cross_entropy(logits, targets)

    def per_class(self, logits: Tensor) -> Tensor:
        """Return the values ``(N, C)``."""
        return -logits.log_softmax(1)


@final
class Focal(Likelihood):
    r""":math:`-(1 - p_y)^\gamma\log p_y`."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the values ``(N,)``."""
        return functional.focal(functional.cross_entropy(logits, targets), self.gamma)

    def per_class(self, logits: Tensor) -> Tensor:
        """Return the values ``(N, C)``."""
        return functional.focal(-logits.log_softmax(1), self.gamma)


@final
class ComplementCrossEntropy(Likelihood):
    r""":math:`-\log p_y - H/(C - 1)`: a high entropy H of the wrong classes is rewarded."""

    needs_one_class: ClassVar[str] = "the entropy is that of the wrong classes"

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the values ``(N,)``."""
        loss = functional.cross_entropy(logits, targets)
        return loss - functional.complement_entropy(logits, targets) / (logits.shape[1] - 1)


@final
class OfficialComplementCrossEntropy(Likelihood):
    r""":math:`-\log p_y + H/C` with the released code's offsets inside H; its sign was changed in 2021."""

    needs_one_class: ClassVar[str] = "the entropy is that of the wrong classes"

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the values ``(N,)``."""
        loss = functional.cross_entropy(logits, targets)
        return loss + functional.official_complement_entropy(logits, targets) / logits.shape[1]


@final
class AsymmetricSoftmax(Likelihood):
    """ASL's single-label form: asymmetric focusing of log softmax, with label smoothing."""

    def __init__(self, *, gamma_positive: float, gamma_negative: float, smoothing: float) -> None:
        super().__init__()
        self.gamma_positive = gamma_positive
        self.gamma_negative = gamma_negative
        self.smoothing = smoothing

    def per_class(self, logits: Tensor) -> Tensor:
        """Return the values ``(N, C)``."""
        return functional.asymmetric_softmax(logits, self.gamma_positive, self.gamma_negative, self.smoothing)


# ---------------------------------------------------------------------------------------------- sigmoid


class BinaryLikelihood(Likelihood):
    """C binary decisions; the value of a sample is their sum, without the labels that are unknown. Abstract.

    Single-label probabilities are σ(z) divided by their sum over classes.
    """

    multi_label: ClassVar[bool] = True

    @abstractmethod
    def costs(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values of positive and of negative labels, ``(N, C)`` each."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the values ``(N,)`` of class ids, or of labels ``(N, C)`` in [0, 1] or NaN, linear in between."""
        positive, negative = self.costs(logits)
        if targets.ndim == 1:
            return torch.lerp(negative, positive, functional.indicators(logits, targets)).sum(1)
        unknown = targets.isnan()
        values = torch.lerp(negative, positive, targets.masked_fill(unknown, 0.0))
        return values.masked_fill(unknown, 0.0).sum(1)

    @final
    def per_class(self, logits: Tensor) -> Tensor:
        """Return the values ``(N, C)``."""
        positive, negative = self.costs(logits)
        return positive - negative + negative.sum(1, keepdim=True)

    def log_scores(self, scores: Tensor) -> Tensor:
        """Return log σ(scores)."""
        return torch_functional.logsigmoid(scores)


@final
class SigmoidFocal(BinaryLikelihood):
    r""":math:`-\alpha_\pm(1 - p_t)^\gamma\log p_t` of every class; γ = 0 is binary cross-entropy."""

    def __init__(self, gamma: float, alpha_positive: float = 1.0, alpha_negative: float = 1.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.convex = gamma == 0
        self.alpha_positive = alpha_positive
        self.alpha_negative = alpha_negative

    def costs(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values ``(N, C)``."""
        truth = torch.ones_like(logits)
        return (
            self.alpha_positive * functional.sigmoid_focal(logits, truth, self.gamma),
            self.alpha_negative * functional.sigmoid_focal(logits, 1 - truth, self.gamma),
        )


@final
class Hill(BinaryLikelihood):
    r"""A focal loss of positives with a margin, and :math:`(\lambda - p)\,p^2` of negatives."""

    def __init__(self, *, hill: float, margin: float, gamma: float) -> None:
        super().__init__()
        self.hill = hill
        self.margin = margin
        self.gamma = gamma

    def costs(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values ``(N, C)``."""
        probability = logits.sigmoid()
        return (
            functional.sigmoid_focal(logits - self.margin, torch.ones_like(logits), self.gamma),
            (self.hill - probability) * probability.square(),
        )


class FocusedBinaryLikelihood(BinaryLikelihood):
    """Log-like terms weighted by asymmetric focusing, abstract.

    Args:
        gamma_positive: γ₊.
        gamma_negative: γ₋.
        clip: The probability shift of negatives.
        detach_focusing: Let no gradient through the weights.
    """

    def __init__(
        self, *, gamma_positive: float, gamma_negative: float, clip: float, detach_focusing: bool
    ) -> None:
        super().__init__()
        self.gamma_positive = checks.number("gamma_positive", gamma_positive, low=0)
        self.gamma_negative = checks.number("gamma_negative", gamma_negative, low=0)
        self.clip = checks.number("clip", clip, low=0, high=1, open_high=True)
        self.detach_focusing = checks.boolean("detach_focusing", detach_focusing)

    @abstractmethod
    def terms(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the substitutes for log p of positives and log(1 - p) of negatives, ``(N, C)`` each."""

    @final
    def costs(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values ``(N, C)``."""
        positive_focus, negative_focus = functional.asymmetric_focusing(
            logits, self.gamma_positive, self.gamma_negative, self.clip
        )
        if self.detach_focusing:
            positive_focus, negative_focus = positive_focus.detach(), negative_focus.detach()
        positive, negative = self.terms(logits)
        return -positive_focus * positive, -negative_focus * negative


@final
class Asymmetric(FocusedBinaryLikelihood):
    """ASL: the logarithms themselves, with shifted negatives."""

    def terms(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p and log(1 - q)."""
        return torch_functional.logsigmoid(logits), functional.log_shifted_complement(logits, self.clip)


@final
class AsymmetricPolynomial(FocusedBinaryLikelihood):
    """APL: logarithms with other leading coefficients in their expansion."""

    def __init__(
        self, *, positive_coefficients: tuple[float, float], negative_coefficient: float, **focusing: Any
    ) -> None:
        super().__init__(**focusing)
        self.positive_coefficients = positive_coefficients
        self.negative_coefficient = negative_coefficient

    def terms(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sums of logarithms and polynomials."""
        return functional.polynomial_logarithms(
            logits, self.clip, self.positive_coefficients, self.negative_coefficient
        )


Coefficients = tuple[float, float, float]

#: (a₀, a₁, b₁) of (a₀ + a₁p) / (1 + b₁p) for positives, (c₀, c₁, d₁) for negatives with 1 - p in place of p.
APPROXIMANTS: dict[str, tuple[Coefficients, Coefficients]] = {
    "paper": ((-1.5, 1.5, 0.0), (-1.0, 1.0, 0.0)),
    "pade_1_1": ((-2.0, 2.0, 1.0), (-2.0, 2.0, 1.0)),
}


def pade_coefficients(
    approximant: str, coefficients: tuple[Coefficients, Coefficients] | None
) -> tuple[Coefficients, Coefficients]:
    """Return the given coefficients, whose denominators must be positive on [0, 1], or those of ``approximant``."""
    named = APPROXIMANTS[checks.choice("approximant", approximant, APPROXIMANTS)]
    if coefficients is None:
        return named
    try:
        (a0, a1, b1), (c0, c1, d1) = coefficients
    except (TypeError, ValueError):
        raise InputError(f"coefficients must be ((a0, a1, b1), (c0, c1, d1)), got {coefficients!r}") from None
    a0, a1, c0, c1 = (checks.number("coefficients", value) for value in (a0, a1, c0, c1))
    b1, d1 = (checks.number("coefficients b1 and d1", value, low=-1, open_low=True) for value in (b1, d1))
    return (a0, a1, b1), (c0, c1, d1)


@final
class PadeAsymmetric(FocusedBinaryLikelihood):
    """ALPA: rational functions in place of the logarithms, focused a second time."""

    def __init__(
        self,
        *,
        alpha: float,
        beta: float,
        coefficients: tuple[Coefficients, Coefficients],
        hill: float,
        **focusing: Any,
    ) -> None:
        super().__init__(**focusing)
        self.alpha = alpha
        self.beta = beta
        self.coefficients = coefficients
        self.hill = hill

    def terms(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the focused rational functions."""
        return functional.pade_terms(
            logits,
            alpha=self.alpha,
            beta=self.beta,
            gamma_positive=self.gamma_positive,
            gamma_negative=self.gamma_negative,
            clip=self.clip,
            coefficients=self.coefficients,
            hill=self.hill,
        )


#: Choices for ``likelihood`` of the class-balanced loss, as functions of γ.
CLASS_BALANCED_LIKELIHOODS: dict[str, Callable[[float], Likelihood]] = {
    "softmax": lambda gamma: CrossEntropy(),
    "focal": lambda gamma: SigmoidFocal(gamma),
    "sigmoid": lambda gamma: SigmoidFocal(0.0),
}

#: Choices for ``variant`` of complement cross-entropy.
COMPLEMENT_LIKELIHOODS: dict[str, type[ComplementCrossEntropy] | type[OfficialComplementCrossEntropy]] = {
    "paper": ComplementCrossEntropy,
    "official": OfficialComplementCrossEntropy,
}
