"""What every method is: a training step and a prediction."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from medtail.errors import InputError
from medtail.methods.conditional import Conditional

#: What a method is given: ``image`` (N, channels, H, W) float, normalised, is the first of its views, ``image_1``,
#: ``image_2``, … are the others; ``target`` (N,) holds class ids, or 0/1 (N, C) for several labels per image. Batches
#: of mixed images also have ``partner_target``, like ``target``, and ``partner_share``, a scalar: see
#: :func:`medtail.methods.mixed_targets.batch_loss`.
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
    """A model with its way of being trained; abstract.

    ``forward`` is the training step, so that distributed training sees it; ``predict`` is inference. The loop
    around it (optimizer, schedule, precision, checkpoints) belongs to the trainer, not to the method. A method says
    what it needs and what it can do, and the loop asks: it never looks at a method's class.

    Inference has two stages, ``features`` and what follows from them: the first is nearly all the work, so that
    whoever keeps the features can ask for outputs and embeddings again and again.

    Attributes:
        views: How each training image is prepared, one name of
            :data:`medtail.training.batches.preparation.VIEWS` per view. ``image`` of a batch is the first view.
        training_only: How the names of those entries of ``state_dict`` begin that prediction does not need.
    """

    views: ClassVar[tuple[str, ...]] = ("augmented",)
    training_only: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def num_features(self) -> int:
        """The size of the backbone's features, D."""

    @property
    @abstractmethod
    def networks(self) -> Sequence[nn.Module]:
        """The networks whose features predict: one, or one for each member of an ensemble."""

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
        """Return the input of the last layer ``(N, E)`` for the backbone's features ``(N, D)``."""

    def predict(self, images: Tensor) -> Tensor:
        """Return the outputs ``(N, C)`` for images ``(N, channels, H, W)``."""
        return self.predict_features(self.features(images))

    def embed(self, images: Tensor) -> Tensor:
        """Return the input of the last layer ``(N, E)`` for images ``(N, channels, H, W)``."""
        return self.embed_features(self.features(images))

    @abstractmethod
    def evaluate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the scalar loss of outputs that ``predict`` gave."""

    @abstractmethod
    def probabilities(self, outputs: Tensor, prior: Tensor | None = None) -> Tensor:
        """Return class probabilities ``(N, C)``, rows summing to 1, for the deployment prior ``(C,)``."""

    def label_probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label by itself ``(N, C)``.

        Raises:
            InputError: The method learns one class per image, as it does unless it overrides this.
        """
        raise InputError(
            f"{type(self).__name__} learns one class per image; train several labels with Supervised"
        )

    def log_probabilities(self, outputs: Tensor, prior: Tensor | None = None) -> Tensor:
        """Return the logarithms of :meth:`probabilities` ``(N, C)`` in float64, by which images are ranked."""
        return self.probabilities(outputs.double(), prior).clamp_min(torch.finfo(torch.float64).tiny).log()

    def label_log_probabilities(self, outputs: Tensor) -> Tensor:
        """Return the logarithms of :meth:`label_probabilities` ``(N, C)`` in float64."""
        return self.label_probabilities(outputs.double()).clamp_min(torch.finfo(torch.float64).tiny).log()

    @property
    @abstractmethod
    def uses_batch_statistics(self) -> bool:
        """Whether the loss of an image depends on the other images of its batch.

        If so, gradients of small batches do not add up to that of a large one, and images cannot be mixed.
        """

    @property
    def is_convex_on_features(self) -> bool:
        """Whether, on the features of a frozen backbone, its loss has one minimum, which does not change in training.

        If so, a solver finds it: whoever trains on features need not take small steps.
        """
        return False

    @property
    def conditional(self) -> Conditional | None:
        """The method itself if it can be read at any λ; None for a method without λ."""
        return None

    @property
    def class_centres(self) -> Tensor | None:
        """The last layer's weights ``(C, E)``, one direction per class; None where there is no single last layer."""
        return None

    def member_outputs(self, features: Tensor) -> Tensor | None:
        """Return the outputs of each member of an ensemble ``(E, N, C)`` for the backbone's features ``(N, D)``.

        None for a method that is no ensemble.
        """
        return None

    def cosine_scale(self) -> float | None:
        """Return the factor on the outputs where these are cosines; None where they are logits."""
        return None

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what the optimizer updates, as the parameter groups that PyTorch's optimizers take.

        By default all trainable parameters form one group. A group may have its own settings: a learned temperature
        has ``"weight_decay": 0.0``, and a momentum copy is in no group.
        """
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad]}]

    def set_epoch(self, epoch: int) -> None:
        """Tell every schedule of the method which epoch (from 0) begins; does nothing by default."""

    def set_step(self, step: int) -> None:
        """Tell the method which optimizer step (from 0) comes next; does nothing by default."""

    def after_step(self) -> None:
        """Update what the optimizer does not: momentum copies, queues; does nothing by default.

        It is called once per optimizer step, when the weights have moved: not between batches whose gradients are
        accumulated, and not between the two passes of :class:`medtail.sam.SAM`.
        """

    def take_out_backbone(self) -> nn.Module:
        """Return the backbone and train on without it: from here on ``image`` of a batch holds its features ``(N, D)``.

        Raises:
            InputError: The method cannot be trained on features alone, as it cannot unless it overrides this.
        """
        raise self._no_single_network()

    def without_backbone(self) -> AbstractContextManager[None]:
        """Return a context in which ``image`` of a batch holds the backbone's features ``(N, D)``.

        Raises:
            InputError: As :meth:`take_out_backbone`.
        """
        raise self._no_single_network()

    def _no_single_network(self) -> InputError:
        return InputError(
            f"{type(self).__name__} has no single network to take out; leave out `backbone.cached_features` and "
            f"`backbone.from_run`"
        )

    def freeze_backbone(self, frozen: bool) -> None:
        """Stop or resume training of the part with the pretrained weights; does nothing by default."""
