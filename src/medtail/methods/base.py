"""What every method is: a training step and a prediction."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from medtail.errors import InputError

#: What a method is given: ``image`` (N, channels, H, W) float, normalised; ``target`` (N,) class ids, or
#: 0/1 (N, C) of several labels where the loss takes them. Of mixed images also ``partner_target``, like
#: ``target``, and ``partner_share``, a scalar: see :func:`medtail.methods.mixed_targets.batch_loss`.
Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class StepOutput:
    """What one training step yields.

    Attributes:
        loss: The scalar to differentiate.
        outputs: ``(N, C)``, detached or not: what the head emitted for the batch.
        terms: Named scalars worth a column in ``metrics.csv``; detached.
    """

    loss: Tensor
    outputs: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)


class Method(nn.Module, ABC):
    """A model with its way of being trained.

    ``forward`` is the training step, so that distributed training sees it; ``predict`` is inference. The loop
    around it (optimizer, schedule, precision, checkpoints) belongs to the trainer, not to the method.

    Inference has two stages, ``features`` and what follows from them: the first is nearly all the work, so that
    whoever keeps the features can ask for outputs and embeddings again and again.
    """

    @abstractmethod
    def forward(self, batch: Batch) -> StepOutput:
        """Compute the loss of one batch."""

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Return the backbone's features ``(N, D)`` of images ``(N, channels, H, W)``."""

    @abstractmethod
    def predict_features(self, features: Tensor) -> Tensor:
        """Return the outputs ``(N, C)`` for the backbone's features ``(N, D)``."""

    @abstractmethod
    def embed_features(self, features: Tensor) -> Tensor:
        """Return what the last layer is given ``(N, E)`` for the backbone's features ``(N, D)``."""

    def predict(self, images: Tensor) -> Tensor:
        """Return the outputs ``(N, C)`` for images ``(N, channels, H, W)``."""
        return self.predict_features(self.features(images))

    def embed(self, images: Tensor) -> Tensor:
        """Return what the last layer is given ``(N, E)`` for images ``(N, channels, H, W)``."""
        return self.embed_features(self.features(images))

    @property
    @abstractmethod
    def class_centres(self) -> Tensor:
        """The last layer's weights ``(C, E)``, one direction a class."""

    def cosine_scale(self) -> float | None:
        """Return the factor on the outputs where these are cosines; None where they are logits."""
        return None

    @abstractmethod
    def evaluate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the scalar loss of outputs that ``predict`` gave."""

    @abstractmethod
    def probabilities(self, outputs: Tensor, prior: Tensor | None = None) -> Tensor:
        """Return class probabilities ``(N, C)``, rows summing to 1, for the deployment prior ``(C,)``."""

    def label_probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label by itself ``(N, C)``, where the method takes several labels.

        Raises:
            InputError: It takes one class an image.
        """
        raise InputError(
            f"{type(self).__name__} takes one class an image; train several labels with Supervised"
        )

    def set_epoch(self, epoch: int) -> None:
        """Tell every schedule inside which epoch (from 0) begins; nothing to do where there is none."""

    def set_step(self, step: int) -> None:
        """Tell which training step (from 0) comes next; nothing to do where no step differs from another."""

    def freeze_backbone(self, frozen: bool) -> None:
        """Stop or resume training of the part that carries pretrained weights; nothing where there is none."""
