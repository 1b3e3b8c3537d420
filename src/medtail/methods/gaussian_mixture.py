"""Gaussian mixture likelihood (GML): a classifier that learns from keys of a teacher, class by class."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Self, final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from medtail import checks
from medtail.errors import InputError
from medtail.heads import Head
from medtail.losses import DistillationLoss, GaussianMixtureLoss
from medtail.losses.pipeline import ClassificationLoss
from medtail.methods.base import Batch, StepOutput
from medtail.methods.one_head import OneHeadMethod
from medtail.methods.parts.projectors import projector
from medtail.methods.parts.queues import ClassQueue
from medtail.methods.parts.teacher import Teacher
from medtail.tensor_checks import ClassCounts


@final
class _KeyContrast(nn.Module):
    """Queries against a queue of the teacher's features, which a network embeds anew in every step."""

    def __init__(
        self,
        class_counts: ClassCounts,
        *,
        query_features: int,
        key_features: int,
        queue_size: int,
        smallest_slice: int,
        embedding_size: int,
        temperature: float,
    ) -> None:
        super().__init__()
        self.queries = projector(query_features, query_features, embedding_size)
        self.keys = projector(key_features, key_features, embedding_size)
        self.queue = ClassQueue(class_counts, queue_size, key_features, smallest_slice=smallest_slice)
        self.log_temperature = nn.Parameter(
            torch.tensor(math.log(checks.positive("temperature", temperature)))
        )
        self.loss = GaussianMixtureLoss(class_counts)

    def forward(self, features: Tensor, key_features: Tensor, targets: Tensor, images: Tensor) -> Tensor:
        """Return the loss of a batch, whose own keys are in the queue already."""
        memory, memory_images = self.queue.write(key_features, targets, images)
        keys = normalize(self.keys(memory), dim=1)
        queries = normalize(self.queries(features), dim=1)
        is_same_image = images[:, None] == memory_images
        loss: Tensor = self.loss(
            queries, targets, keys, self.queue.classes, is_same_image, self.log_temperature.exp()
        )
        return loss


@final
class GaussianMixtureLikelihood(OneHeadMethod):
    r"""Classify one view, contrast another with keys of a third, and distil the teacher.

    .. math:: L = L_\text{class}(x) + L_\text{GML}(x', \text{queue}) +
              T_d^2\, \text{KL}\big(p_\text{teacher}^{1/T_d}(x)\,\|\,p^{1/T_d}(x)\big)

    There is no momentum encoder: the queue holds features of the frozen teacher.

    Args:
        backbone: Images ``(N, channels, H, W)`` to features ``(N, D)``, with the attribute ``num_features``.
        head: Features to outputs ``(N, C)``.
        loss: The classification loss: balanced softmax of cosines at scale 30 in GML, DBM-BS in DBM-GML.
        class_counts: ``(C,)``, training counts in class-id order.
        teacher: What keys and distillation come from; a ResNet-56 in the DBM paper. Without it the method only
            predicts.
        queue_size: Keys that are kept; 4,096.
        smallest_slice: Keys of each class at least; 2 in the released code.
        embedding_size: The size of the space in which queries and keys are compared; 32.
        temperature: The start of the contrast's temperature, which is learned; 0.1.
        distillation_temperature: T_d; 4.

    Raises:
        InputError: A setting is out of range, or loss and head do not fit.

    Prediction needs neither teacher nor queue.

    Source: Suh and Seo, "Long-Tailed Recognition by Mutual Information Maximization between Latent Features and
    Ground-Truth Labels", 2023.
    """

    views: ClassVar[tuple[str, ...]] = ("augmented", "augmented", "augmented")
    training_only: ClassVar[tuple[str, ...]] = ("contrast.",)

    def __init__(
        self,
        backbone: nn.Module,
        head: Head,
        loss: ClassificationLoss,
        class_counts: ClassCounts,
        teacher: Teacher | None = None,
        *,
        queue_size: int = 4096,
        smallest_slice: int = 2,
        embedding_size: int = 32,
        temperature: float = 0.1,
        distillation_temperature: float = 4.0,
    ) -> None:
        super().__init__(backbone, head, loss)
        self.teacher = teacher
        self.distillation = DistillationLoss(temperature=distillation_temperature)
        if teacher is not None:
            self.contrast = _KeyContrast(
                class_counts,
                query_features=self.num_features,
                key_features=teacher.num_features,
                queue_size=queue_size,
                smallest_slice=smallest_slice,
                embedding_size=embedding_size,
                temperature=temperature,
            )

    def forward(self, batch: Batch) -> StepOutput:
        """Compute the loss of one batch of three views; ``row`` ``(N,)`` tells images apart.

        Raises:
            InputError: There is no teacher.
        """
        if self.teacher is None:
            raise InputError("GaussianMixtureLikelihood needs a teacher to train, got none; pass teacher=…")
        targets = batch["target"]
        # Both views share the statistics of batch normalisation, as in the released code.
        features, queries = self.features(torch.cat([batch["image"], batch["image_1"]])).chunk(2)
        outputs = self.predict_features(features)
        classification = self.loss(outputs, targets)
        contrast = self.contrast(queries, self.teacher.features(batch["image_2"]), targets, batch["row"])
        distillation = self.distillation(
            self.loss.log_scores(outputs), self.teacher.log_probabilities(batch["image"])
        )
        return StepOutput(
            loss=classification + contrast + distillation,
            outputs=outputs,
            terms={
                "classification_loss": classification.detach(),
                "contrast_loss": contrast.detach(),
                "distillation_loss": distillation.detach(),
                "contrast_temperature": self.contrast.log_temperature.detach().exp(),
            },
        )

    def head_input(self, features: Tensor) -> Tensor:
        """Return the features as they are."""
        return features

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return all trainable parameters, with no weight decay for the temperature."""
        if self.teacher is None:
            return super().parameter_groups()
        temperature = self.contrast.log_temperature
        others = [value for value in self.parameters() if value.requires_grad and value is not temperature]
        return [{"params": others}, {"params": [temperature], "weight_decay": 0.0}]

    def set_step(self, step: int) -> None:
        """Begin another batch."""
        self.contrast.queue.begin_batch()

    def after_step(self) -> None:
        """Keep the keys of the step."""
        self.contrast.queue.commit()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if self.teacher is not None:
            self.teacher.apply(fn)
        moved: Self = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return moved
