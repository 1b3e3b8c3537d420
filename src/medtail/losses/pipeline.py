"""The base class of every loss, and the pipeline that most of them are."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast, final

import torch
from torch import Tensor, nn

from medtail import checks, tensor_checks
from medtail.errors import InputError
from medtail.heads import OutputKind
from medtail.losses.parts.adjustments import Adjustment, NoAdjustment
from medtail.losses.parts.base import Part
from medtail.losses.parts.likelihoods import CrossEntropy, Likelihood
from medtail.losses.parts.margins import Margin, NoMargin
from medtail.losses.parts.reductions import REDUCTIONS, Reduction
from medtail.losses.parts.scales import NoScale, Scale
from medtail.losses.parts.weightings import NoWeighting, Weighting
from medtail.tensor_checks import ClassCounts


class ClassificationLoss(nn.Module, ABC):
    """A loss of outputs ``(N, C)`` and targets, abstract.

    Attributes:
        expects: ``"logits"`` or ``"cosines"``, which the head must emit.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``; ``"batch"`` for a loss in which a single
            sample has no value.
        multi_label: Whether the loss takes 0/1 targets ``(N, C)`` besides class ids ``(N,)``.

    It computes in float32 or better whatever the autocast dtype, and holds no parameters and, with few documented
    exceptions, no state. In distributed training the mean over ranks of its value, and of the gradients of the
    parameters, is that of one process with the joined batch; every rank must call it equally often.
    """

    expects: OutputKind
    reduction: str
    multi_label: bool = False
    class_counts: Tensor | None

    def __init__(
        self, *, expects: OutputKind, reduction: str, class_counts: ClassCounts | None = None
    ) -> None:
        super().__init__()
        self.expects = expects
        self.reduction = reduction
        counts = None if class_counts is None else tensor_checks.class_counts(class_counts)
        self.register_buffer("class_counts", counts, persistent=False)

    @abstractmethod
    def compute(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of checked targets and of outputs in float32 or better."""

    @abstractmethod
    def log_scores(self, outputs: Tensor) -> Tensor:
        """Return the logarithms of the scores that the outputs give the classes ``(N, C)``, not normalised."""

    @abstractmethod
    def log_score_prior(self, drawn: Tensor | None = None) -> Tensor:
        """Return the logarithm of the prior that trained scores stand for ``(C,)``, up to a constant, on the CPU.

        Args:
            drawn: The shares ``(C,)`` in which a sampler draws the classes; by default those of the training split.
        """

    @property
    def uses_batch_statistics(self) -> bool:
        """Whether the value for a sample depends on the other samples of the batch."""
        return any(part.uses_batch_statistics for part in self.modules() if isinstance(part, Part))

    @property
    def documented_state(self) -> frozenset[str]:
        """The names of the entries of ``state_dict``; there are none, except for scales that follow the training."""
        return frozenset(
            f"{path}.{name}"
            for path, part in self.named_modules()
            if isinstance(part, Part)
            for name in part.documented_state
        )

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, a scalar unless ``reduction="none"``.

        Args:
            outputs: ``(N, C)``, of the kind that ``expects`` names.
            targets: Class ids ``(N,)``; for multi-label losses also 0/1 ``(N, C)``.

        Raises:
            InputError: The shapes or types do not match.
        """
        num_classes = None if self.class_counts is None else len(self.class_counts)
        targets = tensor_checks.batch(outputs, targets, multi_label=self.multi_label, num_classes=num_classes)
        with torch.autocast(outputs.device.type, enabled=False):
            return self.compute(outputs.to(torch.promote_types(outputs.dtype, torch.float32)), targets)

    def probabilities(self, outputs: Tensor, prior: Tensor | Sequence[float] | None = None) -> Tensor:
        r"""Return class probabilities ``(N, C)``, rows summing to 1.

        .. math:: p_c \propto \text{score}_c \cdot \pi^\text{deployment}_c / \pi^\text{score}_c

        Args:
            outputs: ``(N, C)``, of the kind that ``expects`` names.
            prior: The class frequencies ``(C,)`` where the model is used, in any unit. Without it, the scores are
                read as they were trained.

        Raises:
            InputError: The loss does not know which prior its scores stand for, or ``prior`` is invalid.
        """
        with torch.autocast(outputs.device.type, enabled=False):
            outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
            log_scores = self.log_scores(outputs)
            if prior is not None:
                deployment = tensor_checks.class_vector("prior", prior, num_classes=outputs.shape[1])
                shift = deployment.log() - self.log_score_prior()
                log_scores = log_scores + shift.to(log_scores)
            return log_scores.softmax(1)

    def label_probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label, σ(z) ``(N, C)``; rows may have any sum.

        Args:
            outputs: ``(N, C)``, of the kind that ``expects`` names.

        Raises:
            InputError: The loss is single-label.
        """
        if not self.multi_label:
            raise InputError(
                f"label_probabilities needs a multi-label loss, {type(self).__name__} is single-label; "
                "call probabilities"
            )
        with torch.autocast(outputs.device.type, enabled=False):
            return self.log_scores(outputs.to(torch.promote_types(outputs.dtype, torch.float32))).exp()

    def training_scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the scores that the likelihood reads in training ``(N, C)``.

        Args:
            outputs: ``(N, C)``, of the kind that ``expects`` names.
            targets: Class ids ``(N,)``.

        Raises:
            InputError: The loss does not compute one score per class.
        """
        raise InputError(
            f"training_scores needs a loss of one score per class, {type(self).__name__} is not; "
            "take a softmax loss, e.g. balanced_softmax"
        )

    def set_epoch(self, epoch: int) -> None:
        """Tell every part which epoch begins, counted from 0; this does nothing without a schedule."""
        for part in self.modules():
            if isinstance(part, Part):
                part.set_epoch(epoch)

    def log_training_prior(self) -> Tensor:
        """Return log π ``(C,)`` of the training split.

        Raises:
            InputError: The loss was built without ``class_counts``.
        """
        if self.class_counts is None:
            raise InputError(
                f"prior needs the class frequencies {type(self).__name__} was trained with, which are unknown; "
                "build it with class_counts=<counts of the training split>"
            )
        counts = self.class_counts.cpu()
        return (counts / counts.sum()).log()


class PipelineLoss(ClassificationLoss):
    r"""The pipeline, abstract: reduce(weight · likelihood(adjust(scale · margin(outputs)))).

    A named loss chooses the parts in its ``__init__`` and defines nothing else.

    Args:
        expects: ``"logits"`` or ``"cosines"``.
        margin: Changes the entry of the true class; none by default.
        scale: The factor on the scores; none by default.
        adjustment: The per-class affine map of the scaled scores; none by default.
        likelihood: The value of a sample; cross-entropy by default.
        weighting: The weight of a sample; 1 by default.
        class_counts: Training counts, needed only by :meth:`probabilities` with a prior.
        reduction: ``"mean"`` is Σwℓ / N, ``"weighted_mean"`` is Σwℓ / Σw; or ``"sum"`` or ``"none"``.
    """

    def __init__(
        self,
        *,
        expects: OutputKind = "logits",
        margin: Margin | None = None,
        scale: Scale | None = None,
        adjustment: Adjustment | None = None,
        likelihood: Likelihood | None = None,
        weighting: Weighting | None = None,
        class_counts: ClassCounts | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        checks.choice("reduction", reduction, REDUCTIONS)
        super().__init__(expects=expects, reduction=reduction, class_counts=class_counts)
        self.margin = NoMargin() if margin is None else margin
        self.scale = NoScale() if scale is None else scale
        self.adjustment = NoAdjustment() if adjustment is None else adjustment
        self.likelihood = CrossEntropy() if likelihood is None else likelihood
        self.weighting = NoWeighting() if weighting is None else weighting
        # A weighting needs the one class of a sample, so only unweighted sums of binary decisions are multi-label.
        self.multi_label = self.likelihood.multi_label and isinstance(self.weighting, NoWeighting)

    @final
    def compute(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        losses = self.likelihood(self._adjusted(outputs, targets), targets)
        return REDUCTIONS[self.reduction](losses, self.weighting(outputs, targets))

    @final
    def training_scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled outputs with margin and adjustment, ``(N, C)``."""
        with torch.autocast(outputs.device.type, enabled=False):
            return self._adjusted(outputs.to(torch.promote_types(outputs.dtype, torch.float32)), targets)

    def _adjusted(self, outputs: Tensor, targets: Tensor) -> Tensor:
        scores = self.scale(self.margin(outputs, targets), outputs, targets)
        adjusted: Tensor = self.adjustment(scores)
        return adjusted

    @final
    def log_scores(self, outputs: Tensor) -> Tensor:
        """Return the scaled outputs as the likelihood reads them; margin and adjustment are only for training."""
        return self.likelihood.log_scores(self.scale.sharpen(outputs))

    @final
    def log_score_prior(self, drawn: Tensor | None = None) -> Tensor:
        """Return log π·w without the powers of π that adjustment and weighting took out of the scores.

        What is counted in the training split has its π, and what is counted in batches has the drawn shares.
        """
        log_weights = self.weighting.final_class_weights().cpu().clamp_min(1e-12).log()
        removed_as_drawn = self.weighting.removed_power if self.weighting.uses_batch_statistics else 0.0
        removed = self.adjustment.removed_power + self.weighting.removed_power - removed_as_drawn
        if drawn is None:
            powers = [(1 - removed_as_drawn - removed, self.log_training_prior)]
        else:
            powers = [(1 - removed_as_drawn, drawn.cpu().double().log), (-removed, self.log_training_prior)]
        return sum((power * log() for power, log in powers if power != 0), log_weights)


