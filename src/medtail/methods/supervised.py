"""A backbone, a head and one loss: the method behind most papers."""

from typing import final

import torch
from torch import Tensor

from medtail.methods.base import Batch, StepOutput
from medtail.methods.mixed_targets import batch_loss
from medtail.methods.one_head import OneHeadMethod


@final
class Supervised(OneHeadMethod):
    """Minimise ``loss(head(backbone(image)), target)``.

    Args:
        backbone: Images ``(N, channels, H, W)`` to features ``(N, D)``.
        head: Features to outputs ``(N, C)``.
        loss: Any entry of :data:`medtail.losses.LOSSES`.

    Raises:
        InputError: The loss expects cosines and the head emits logits, or the other way round.

    Under distributed training the mean over ranks of the gradients is that of one process with the joined
    batch, batch normalisation aside.

    Example:
        >>> import torch
        >>> from medtail.backbones import create_backbone
        >>> from medtail.heads import CosineClassifier
        >>> from medtail.losses import DynamicAngularLoss
        >>> method = Supervised(create_backbone("resnet8"), CosineClassifier(64, 7), DynamicAngularLoss())
        >>> batch = {"image": torch.randn(8, 3, 28, 28), "target": torch.arange(8) % 7}
        >>> method(batch).loss.backward()
    """

    def forward(self, batch: Batch) -> StepOutput:
        """Compute the loss of one batch."""
        outputs = self.predict(batch["image"])
        return StepOutput(loss=batch_loss(self.loss, outputs, batch), outputs=outputs)

    def head_input(self, features: Tensor) -> Tensor:
        """Return the features as they are."""
        return features

    @property
    def is_convex_on_features(self) -> bool:
        """Whether the loss is convex in the outputs, and these are linear in the weights of the head."""
        return self.loss.is_convex and self.head.is_linear

    def label_probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability that the loss reads for each label by itself."""
        return self.loss.label_probabilities(outputs)

    def label_log_probabilities(self, outputs: Tensor) -> Tensor:
        """Return the logarithms that the loss reads for each label, in float64."""
        return self.loss.label_log_probabilities(outputs, dtype=torch.float64)
