"""The loss of images that are mixtures of two."""

from torch import Tensor

from medtail.losses.pipeline import ClassificationLoss
from medtail.methods.base import Batch


def batch_loss(loss: ClassificationLoss, outputs: Tensor, batch: Batch) -> Tensor:
    r"""Return the loss of a batch, mixed or not.

    .. math:: (1 - \lambda)\, L(z, y) + \lambda\, L(z, y')

    Cross-entropy with mixed one-hot targets is a special case (Zhang et al., 2018), so losses need only class ids.

    Args:
        loss: Takes class ids, or 0/1 labels.
        outputs: ``(N, C)``.
        batch: ``target`` y and, for mixed images, ``partner_target`` y' of the same shape and the scalar
            ``partner_share`` λ.
    """
    own: Tensor = loss(outputs, batch["target"])
    if "partner_target" not in batch:
        return own
    share = batch["partner_share"]
    partner: Tensor = loss(outputs, batch["partner_target"])
    return (1 - share) * own + share * partner
