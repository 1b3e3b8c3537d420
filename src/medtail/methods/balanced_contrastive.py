"""Balanced contrastive learning (BCL): a classifier whose backbone also learns from pairs of views."""

from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from medtail import checks
from medtail.heads import Head
from medtail.losses import BalancedContrastiveLoss
from medtail.losses.pipeline import ClassificationLoss
from medtail.methods.base import Batch, StepOutput
from medtail.methods.one_head import OneHeadMethod
from medtail.methods.parts.projectors import projector


@final
class BalancedContrastive(OneHeadMethod):
    r"""Classify one view of each image, and contrast two others with each other and with prototypes of the classes.

    .. math:: L = \alpha\, L_\text{class}(x) + \beta\, L_\text{BCL}(x', x'')

    The prototypes are the head's class weights after a small network of their own. Batch normalisation of the backbone
    runs over the three views together.

    Args:
        backbone: Images ``(N, channels, H, W)`` to features ``(N, D)``, with the attribute ``num_features``.
        head: Features to outputs ``(N, C)``.
        loss: The classification loss: balanced softmax in BCL, DBM-BS in DBM-BCL.
        classification_weight: α; 2 on CIFAR in the DBM paper's code, 1 on ImageNet-LT.
        contrast_weight: β; 0.6 on CIFAR, 0.35 on ImageNet-LT.
        temperature: Of the contrast; 0.1 on CIFAR, 0.07 on ImageNet-LT.
        hidden: Width of the projectors; 512.
        projection_size: The size of the space in which views are compared; 128.
        for_training: Whether to build the projectors, which prediction does not need.

    Raises:
        InputError: A setting is out of range, or loss and head do not fit.

    Example:
        >>> from medtail.backbones import create_backbone
        >>> from medtail.heads import LinearHead
        >>> from medtail.losses import BalancedSoftmaxLoss
        >>> method = BalancedContrastive(create_backbone("resnet8"), LinearHead(64, 3), BalancedSoftmaxLoss([5, 3, 1]))
        >>> names = ("image", "image_1", "image_2")
        >>> batch = {name: torch.randn(4, 3, 28, 28) for name in names} | {"target": torch.tensor([0, 1, 2, 0])}
        >>> sorted(method(batch).terms)
        ['classification_loss', 'contrast_loss']

    Source: Zhu et al., "Balanced Contrastive Learning for Long-Tailed Visual Recognition", 2022.
    """

    views: ClassVar[tuple[str, ...]] = ("augmented", "contrast", "contrast")
    training_only: ClassVar[tuple[str, ...]] = ("contrast.",)

    def __init__(
        self,
        backbone: nn.Module,
        head: Head,
        loss: ClassificationLoss,
        *,
        classification_weight: float = 2.0,
        contrast_weight: float = 0.6,
        temperature: float = 0.1,
        hidden: int = 512,
        projection_size: int = 128,
        for_training: bool = True,
    ) -> None:
        super().__init__(backbone, head, loss)
        self.classification_weight = checks.number("classification_weight", classification_weight, low=0)
        self.contrast_weight = checks.number("contrast_weight", contrast_weight, low=0)
        if for_training:
            class_size = head.class_centres.shape[1]
            self.contrast = nn.ModuleDict(
                {
                    "views": projector(self.num_features, hidden, projection_size),
                    "prototypes": projector(class_size, hidden, projection_size),
                    "loss": BalancedContrastiveLoss(temperature=temperature),
                }
            )

    def forward(self, batch: Batch) -> StepOutput:
        """Compute the loss of one batch of three views."""
        count = len(batch["image"])
        features = self.features(torch.cat([batch[name] for name in ("image", "image_1", "image_2")]))
        outputs = self.predict_features(features[:count])
        classification = self.loss(outputs, batch["target"])
        # As in the released code, the projector's batch normalisation also runs over all views.
        views = torch.stack(normalize(self.contrast["views"](features), dim=1).chunk(3)[1:], dim=1)
        prototypes = normalize(self.contrast["prototypes"](self.head.class_centres), dim=1)
        contrast = self.contrast["loss"](views, batch["target"], prototypes)
        return StepOutput(
            loss=self.classification_weight * classification + self.contrast_weight * contrast,
            outputs=outputs,
            terms={"classification_loss": classification.detach(), "contrast_loss": contrast.detach()},
        )

    def head_input(self, features: Tensor) -> Tensor:
        """Return the features as they are."""
        return features

    @property
    def uses_batch_statistics(self) -> bool:
        """Always true: the images of a batch are compared with each other."""
        return True
