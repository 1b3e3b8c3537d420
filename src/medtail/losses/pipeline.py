"""The base class of every loss, and the pipeline that most of them are."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast, final

import torch
from torch import Tensor, nn

from medtail import checks, tensor_checks
from medtail.distributed import number_of_ranks
from medtail.errors import InputError
from medtail.heads import OutputKind
from medtail.losses.parts import targets as target_checks
from medtail.losses.parts.adjustments import Adjustment, NoAdjustment
from medtail.losses.parts.base import Part
from medtail.losses.parts.likelihoods import CrossEntropy, Likelihood
from medtail.losses.parts.margins import Margin, NoMargin
from medtail.losses.parts.reductions import (
    REDUCTIONS,
    LabelLosses,
    ListedLosses,
    Reduction,
    SampleLosses,
)
from medtail.losses.parts.scales import NoScale, Scale
from medtail.losses.parts.targets import UNKNOWN_LABELS, UnknownLabels
from medtail.losses.parts.weightings import NoWeighting, Weighting
from medtail.tensor_checks import ClassCounts

#: How far outputs may leave [-1, 1] and still be cosines: half precision rounds by as much.
COSINE_TOLERANCE = 0.01

#: Outputs beyond are taken for this: scales, differences and sums of them stay finite in float32. NaN stays NaN.
LARGEST_OUTPUT = 1e30


class ClassificationLoss(nn.Module, ABC):
    """A loss of outputs ``(N, C)`` and targets, abstract.

    Attributes:
        expects: ``"logits"`` or ``"cosines"``, which the head must emit.
        reduction: ``"mean"``, ``"weighted_mean"``, ``"sum"`` or ``"none"``; ``"batch"`` for a loss in which a single
            sample has no value.
        multi_label: Whether the loss takes labels ``(N, C)`` besides class ids ``(N,)``.
        needs_one_class: Why the loss takes no class probabilities ``(N, C)``, to end a sentence after "because"; empty
            for a loss that takes them.
        outputs_are_checked: Whether outputs are known to be of the kind that ``expects`` names: false until the first
            call of an epoch, which reads them.
        unknown_labels: Whether a multi-label loss leaves out labels that are NaN, ``"leave_out"``, or refuses them.

    It computes in float32 or better whatever the autocast dtype, and holds no parameters and, with few documented
    exceptions, no state. In distributed training the mean over ranks of its value, and of the gradients of the
    parameters, is that of one process with the joined batch; every rank must call it equally often.
    """

    expects: OutputKind
    reduction: str
    multi_label: bool = False
    needs_one_class: str = ""
    unknown_labels: UnknownLabels = "refuse"
    class_counts: Tensor | None

    if TYPE_CHECKING:
        # nn.Module's call is typed as Any, which strict type checkers of users refuse.
        def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
            """Return the loss, as :meth:`forward` does."""

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        # torch.compile allows a code object eight compilations, and every class of loss needs one of its own.
        cls.forward = _with_own_code(cls.forward)  # type: ignore[method-assign]

    def __init__(
        self, *, expects: OutputKind, reduction: str, class_counts: ClassCounts | None = None
    ) -> None:
        super().__init__()
        self.expects = expects
        self.reduction = reduction
        counts = None if class_counts is None else tensor_checks.class_counts(class_counts)
        self.register_buffer("class_counts", counts, persistent=False)
        self._num_classes = None if counts is None else len(counts)
        self.outputs_are_checked = False

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
    def is_convex(self) -> bool:
        """Whether it is a convex function of the outputs that stays the same: one linear head then minimises it."""
        return False

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
        """Return the loss, a scalar unless ``reduction="none"``; 0 for no sample.

        Args:
            outputs: ``(N, C)``, of the kind that ``expects`` names. In the first call, and in the first of each epoch
                that :meth:`set_epoch` announces, cosines must lie in [-1, 1].
            targets: One of the following; docs/targets.md lists what each loss takes.

                - Class ids ``(N,)`` or ``(N, 1)``, in 0…C-1.
                - Class probabilities ``(N, C)``, floating-point, from mixed or smoothed labels, unless the loss
                  ``needs_one_class``. The value is the expectation over classes, Σ y_c w_c ℓ_c.
                - For a multi-label loss, labels ``(N, C)`` in [0, 1]; a value in between counts linearly. With
                  ``unknown_labels="leave_out"``, NaN is an unknown label, which has no part in value and gradient. A
                  sample then adds its share of known labels, k/C, to the N of ``"mean"``, so that the mean is C times
                  that of a known label. Without any known label it is 0.

        Raises:
            InputError: Shapes, types or values are wrong. Values on a device are refused by its assertions, so that no
                step waits for it.
        """
        tensor_checks.outputs(outputs, num_classes=self._num_classes)
        tensor_checks.tensor("targets", targets)
        outputs = tensor_checks.in_full_precision(outputs)
        targets = target_checks.checked(
            outputs,
            targets,
            multi_label=self.multi_label,
            needs_one_class=self.needs_one_class,
            unknown_labels=self.unknown_labels,
        )
        self._check_outputs(outputs)
        if not outputs.shape[0] and number_of_ranks() == 1:
            # A sum over nothing. A rank without samples takes part in the sums of the others.
            return outputs.sum(1) if self.reduction == "none" else outputs.sum()
        with without_autocast(outputs):
            return self.compute(_bounded(outputs), targets)

    def _check_outputs(self, outputs: Tensor) -> None:
        """Refuse logits where cosines are expected, once per epoch, because the host waits for the device."""
        if torch.compiler.is_compiling() or self.outputs_are_checked or type(outputs) is not Tensor:
            return
        self.outputs_are_checked = True
        if self.expects == "cosines" and outputs.numel():
            largest = float(outputs.detach().abs().amax())
            if largest > 1 + COSINE_TOLERANCE:
                self.outputs_are_checked = False
                raise InputError(
                    f"outputs must be cosines in [-1, 1] for {type(self).__name__}, got {largest:.3g}; "
                    "use a head that emits cosines, medtail.heads.CosineClassifier or EmbeddingHead"
                )

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
        return self._moved_log_scores(outputs, prior, outputs.dtype).softmax(1)

    def log_probabilities(
        self,
        outputs: Tensor,
        prior: Tensor | Sequence[float] | None = None,
        *,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Return the logarithms of :meth:`probabilities` ``(N, C)``, which keep the order of the surest samples.

        A probability near 1 is rounded to 1, while the logarithms of the other classes still differ:
        :func:`medtail.metrics.log_odds` ranks by them.

        Args:
            outputs: ``(N, C)``, of the kind that ``expects`` names.
            prior: As in :meth:`probabilities`.
            dtype: ``torch.float64`` computes in float64; by default in the type of the outputs, float32 or better.

        Raises:
            InputError: As in :meth:`probabilities`.

        Example:
            >>> from medtail.losses import CrossEntropyLoss
            >>> outputs = torch.tensor([[0.0, 40.0], [0.0, 50.0]])
            >>> CrossEntropyLoss().probabilities(outputs)[:, 1]
            tensor([1., 1.])
            >>> CrossEntropyLoss().log_probabilities(outputs)[:, 0]
            tensor([-40., -50.])
        """
        return self._moved_log_scores(outputs, prior, dtype or outputs.dtype).log_softmax(1)

    def label_probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label, σ(z) ``(N, C)``; rows may have any sum.

        Args:
            outputs: ``(N, C)``, of the kind that ``expects`` names.

        Raises:
            InputError: The loss is single-label.
        """
        return self.label_log_probabilities(outputs).exp()

    def label_log_probabilities(self, outputs: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
        """Return the logarithms of :meth:`label_probabilities` ``(N, C)``.

        Args:
            outputs: ``(N, C)``, of the kind that ``expects`` names.
            dtype: As in :meth:`log_probabilities`.

        Raises:
            InputError: The loss is single-label.
        """
        if not self.multi_label:
            raise InputError(
                f"label_probabilities needs a multi-label loss, {type(self).__name__} is single-label; "
                "call probabilities"
            )
        return self._moved_log_scores(outputs, None, dtype or outputs.dtype)

    def _moved_log_scores(
        self, outputs: Tensor, prior: Tensor | Sequence[float] | None, dtype: torch.dtype
    ) -> Tensor:
        with torch.autocast(outputs.device.type, enabled=False):
            log_scores = self.log_scores(outputs.to(torch.promote_types(dtype, torch.float32)))
            if prior is None:
                return log_scores
            deployment = tensor_checks.class_vector("prior", prior, num_classes=outputs.shape[1])
            return log_scores + (deployment.log() - self.log_score_prior()).to(log_scores)

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
        """Tell every part which epoch begins, counted from 0; without a schedule, only the check of cosines is due."""
        self.outputs_are_checked = False
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


def without_autocast(outputs: Tensor) -> AbstractContextManager[Any]:
    """Return the context in which autocast, if it is on, leaves the outputs in their precision."""
    kind = outputs.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


def _bounded(outputs: Tensor) -> Tensor:
    """Return the outputs with at most the largest magnitude that scales and sums keep finite."""
    if tensor_checks.readable(outputs) and outputs.numel():
        # Reading takes a fraction of what a clamp costs forward and backward. Comparisons with NaN are false.
        low, high = outputs.detach().aminmax()
        if low.item() >= -LARGEST_OUTPUT and high.item() <= LARGEST_OUTPUT:
            return outputs
    return outputs.clamp(-LARGEST_OUTPUT, LARGEST_OUTPUT)


def _with_own_code(function: Any) -> Any:
    """Return a copy of a function that does not share its code object."""
    copy = FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__, function.__defaults__
    )
    copy.__doc__, copy.__annotations__ = function.__doc__, function.__annotations__
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    return copy


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
        unknown_labels: Of a multi-label loss: ``"refuse"``, or ``"leave_out"`` labels that are NaN.
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
        unknown_labels: UnknownLabels = "refuse",
        reduction: Reduction = "mean",
    ) -> None:
        checks.choice("reduction", reduction, REDUCTIONS)
        checks.choice("unknown_labels", unknown_labels, UNKNOWN_LABELS)
        super().__init__(expects=expects, reduction=reduction, class_counts=class_counts)
        self.unknown_labels = unknown_labels
        self.margin = NoMargin() if margin is None else margin
        self.scale = NoScale() if scale is None else scale
        self.adjustment = NoAdjustment() if adjustment is None else adjustment
        self.likelihood = CrossEntropy() if likelihood is None else likelihood
        self.weighting = NoWeighting() if weighting is None else weighting
        # A weighting needs the one class of a sample, so only unweighted sums of binary decisions are multi-label.
        self.multi_label = self.likelihood.multi_label and isinstance(self.weighting, NoWeighting)
        reasons = (part.needs_one_class for part in self.modules() if isinstance(part, Part))
        self.needs_one_class = next(filter(None, reasons), "")

    @property
    @final
    def is_convex(self) -> bool:
        """Whether all of its parts keep it convex, as those of a (weighted, adjusted) logistic loss do."""
        return all(part.convex for part in self.modules() if isinstance(part, Part))

    @final
    def compute(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        samples = self._target_form(targets)(outputs, self._adjusted(outputs, targets), targets)
        return REDUCTIONS[self.reduction](samples)

    def _target_form(self, targets: Tensor) -> Callable[[Tensor, Tensor, Tensor], SampleLosses]:
        if targets.ndim == 1:
            return self._of_class_ids
        return self._of_labels if self.multi_label else self._of_class_probabilities

    def _of_class_ids(self, outputs: Tensor, logits: Tensor, targets: Tensor) -> SampleLosses:
        return self.likelihood.weighted(logits, targets, self.weighting.per_class(outputs, targets))

    def _of_class_probabilities(self, outputs: Tensor, logits: Tensor, targets: Tensor) -> SampleLosses:
        class_weights = self.weighting.per_class(outputs, targets)
        weights = targets if class_weights is None else targets * class_weights
        return ListedLosses((weights * self.likelihood.per_class(logits)).sum(1), weights.sum(1))

    def _of_labels(self, outputs: Tensor, logits: Tensor, targets: Tensor) -> SampleLosses:
        known = targets.isnan().logical_not().to(logits).mean(1)
        return LabelLosses(self.likelihood(logits, targets), known)

    @final
    def training_scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled outputs with margin and adjustment, ``(N, C)``."""
        with torch.autocast(outputs.device.type, enabled=False):
            return self._adjusted(tensor_checks.in_full_precision(outputs), targets)

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
        self.needs_one_class = next(filter(None, (loss.needs_one_class for loss, _ in terms)), "")
        if all(loss.unknown_labels == "leave_out" for loss, _ in terms):
            self.unknown_labels = "leave_out"

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
