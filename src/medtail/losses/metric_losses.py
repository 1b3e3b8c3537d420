"""Soft metrics of the batch as losses, and their sums with cross-entropy."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor

from medtail import checks
from medtail.losses import functional
from medtail.losses.parts.weightings import Weighting
from medtail.losses.pipeline import ClassificationLoss, WeightedSumLoss
from medtail.losses.weighted_losses import CrossEntropyLoss
from medtail.tensor_checks import ClassCounts


class SoftMetricLoss(ClassificationLoss):
    """One minus a metric of the soft counts over the joined batch of all ranks, abstract.

    A single sample has no value. A metric is no likelihood, so reading trained scores as standing for the uniform prior
    is an approximation, which is close if the metric treats all classes alike.
    """

    def __init__(self, epsilon: float) -> None:
        super().__init__(expects="logits", reduction="batch")
        self.epsilon = checks.number("epsilon", epsilon, low=0)

    @property
    def uses_batch_statistics(self) -> bool:
        """Always true."""
        return True

    @abstractmethod
    def metric(self, counts: functional.SoftConfusion) -> Tensor:
        """Return the metric ``()``."""

    @final
    def compute(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return 1 - metric."""
        return 1 - self.metric(functional.soft_confusion(outputs.softmax(1), targets))

    @final
    def log_scores(self, outputs: Tensor) -> Tensor:
        """Return the logits."""
        return outputs

    @final
    def log_score_prior(self, drawn: Tensor | None = None) -> Tensor:
        """Return 0, the uniform prior, in whatever shares the classes are drawn."""
        return torch.zeros((), dtype=torch.float64)


@final
class SoftF1Loss(SoftMetricLoss):
    r"""One minus the macro average of soft F1.

    .. math:: 1 - \frac1C\sum_c\frac{2\,TP_c}{2\,TP_c + FP_c + FN_c}

    Args:
        absent: How a class that is absent from the batch counts: ``"zero"`` as 0, without a gradient (TensorFlow
            release); with ``"skip"`` the average runs over the classes that are present. (The authors' PyTorch file
            swaps arguments and gives a perfect prediction ≈ 0.47; it is not offered.)
        epsilon: Added to the denominators of precision, recall and F1, which are at least 1e-12 in any case; 1e-7 in
            the TensorFlow release.

    Raises:
        InputError: A setting is unknown or out of range.

    Example:
        >>> SoftF1Loss()(torch.tensor([[9.0, -9.0], [-9.0, 9.0]]), torch.tensor([0, 1])).item() < 1e-6
        True

    Source: Scholz et al., eqs. 2–3.
    """

    def __init__(self, *, absent: Literal["zero", "skip"] = "zero", epsilon: float = 0.0) -> None:
        super().__init__(epsilon)
        self.absent = checks.choice("absent", absent, functional.SOFT_F1_AVERAGES)

    def metric(self, counts: functional.SoftConfusion) -> Tensor:
        """Return macro F1."""
        return functional.SOFT_F1_AVERAGES[self.absent](counts, self.epsilon)


@final
class SoftMCCLoss(SoftMetricLoss):
    r"""One minus the soft Matthews correlation coefficient.

    .. math:: 1 - \frac{c\,s - \sum_k t_k p_k}{\sqrt{s^2 - \sum_k p_k^2}\,\sqrt{s^2 - \sum_k t_k^2}}

    This is Gorodkin's R_K, with c = ΣTP, s = N, and the true and predicted soft counts t and p. Both roots are floored,
    so that value and gradient are finite when only one class occurs or is predicted.

    Args:
        average: ``"multiclass"`` is R_K, as released; ``"macro"`` is the mean of the binary eq. 5 of each class
            against the rest, where a class that is absent from the batch counts as 0.
        epsilon: Added to the denominator; 1e-8 in the PyTorch release, 1e-7 in the TensorFlow release.

    Raises:
        InputError: A setting is unknown or out of range.

    Example:
        >>> SoftMCCLoss()(torch.tensor([[9.0, -9.0], [-9.0, 9.0]]), torch.tensor([0, 1])).item() < 1e-6
        True

    Source: Scholz et al., eq. 5, and their released multi-class code.
    """

    def __init__(
        self, *, average: Literal["multiclass", "macro"] = "multiclass", epsilon: float = 0.0
    ) -> None:
        super().__init__(epsilon)
        self.average = checks.choice("average", average, functional.SOFT_MCC_AVERAGES)

    def metric(self, counts: functional.SoftConfusion) -> Tensor:
        """Return the correlation."""
        return functional.SOFT_MCC_AVERAGES[self.average](counts, self.epsilon)


def cross_entropy_and_soft_f1(
    *,
    class_counts: ClassCounts | None = None,
    weights: Sequence[float] = (1.0, 1.0),
    weighting: Weighting | None = None,
    absent: Literal["zero", "skip"] = "zero",
) -> WeightedSumLoss:
    """Cross-entropy plus soft F1.

    Args:
        class_counts: Training counts, needed only for ``probabilities(…, prior)``.
        weights: The weights of the two terms; 1 and 1 in the TensorFlow release, ½ and ½ in the PyTorch release.
        weighting: Weights of the samples in cross-entropy, e.g.
            :class:`~medtail.losses.parts.weightings.InverseFrequencyWeighting` for the sum of weighted cross-entropy
            and the metric; None for equal ones.
        absent: See :class:`SoftF1Loss`.

    Source: Scholz et al., §3.1.4.
    """
    cross_entropy, metric = checks.two_numbers("weights", weights)
    first = CrossEntropyLoss(weighting=weighting, class_counts=class_counts)
    return WeightedSumLoss([(first, cross_entropy), (SoftF1Loss(absent=absent), metric)])


def cross_entropy_and_soft_mcc(
    *,
    class_counts: ClassCounts | None = None,
    weights: Sequence[float] = (1.0, 1.0),
    weighting: Weighting | None = None,
    average: Literal["multiclass", "macro"] = "multiclass",
) -> WeightedSumLoss:
    """Cross-entropy plus soft MCC.

    Args:
        class_counts: Training counts, needed only for ``probabilities(…, prior)``.
        weights: The weights of the two terms; 1 and 1 in the TensorFlow release, ½ and ½ in the PyTorch release.
        weighting: Weights of the samples in cross-entropy, e.g.
            :class:`~medtail.losses.parts.weightings.InverseFrequencyWeighting` for the sum of weighted cross-entropy
            and the metric; None for equal ones.
        average: See :class:`SoftMCCLoss`.

    Source: Scholz et al., §3.1.4.
    """
    cross_entropy, metric = checks.two_numbers("weights", weights)
    first = CrossEntropyLoss(weighting=weighting, class_counts=class_counts)
    return WeightedSumLoss([(first, cross_entropy), (SoftMCCLoss(average=average), metric)])