@final
class WeightedSumLoss(ClassificationLoss):
    r"""A weighted sum of losses of the same outputs, :math:`\sum_k w_k L_k`.

    The first loss reads outputs as probabilities.

    Args:
        terms: ``[(loss, weight), …]``, with weights of at least 0. Scholz et al. use 1 and 1 in the TensorFlow
            release, ½ and ½ in the PyTorch release.

    Raises:
        InputError: There is no term, a weight is negative, or the losses expect different outputs.

    Example:
        >>> from medtail.losses import CrossEntropyLoss, SoftF1Loss
        >>> loss = WeightedSumLoss([(CrossEntropyLoss(), 1.0), (SoftF1Loss(), 1.0)])
        >>> loss(torch.tensor([[9.0, -9.0], [-9.0, 9.0]]), torch.tensor([0, 1])).item() < 1e-6
        True

    Source: Scholz et al., §3.1.4.
    """

    def __init__(self, terms: Sequence[tuple[ClassificationLoss, float]]) -> None:
        expected = {loss.expects for loss, _ in terms}
        if len(expected) != 1:
            raise InputError(
                "terms must be at least one (loss, weight) pair, all losses expecting the same outputs, "
                f"got {', '.join(f'{type(loss).__name__} ({loss.expects})' for loss, _ in terms) or 'none'}"
            )
        super().__init__(expects=terms[0][0].expects, reduction="batch")
        self.losses = nn.ModuleList(loss for loss, _ in terms)
        self.weights = [checks.number("weight", weight, low=0) for _, weight in terms]
        self.multi_label = all(loss.multi_label for loss, _ in terms)

    @property
    def uses_batch_statistics(self) -> bool:
        """Whether one of the terms uses them."""
        return any(cast(ClassificationLoss, loss).uses_batch_statistics for loss in self.losses)

    def compute(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted sum."""
        values = [
            weight * loss(outputs, targets) for loss, weight in zip(self.losses, self.weights, strict=True)
        ]
        return torch.stack(values).sum(0)

    def log_scores(self, outputs: Tensor) -> Tensor:
        """Return the scores of the first loss."""
        return self._first().log_scores(outputs)

    def log_score_prior(self, drawn: Tensor | None = None) -> Tensor:
        """Return the prior of the first loss."""
        return self._first().log_score_prior(drawn)

    def _first(self) -> ClassificationLoss:
        return cast(ClassificationLoss, self.losses[0])
