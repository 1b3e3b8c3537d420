"""What methods with one loss have in common, and those with one backbone and one head as well."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import torch
from torch import Tensor, nn

from medtail.errors import InputError
from medtail.heads import Head
from medtail.losses.pipeline import ClassificationLoss
from medtail.methods.base import Method
from medtail.methods.parts.freezing import Freezing


class OneLossMethod(Method, ABC):
    """Networks whose outputs one loss trains and reads; abstract.

    Args:
        backbones: Those of the networks, which are frozen together.
        heads: What gives the outputs ``(N, C)``.
        loss: Trains the outputs and reads them as probabilities.

    Raises:
        InputError: The loss expects cosines and a head emits logits, or the other way round.
    """

    def __init__(
        self, backbones: Sequence[nn.Module], heads: Sequence[Head], loss: ClassificationLoss
    ) -> None:
        super().__init__()
        for head in heads:
            if head.emits != loss.expects:
                raise InputError(
                    f"head must emit what the loss expects: {type(loss).__name__} expects {loss.expects}, "
                    f"{type(head).__name__} emits {head.emits}; "
                    f"take a head that emits {loss.expects}, or leave the choice to `head.name=auto`"
                )
        self.loss = loss
        self._freezing = Freezing(backbones)

    @property
    def uses_batch_statistics(self) -> bool:
        """Whether the loss does."""
        return self.loss.uses_batch_statistics

    def evaluate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of given outputs."""
        loss: Tensor = self.loss(outputs, targets)
        return loss

    def probabilities(self, outputs: Tensor, prior: Tensor | None = None) -> Tensor:
        """Return what the loss reads from the outputs."""
        return self.loss.probabilities(outputs, prior)

    def log_probabilities(self, outputs: Tensor, prior: Tensor | None = None) -> Tensor:
        """Return the logarithms that the loss reads from the outputs, in float64."""
        return self.loss.log_probabilities(outputs, prior, dtype=torch.float64)

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to the loss."""
        self.loss.set_epoch(epoch)

    def freeze_backbone(self, frozen: bool) -> None:
        """Exclude the backbones from training, or include them again.

        A frozen backbone has no gradients, and its batch-norm statistics stay as they are. Parameters that were frozen
        before, such as the base weights of an adapter, stay frozen when the backbones are included again.
        """
        self._freezing.set(frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set training mode, leaving frozen backbones in evaluation mode."""
        super().train(mode)
        self._freezing.keep()
        return self


class OneHeadMethod(OneLossMethod, ABC):
    """A backbone, a head, and the loss that reads its outputs; abstract.

    Args:
        backbone: Images ``(N, channels, H, W)`` to features ``(N, D)``.
        head: Features to outputs ``(N, C)``.
        loss: Trains the outputs and reads them as probabilities.

    Raises:
        InputError: The loss expects cosines and the head emits logits, or the other way round.
    """

    def __init__(self, backbone: nn.Module, head: Head, loss: ClassificationLoss) -> None:
        super().__init__([backbone], [head], loss)
        self.backbone = backbone
        self.head = head

    @abstractmethod
    def head_input(self, features: Tensor) -> Tensor:
        """Return the head's input ``(N, D)`` for the backbone's features ``(N, D)``."""

    @property
    def num_features(self) -> int:
        """The size of the backbone's features, D."""
        return int(self.backbone.num_features)  # type: ignore[arg-type]

    @property
    def networks(self) -> tuple[nn.Module]:
        """The backbone."""
        return (self.backbone,)

    def features(self, images: Tensor) -> Tensor:
        """Return the backbone's features ``(N, D)``."""
        features: Tensor = self.backbone(images)
        return features

    def predict_features(self, features: Tensor) -> Tensor:
        """Return the head's outputs ``(N, C)``."""
        outputs: Tensor = self.head(self.head_input(features))
        return outputs

    def embed_features(self, features: Tensor) -> Tensor:
        """Return the input of the head's last layer ``(N, E)``."""
        return self.head.embed(self.head_input(features))

    @property
    def class_centres(self) -> Tensor:
        """The weights of the head's last layer ``(C, E)``."""
        return self.head.class_centres

    def cosine_scale(self) -> float | None:
        """Return the loss's current scale, which some losses measure in training; None for logits."""
        if self.head.emits != "cosines":
            return None
        own, other = self.loss.log_scores(torch.tensor([[1.0, 0.0]]))[0].tolist()
        return float(own - other)

    def take_out_backbone(self) -> nn.Module:
        """Return the backbone, and pass on features in its place."""
        backbone, self.backbone = self.backbone, nn.Identity()
        return backbone

    @contextmanager
    def without_backbone(self) -> Iterator[None]:
        """Pass on features in place of the backbone's for a while."""
        backbone = self.take_out_backbone()
        try:
            yield
        finally:
            self.backbone = backbone
