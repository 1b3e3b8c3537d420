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
from medtail.losses.parts.reductions import ListedLosses, SampleLosses


class Likelihood(Part, ABC):
    """A value for each sample, abstract.

    Attributes:
        multi_label: Whether targets may be labels ``(N, C)``.
    """

    multi_label: ClassVar[bool] = False

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the values of class ids ``(N,)``; in multi-label likelihoods, also those of labels ``(N, C)``."""
        return functional.target_entries(self.per_class(logits), targets)

    def weighted(self, logits: Tensor, targets: Tensor, class_weights: Tensor | None) -> SampleLosses:
        """Return the values of class ids times the weights of their classes ``(C,)``, to be reduced."""
        losses = self(logits, targets)
        if class_weights is None:
            return ListedLosses(losses)
        weights = class_weights[targets]
        return ListedLosses(weights * losses, weights)

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

    def weighted(self, logits: Tensor, targets: Tensor, class_weights: Tensor | None) -> SampleLosses:
        """Return the weighted values, which PyTorch sums without listing them."""
        return _CrossEntropies(logits, targets, class_weights)

    def per_class(self, logits: Tensor) -> Tensor:
        """Return the values ``(N, C)``."""
        return -logits.log_softmax(1)


@final
class _CrossEntropies(SampleLosses):
    def __init__(self, logits: Tensor, targets: Tensor, class_weights: Tensor | None) -> None:
        self._logits = logits
        self._targets = targets
        self._class_weights = class_weights

    def each(self) -> Tensor:
        return functional.cross_entropy(self._logits, self._targets, self._class_weights)

    def weights(self) -> Tensor:
        if self._class_weights is None:
            return self._logits.new_ones(len(self._targets))
        return self._class_weights[self._targets]

    def size(self) -> Tensor:
        return self._logits.new_full((), len(self._targets))

    def sum(self) -> Tensor:
        return functional.cross_entropy(self._logits, self._targets, self._class_weights, "sum")

    def mean(self) -> Tensor:
        if self._class_weights is None:
            return functional.cross_entropy(self._logits, self._targets, None, "mean")
        # PyTorch's mean divides by the sum of the weights.
        shares = self._class_weights / len(self._targets)
        return functional.cross_entropy(self._logits, self._targets, shares, "sum")


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
    def positive_costs(self, logits: Tensor) -> Tensor:
        """Return the values of positive labels, of any shape."""

    @abstractmethod
    def negative_costs(self, logits: Tensor) -> Tensor:
        """Return the values of negative labels, of any shape."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the values ``(N,)`` of class ids, or of labels ``(N, C)`` in [0, 1] or NaN, linear in between."""
        if targets.ndim == 1:
            own = self.positive_costs(functional.target_entries(logits, targets))
            return functional.replace_target_entries(self.negative_costs(logits), targets, own).sum(1)
        unknown = targets.isnan()
        values = torch.lerp(
            self.negative_costs(logits), self.positive_costs(logits), targets.masked_fill(unknown, 0.0)
        )
        return values.masked_fill(unknown, 0.0).sum(1)

    @final
    def per_class(self, logits: Tensor) -> Tensor:
        """Return the values ``(N, C)``."""
        negative = self.negative_costs(logits)
        return self.positive_costs(logits) - negative + negative.sum(1, keepdim=True)

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

    def positive_costs(self, logits: Tensor) -> Tensor:
        """Return the focal values of positive labels."""
        return self._costs(logits, self.alpha_positive)

    def negative_costs(self, logits: Tensor) -> Tensor:
        """Return the focal values of negative labels."""
        return self._costs(-logits, self.alpha_negative)

    def _costs(self, logits: Tensor, alpha: float) -> Tensor:
        values = functional.sigmoid_focal(logits, self.gamma)
        return values if alpha == 1 else alpha * values


