"""Nested collaborative learning (NCL): several experts that learn from labels, from hard categories and each other."""

from collections.abc import Sequence
from typing import ClassVar, Literal, cast, final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from medtail import checks
from medtail.errors import InputError
from medtail.heads import Head
from medtail.losses import MomentumContrastLoss, NestedCollaborativeLoss
from medtail.losses.pipeline import ClassificationLoss
from medtail.methods.base import Batch, StepOutput
from medtail.methods.one_head import OneLossMethod
from medtail.methods.parts.momentum_copy import MomentumCopy
from medtail.methods.parts.projectors import plain_projector
from medtail.methods.parts.queues import KeyQueue
from medtail.tensor_checks import ClassCounts


@final
class Expert(nn.Module):
    """A backbone and a head of its own.

    Args:
        backbone: Images ``(N, channels, H, W)`` to features ``(N, D)``, with the attribute ``num_features``.
        head: Features to outputs ``(N, C)``.
    """

    def __init__(self, backbone: nn.Module, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    @property
    def num_features(self) -> int:
        """D."""
        return int(self.backbone.num_features)  # type: ignore[arg-type]


@final
class _MomentumBranch(nn.Module):
    """Self-supervised contrast of one expert with a slowly following copy of it."""

    def __init__(
        self, expert: Expert, *, queue_size: int, projection_size: int, temperature: float, momentum: float
    ) -> None:
        super().__init__()
        self.projector = plain_projector(expert.num_features, expert.num_features, projection_size)
        self.encoder = MomentumCopy(expert.backbone, self.projector, momentum=momentum)
        self.queue = KeyQueue(queue_size, projection_size)
        self.loss = MomentumContrastLoss(temperature=temperature)

    def forward(self, features: Tensor, other_images: Tensor) -> Tensor:
        """Return the loss of features ``(N, D)`` and the other views of their images."""
        queries = normalize(self.projector(features), dim=1)
        keys = normalize(self.encoder(other_images), dim=1)
        loss: Tensor = self.loss(queries, keys, self.queue.read())
        self.queue.write(keys)
        return loss

    def after_step(self, expert: Expert) -> None:
        self.encoder.follow(expert.backbone, self.projector)
        self.queue.commit()


@final
class NestedCollaborative(OneLossMethod):
    r"""Train experts with labels, with the categories they confuse, with each other and with themselves.

    .. math:: L = \sum_e L_\text{class}^e + L_\text{NCL} + \sum_e L_\text{MoCo}^e

    The outputs are the mean of the experts' outputs.

    Args:
        experts: At least two.
        loss: The classification loss of each expert: balanced softmax in NCL, DBM-BS in DBM-NCL. It also gives the
            scores that are compared, with their margin and prior.
        class_counts: ``(C,)``, training counts in class-id order.
        hard_share: The share of the categories that are hard for an image: 0.3, which is 30 of 100 and 3 of 10. At
            least two are.
        distillation: The weight of mutual distillation; 0.6.
        contrast_weight: Of the self-supervised part; 1 on CIFAR. At 0 there are no copies and no queues, as in the
            released code on ImageNet-LT and iNaturalist, which saves a quarter of a step.
        variant: Of :class:`medtail.losses.NestedCollaborativeLoss`.
        queue_size: Keys of each expert's queue; 1,024.
        projection_size: The size of the space in which views are compared; 64.
        temperature: Of the contrast; 0.2.
        momentum: Of the copies that keys come from; 0.999.
        for_training: Whether to build the copies and queues, which prediction does not need.

    Raises:
        InputError: A setting is out of range, there is one expert, or loss and heads do not fit.

    Example:
        >>> from medtail.backbones import create_backbone
        >>> from medtail.heads import LinearHead
        >>> from medtail.losses import BalancedSoftmaxLoss
        >>> experts = [Expert(create_backbone("resnet8"), LinearHead(64, 3)) for _ in range(2)]
        >>> method = NestedCollaborative(experts, BalancedSoftmaxLoss([5, 3, 1]), [5, 3, 1], queue_size=8)
        >>> batch = {name: torch.randn(4, 3, 28, 28) for name in ("image", "image_1")}
        >>> sorted(method(batch | {"target": torch.tensor([0, 1, 2, 0])}).terms)
        ['classification_loss', 'collaboration_loss', 'contrast_loss']

    Source: Li et al., "Nested Collaborative Learning for Long-Tailed Visual Recognition", 2022.
    """

    views: ClassVar[tuple[str, ...]] = ("augmented", "contrast")
    training_only: ClassVar[tuple[str, ...]] = ("contrast.",)

    def __init__(
        self,
        experts: Sequence[Expert],
        loss: ClassificationLoss,
        class_counts: ClassCounts,
        *,
        hard_share: float = 0.3,
        distillation: float = 0.6,
        contrast_weight: float = 1.0,
        variant: Literal["paper", "official"] = "paper",
        queue_size: int = 1024,
        projection_size: int = 64,
        temperature: float = 0.2,
        momentum: float = 0.999,
        for_training: bool = True,
    ) -> None:
        if len(experts) < 2:
            raise InputError(
                f"experts must be at least 2, got {len(experts)}; train a single one with Supervised"
            )
        super().__init__([expert.backbone for expert in experts], [expert.head for expert in experts], loss)
        self.experts = nn.ModuleList(experts)
        share = checks.number("hard_share", hard_share, low=0, high=1, open_low=True)
        self.collaboration = NestedCollaborativeLoss(
            class_counts,
            hard_categories=max(2, round(share * len(class_counts))),
            distillation=distillation,
            variant=variant,
        )
        self.contrast_weight = checks.number("contrast_weight", contrast_weight, low=0)
        self.contrast = nn.ModuleList(
            _MomentumBranch(
                expert,
                queue_size=queue_size,
                projection_size=projection_size,
                temperature=temperature,
                momentum=momentum,
            )
            for expert in experts
            if for_training and contrast_weight > 0
        )

    def forward(self, batch: Batch) -> StepOutput:
        """Compute the loss of one batch of two views."""
        targets = batch["target"]
        features = [expert.backbone(batch["image"]) for expert in self._experts]
        outputs = [expert.head(own) for expert, own in zip(self._experts, features, strict=True)]
        classification = torch.stack([self.loss(own, targets) for own in outputs]).sum()
        scores = torch.stack([self.loss.training_scores(own, targets) for own in outputs])
        collaboration = self.collaboration(scores, targets, outputs[0])
        contrast = sum(
            (branch(own, batch["image_1"]) for branch, own in zip(self._branches, features, strict=False)),
            torch.zeros_like(classification),
        )
        return StepOutput(
            loss=classification + collaboration + self.contrast_weight * contrast,
            outputs=torch.stack(outputs).mean(0),
            terms={
                "classification_loss": classification.detach(),
                "collaboration_loss": collaboration.detach(),
                "contrast_loss": contrast.detach(),
            },
        )

    @property
    def _experts(self) -> list[Expert]:
        return cast(list[Expert], list(self.experts))

    @property
    def _branches(self) -> list[_MomentumBranch]:
        return cast(list[_MomentumBranch], list(self.contrast))

    def _parts(self, features: Tensor) -> tuple[Tensor, ...]:
        return torch.split(features, [expert.num_features for expert in self._experts], dim=1)

    @property
    def num_features(self) -> int:
        """The sum over experts."""
        return sum(expert.num_features for expert in self._experts)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """The backbone of each expert."""
        return tuple(expert.backbone for expert in self._experts)

    def features(self, images: Tensor) -> Tensor:
        """Return the features of all experts side by side ``(N, E·D)``."""
        return torch.cat([expert.backbone(images) for expert in self._experts], dim=1)

    def predict_features(self, features: Tensor) -> Tensor:
        """Return the mean of the experts' outputs ``(N, C)``."""
        return self.member_outputs(features).mean(0)

    def member_outputs(self, features: Tensor) -> Tensor:
        """Return the outputs of each expert ``(E, N, C)``."""
        parts = zip(self._experts, self._parts(features), strict=True)
        return torch.stack([expert.head(own) for expert, own in parts])

    def embed_features(self, features: Tensor) -> Tensor:
        """Return the inputs of the experts' last layers side by side ``(N, sum of E)``.

        Those of cosine heads have length 1, so that each expert counts alike in the angle to a class.
        """
        parts = zip(self._experts, self._parts(features), strict=True)
        return self._side_by_side([expert.head.embed(own) for expert, own in parts])

    @property
    def class_centres(self) -> Tensor:
        """The weights of the experts' last layers side by side ``(C, sum of E)``.

        Their products with the embeddings, divided by the number of experts, are the outputs but for a bias.
        """
        return self._side_by_side([expert.head.class_centres for expert in self._experts])

    def _side_by_side(self, rows: list[Tensor]) -> Tensor:
        if self._experts[0].head.emits == "cosines":
            rows = [normalize(part, dim=1) for part in rows]
        return torch.cat(rows, dim=1)

    def set_step(self, step: int) -> None:
        """Begin another batch."""
        for branch in self._branches:
            branch.queue.begin_batch()

    def after_step(self) -> None:
        """Let the copies follow, and keep the keys of the step."""
        for branch, expert in zip(self._branches, self._experts, strict=False):
            branch.after_step(expert)
