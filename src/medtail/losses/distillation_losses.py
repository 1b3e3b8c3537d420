"""Losses that let a network learn from the scores of another one, or several from each other."""

import math
from collections.abc import Callable
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional as torch_functional

from medtail import checks, tensor_checks
from medtail.errors import InputError
from medtail.losses.parts.reductions import mean_over_batch
from medtail.tensor_checks import ClassCounts

#: What the released code of NCL adds to a probability before its logarithm.
_OFFICIAL_OFFSET = 1e-9


@final
class DistillationLoss(nn.Module):
    r"""The divergence of a student's softened probabilities from its teacher's.

    .. math:: T^2\, \text{KL}\big(\text{softmax}(t / T)\,\|\,\text{softmax}(z / T)\big)

    Args:
        temperature: T; 4 in GML.

    Raises:
        InputError: The temperature is not positive.

    Example:
        >>> scores = torch.tensor([[4.0, 0.0]])
        >>> round(DistillationLoss()(scores, 2 * scores).item(), 4)
        1.0741

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015.
    """

    def __init__(self, *, temperature: float = 4.0) -> None:
        super().__init__()
        self.temperature = checks.positive("temperature", temperature)

    def forward(self, scores: Tensor, teacher_scores: Tensor) -> Tensor:
        """Return the loss ``()``.

        Args:
            scores: z ``(N, C)``, the student's.
            teacher_scores: t ``(N, C)``; no gradient flows into them.
        """
        with torch.autocast(scores.device.type, enabled=False):
            precision = torch.promote_types(scores.dtype, torch.float32)
            student = (scores.to(precision) / self.temperature).log_softmax(1)
            teacher = (teacher_scores.detach().to(precision) / self.temperature).log_softmax(1)
            divergences = torch_functional.kl_div(student, teacher, reduction="none", log_target=True).sum(1)
            return self.temperature**2 * mean_over_batch(divergences)


def mutual_divergence(log_probabilities: Tensor, probabilities: Tensor) -> Tensor:
    r"""Return :math:`\frac{1}{E - 1} \sum_{i \neq j} \text{KL}(p_j \| p_i)`, the mean over images ``()``.

    Args:
        log_probabilities: log p ``(E, N, C)`` of E experts.
        probabilities: p ``(E, N, C)``; gradients flow into both.
    """
    experts = len(probabilities)
    divergences = [
        torch_functional.kl_div(log_probabilities[student], probabilities[teacher], reduction="none").sum(1)
        for student in range(experts)
        for teacher in range(experts)
        if student != teacher
    ]
    return mean_over_batch(torch.stack(divergences).sum(0)) / (experts - 1)


@final
class NestedCollaborativeLoss(nn.Module):
    r"""What the experts of NCL learn from each other, and from the classes that they confuse.

    .. math:: L = \sum_e \text{CE}(h_e, y) + \frac{\lambda}{E - 1} \sum_{i \neq j}
              \big[\text{KL}(p_j \| p_i) + \text{KL}(p^h_j \| p^h_i)\big]

    p are the softmax of the scores of all classes. The hard categories of an image are its own class and those that
    the first expert ranks highest; :math:`h_e` are the scores of these, and :math:`p^h` their softmax. Gradients flow
    into both sides of a divergence. Cross-entropy over all classes is not part of this, because it is the
    classification loss of the recipe.

    Args:
        class_counts: ``(C,)``, training counts in class-id order; only ``variant="official"`` depends on them.
        hard_categories: How many, the own class included: 30 of 100 and 3 of 10 on CIFAR. All are taken where there
            are fewer.
        distillation: λ; 0.6 in NCL.
        variant: ``"paper"`` leaves the other categories out of h. ``"official"`` is the released code: they stay with
            score 0, the prior is the counts n_c instead of π_c, and logarithms are of p + 1e-9.

    Raises:
        InputError: A setting is out of range.

    The paper does not say whose ranking chooses the hard categories, which must be the same for two experts to be
    compared; the released code takes the first expert's, before the prior is added.

    Example:
        >>> scores = torch.tensor([[[2.0, 0.0, -4.0]], [[2.0, 0.0, -4.0]]])
        >>> loss = NestedCollaborativeLoss(hard_categories=2)
        >>> round(loss(scores, torch.tensor([0]), scores[0]).item(), 4)
        0.2539

    Source: Li et al., "Nested Collaborative Learning for Long-Tailed Visual Recognition", 2022, eqs. 4–10.
    """

    def __init__(
        self,
        class_counts: ClassCounts | None = None,
        *,
        hard_categories: int = 30,
        distillation: float = 0.6,
        variant: Literal["paper", "official"] = "paper",
    ) -> None:
        super().__init__()
        self.hard_categories = checks.whole_number("hard_categories", hard_categories, low=1)
        self.distillation = checks.number("distillation", distillation, low=0)
        self.compute = _FORMS[checks.choice("variant", variant, _FORMS)]
        total = 1.0 if class_counts is None else float(tensor_checks.class_counts(class_counts).sum())
        self.log_total = math.log(total)

    def forward(self, scores: Tensor, targets: Tensor, ranking: Tensor) -> Tensor:
        """Return the loss ``()``.

        Args:
            scores: ``(E, N, C)``, of E experts with margin, scale and prior, as
                :meth:`~medtail.losses.ClassificationLoss.training_scores` gives them.
            targets: Class ids ``(N,)``.
            ranking: ``(N, C)``, by which the hard categories are chosen.

        Raises:
            InputError: There is only one expert.
        """
        if scores.ndim != 3 or len(scores) < 2:
            raise InputError(
                f"scores must be those of at least 2 experts, shape (E, N, C), got {tuple(scores.shape)}; "
                "stack the experts' scores with torch.stack"
            )
        with torch.autocast(scores.device.type, enabled=False):
            scores = scores.to(torch.promote_types(scores.dtype, torch.float32)) + self.log_total
            # The own class comes first.
            ranking = ranking.detach().scatter(1, targets[:, None], torch.inf)
            chosen = ranking.topk(min(self.hard_categories, ranking.shape[1])).indices
            own, divergence = self.compute(scores, targets, chosen)
            return mean_over_batch(-own.sum(0)) + self.distillation * divergence


def _without_the_others(scores: Tensor, targets: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    hard = scores.gather(2, chosen.expand(len(scores), -1, -1)).log_softmax(2)
    everything = scores.log_softmax(2)
    divergence = mutual_divergence(everything, everything.exp()) + mutual_divergence(hard, hard.exp())
    return hard[:, :, 0], divergence


def _with_the_others_at_zero(scores: Tensor, targets: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    hard = scores * torch.zeros_like(scores[0]).scatter(1, chosen, 1.0)
    own = hard.log_softmax(2).gather(2, targets.expand(len(scores), -1)[..., None]).squeeze(2)
    everything, some = scores.softmax(2), hard.softmax(2)
    divergence = mutual_divergence((everything + _OFFICIAL_OFFSET).log(), everything)
    return own, divergence + mutual_divergence((some + _OFFICIAL_OFFSET).log(), some)


#: By variant: the log-probability of the own class among the hard categories ``(E, N)``, and the divergences ``()``.
_FORMS: dict[str, Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "paper": _without_the_others,
    "official": _with_the_others_at_zero,
}