@final
class Hill(BinaryLikelihood):
    r"""A focal loss of positives with a margin, and :math:`(\lambda - p)\,p^2` of negatives."""

    def __init__(self, *, hill: float, margin: float, gamma: float) -> None:
        super().__init__()
        self.hill = hill
        self.margin = margin
        self.gamma = gamma

    def positive_costs(self, logits: Tensor) -> Tensor:
        """Return the focal values of positive labels."""
        return functional.sigmoid_focal(logits - self.margin, self.gamma)

    def negative_costs(self, logits: Tensor) -> Tensor:
        """Return the values of negative labels."""
        probability = logits.sigmoid()
        return (self.hill - probability) * probability.square()


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
    def positive_terms(self, logits: Tensor) -> Tensor:
        """Return the substitute for log p of positives, of any shape."""

    @abstractmethod
    def negative_terms(self, logits: Tensor) -> Tensor:
        """Return the substitute for log(1 - p) of negatives, of any shape."""

    @final
    def positive_costs(self, logits: Tensor) -> Tensor:
        r"""Return the terms weighted by :math:`(1-p)^{\gamma_+}`."""
        return self._focused(lambda: (-logits).sigmoid(), self.gamma_positive, self.positive_terms(logits))

    @final
    def negative_costs(self, logits: Tensor) -> Tensor:
        r"""Return the terms weighted by :math:`q^{\gamma_-}`."""
        return self._focused(
            lambda: functional.shifted_probability(logits, self.clip),
            self.gamma_negative,
            self.negative_terms(logits),
        )

    def _focused(self, base: Callable[[], Tensor], gamma: float, terms: Tensor) -> Tensor:
        if gamma == 0:
            return -terms
        # Without a gradient, nothing of the weights is kept for the backward pass.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.detach_focusing):
            focus = functional.power(base(), gamma)
        return focus * -terms


@final
class Asymmetric(FocusedBinaryLikelihood):
    """ASL: the logarithms themselves, with shifted negatives."""

    def positive_terms(self, logits: Tensor) -> Tensor:
        """Return log p."""
        return torch_functional.logsigmoid(logits)

    def negative_terms(self, logits: Tensor) -> Tensor:
        """Return log(1 - q)."""
        return functional.log_shifted_complement(logits, self.clip)


@final
class AsymmetricPolynomial(FocusedBinaryLikelihood):
    """APL: logarithms with other leading coefficients in their expansion."""

    def __init__(
        self, *, positive_coefficients: tuple[float, float], negative_coefficient: float, **focusing: Any
    ) -> None:
        super().__init__(**focusing)
        self.positive_coefficients = positive_coefficients
        self.negative_coefficient = negative_coefficient

    def positive_terms(self, logits: Tensor) -> Tensor:
        """Return the sum of the logarithm and a polynomial of degree two."""
        return functional.positive_polynomial_logarithm(logits, *self.positive_coefficients)

    def negative_terms(self, logits: Tensor) -> Tensor:
        """Return the sum of the logarithm and a linear term."""
        return functional.negative_polynomial_logarithm(logits, self.clip, self.negative_coefficient)


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

    def positive_terms(self, logits: Tensor) -> Tensor:
        r"""Return :math:`\alpha\,r^{\gamma_+}(a_0 + a_1 p)/(1 + b_1 p)`, r = min(1 - p + clip, 1)."""
        terms = self.alpha * functional.rational(logits.sigmoid(), self.coefficients[0])
        if self.gamma_positive == 0:
            return terms
        shifted = functional.shifted_complement(logits, self.clip)
        return functional.power(shifted, self.gamma_positive) * terms

    def negative_terms(self, logits: Tensor) -> Tensor:
        r"""Return :math:`\beta\,p^{\gamma_-}((c_0 + c_1 r)/(1 + d_1 r) - \lambda p)` (ALPA eq. 11 without W)."""
        probability = logits.sigmoid()
        terms = functional.rational(functional.shifted_complement(logits, self.clip), self.coefficients[1])
        terms = terms if self.hill == 0 else terms - self.hill * probability
        return self.beta * functional.power(probability, self.gamma_negative) * terms


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
