"""Small methods with several branches, and batches for them."""

from typing import Literal

import torch
from torch import nn

from medtail.heads import CosineClassifier, LinearHead
from medtail.losses import BalancedSoftmaxLoss, DifficultyAwareMarginLoss, PriorAdjustment
from medtail.methods import (
    BalancedContrastive,
    Expert,
    GaussianMixtureLikelihood,
    NestedCollaborative,
    Supervised,
    Teacher,
)

COUNTS = [60, 30, 12, 5]

#: The classification loss and its head, by the names of the references.
CLASSIFIERS = {
    "balanced_softmax": (LinearHead, lambda: BalancedSoftmaxLoss(COUNTS)),
    "balanced_cosines": (
        CosineClassifier,
        lambda: DifficultyAwareMarginLoss(
            COUNTS, max_margin=0.0, instance_margin="none", scale=30.0, adjustment=PriorAdjustment(COUNTS)
        ),
    ),
    "dbm_bs": (
        CosineClassifier,
        lambda: DifficultyAwareMarginLoss(COUNTS, adjustment=PriorAdjustment(COUNTS)),
    ),
}


class Pixels(nn.Sequential):
    """A backbone without batch normalisation, whose statistics are of the rank."""

    num_features = 8

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(12, 8), nn.Tanh())


def batch(step: int, size: int = 12) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    images = {
        name: torch.randn(size, 3, 2, 2, generator=generator, dtype=torch.float64)
        for name in ("image", "image_1", "image_2")
    }
    return images | {
        "target": torch.randint(0, len(COUNTS), (size,), generator=generator),
        "row": torch.randperm(40, generator=generator)[:size],
    }


def teacher() -> Teacher:
    generator = torch.random.get_rng_state()
    torch.manual_seed(17)
    head, loss = CLASSIFIERS["balanced_softmax"]
    trained = Supervised(Pixels(), head(8, len(COUNTS)), loss()).double()
    torch.random.set_rng_state(generator)
    return Teacher(trained)


def balanced_contrastive(kind: str = "balanced_softmax") -> BalancedContrastive:
    head, loss = CLASSIFIERS[kind]
    return BalancedContrastive(Pixels(), head(8, len(COUNTS)), loss(), hidden=6, projection_size=5).double()


def gaussian_mixture(kind: str = "balanced_cosines", queue_size: int = 17) -> GaussianMixtureLikelihood:
    head, loss = CLASSIFIERS[kind]
    return GaussianMixtureLikelihood(
        Pixels(),
        head(8, len(COUNTS)),
        loss(),
        COUNTS,
        teacher(),
        queue_size=queue_size,
        embedding_size=5,
    ).double()


def nested_collaborative(
    kind: str = "balanced_softmax", variant: Literal["paper", "official"] = "paper"
) -> NestedCollaborative:
    head, loss = CLASSIFIERS[kind]
    experts = [Expert(Pixels(), head(8, len(COUNTS))) for _ in range(3)]
    settings = {"hard_share": 0.5, "queue_size": 20, "projection_size": 5, "momentum": 0.9}
    return NestedCollaborative(experts, loss(), COUNTS, variant=variant, **settings).double()
