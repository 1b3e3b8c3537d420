"""Images of a training batch mixed with others: mixup, and its form against imbalance."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor, nn

from medtail.errors import InputError
from medtail.recipes.schema import MixupSettings

#: From uint8 pixels to what the network takes.
Prepare = Callable[[Tensor], Tensor]


class Mixing(nn.Module, ABC):
    """From a batch of pixels to the batch that a method is given; abstract.

    There is one share per batch. It comes from PyTorch's generator on the CPU, which every step seeds anew, so that
    nothing waits for the device.
    """

    @abstractmethod
    def forward(self, batch: Mapping[str, Tensor], prepare: Prepare) -> dict[str, Tensor]:
        """Return the batch with its images prepared, and mixed with others."""


@final
class Unmixed(Mixing):
    """Every image stays as it is."""

    def forward(self, batch: Mapping[str, Tensor], prepare: Prepare) -> dict[str, Tensor]:
        """Return the batch with its images prepared."""
        return {**batch, "image": prepare(batch["image"])}


@final
class Mixup(Mixing):
    r"""Mix every image with another one of the batch: :math:`(1 - \lambda) x + \lambda x'`, λ ~ Beta(α, α).

    Args:
        alpha: α > 0; Zhang et al. (2018): 0.2 for ImageNet, 1 for CIFAR.

    Under distributed training every process mixes within its own part of the batch, with its own λ.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.
    """

    def __init__(self, alpha: float = 0.2) -> None:
        super().__init__()
        self.share = torch.distributions.Beta(_check_alpha(alpha), alpha)

    def forward(self, batch: Mapping[str, Tensor], prepare: Prepare) -> dict[str, Tensor]:
        """Return the batch mixed with itself in another order."""
        images = prepare(batch["image"])
        order = torch.randperm(len(images), device=images.device)
        return _mixed(batch, images, images[order], batch["target"][order], self.share)


@final
class BalancedMixup(Mixing):
    r"""Mix every image with one of an evenly drawn class: :math:`(1 - \lambda) x + \lambda x'`, λ ~ Beta(α, 1).

    A small α leaves most images nearly as they are, with a trace of rare classes; α = 1 is halfway to class-balanced
    sampling.

    Args:
        alpha: α > 0; Galdran et al. (2021) try 0.1, 0.2 and 0.3.

    Source: Galdran et al., "Balanced-MixUp for Highly Imbalanced Medical Image Classification", 2021.
    """

    def __init__(self, alpha: float = 0.2) -> None:
        super().__init__()
        self.share = torch.distributions.Beta(_check_alpha(alpha), 1.0)

    def forward(self, batch: Mapping[str, Tensor], prepare: Prepare) -> dict[str, Tensor]:
        """Return the batch mixed with its ``partner_image``."""
        own = {name: value for name, value in batch.items() if name != "partner_image"}
        images, partners = prepare(batch["image"]), prepare(batch["partner_image"])
        return _mixed(own, images, partners, batch["partner_target"], self.share)


def _check_alpha(alpha: float) -> float:
    if not alpha > 0:
        raise InputError(f"mixup.alpha must be positive, got {alpha}; e.g. 0.2, or leave mixup out")
    return alpha


def _mixed(
    batch: Mapping[str, Tensor],
    images: Tensor,
    partners: Tensor,
    partner_targets: Tensor,
    distribution: torch.distributions.Beta,
) -> dict[str, Tensor]:
    share = distribution.sample().to(images)
    return {
        **batch,
        "image": torch.lerp(images, partners, share),
        "partner_target": partner_targets,
        "partner_share": share,
    }


_MIXINGS: dict[str, Callable[[float], Mixing]] = {"batch": Mixup, "class_balanced": BalancedMixup}


def build_mixing(settings: MixupSettings | None) -> Mixing:
    """Build the mixing of a recipe's ``augmentation.mixup``; None leaves images unmixed."""
    return Unmixed() if settings is None else _MIXINGS[settings.partners](settings.alpha)
