"""A classifier whose weights are brought to more equal lengths, without training."""

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from medtail import checks
from medtail.heads import RescaledHead
from medtail.losses.pipeline import ClassificationLoss
from medtail.methods.base import Batch, StepOutput
from medtail.methods.one_head import OneHeadMethod


@final
class TauNormalized(OneHeadMethod):
    r"""The τ-normalised classifier, :math:`z_c = W_c^\top x / \lVert W_c\rVert^\tau`.

    Classifiers trained on long tails have longer weights for frequent classes. τ = 0 leaves them as they are, τ = 1
    makes all of them equally long. Nothing is trained: each epoch of the loop stands for one τ, so that choosing the
    best epoch on validation chooses τ, as the paper does.

    Args:
        backbone: Images to features ``(N, D)``, of the first stage.
        head: With the weights of the first stage's classifier.
        loss: Judges each τ; it learns nothing.
        taus: τ of each epoch.

    Raises:
        InputError: There is no τ, one is negative, or the loss expects cosines.

    Example:
        >>> from medtail.losses import CrossEntropyLoss
        >>> head = RescaledHead(2, 2)
        >>> head.start_from(torch.tensor([[4.0, 0.0], [0.0, 1.0]]))
        >>> method = TauNormalized(nn.Identity(), head, CrossEntropyLoss(), taus=[0.0, 0.5])
        >>> method.set_epoch(1)
        >>> method.predict(torch.ones(1, 2)).tolist()
        [[2.0, 1.0]]

    Source: Kang et al., "Decoupling representation and classifier for long-tailed recognition", 2020, §4.3.
    """

    head: RescaledHead

    def __init__(
        self, backbone: nn.Module, head: RescaledHead, loss: ClassificationLoss, taus: Sequence[float]
    ) -> None:
        super().__init__(backbone, head, loss)
        checks.whole_number("the number of taus", len(taus), low=1)
        self.taus = [checks.number("taus", tau, low=0) for tau in taus]
        self.tau = self.taus[0]

    def forward(self, batch: Batch) -> StepOutput:
        """Compute the loss of one batch at the τ of the epoch."""
        outputs = self.predict(batch["image"])
        loss = self.loss(outputs, batch["target"])
        return StepOutput(loss=loss, outputs=outputs, terms={"tau": loss.new_tensor(self.tau)})

    def head_input(self, features: Tensor) -> Tensor:
        """Return the features as they are."""
        return features

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the scales with a learning rate of 0, because the loop wants something to update."""
        return [{"params": [self.head.scale], "lr": 0.0, "weight_decay": 0.0}]

    def set_epoch(self, epoch: int) -> None:
        """Take the τ of the epoch, the last one after all of them."""
        super().set_epoch(epoch)
        self.tau = self.taus[min(epoch, len(self.taus) - 1)]
        with torch.no_grad():
            # A class without any weight has no direction, and may have any scale.
            lengths = self.head.weight.norm(dim=1).clamp(min=torch.finfo(self.head.weight.dtype).tiny)
            self.head.scale.copy_(lengths.pow(-self.tau))
