"""From batches of features of several views to what a method is given."""

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from medtail.training.batches.mixing import Mixing, Prepare


@final
class PlainView(nn.Module):
    """The view of evaluation, ``(N, D)`` of ``(N, V, D)``."""

    def forward(self, features: Tensor) -> Tensor:
        """Return the features of the first view."""
        return features[:, 0]


@final
class DrawnView(Mixing):
    """For training: one view of every image, drawn anew in every step."""

    def forward(self, batch: Mapping[str, Tensor], prepare: Prepare) -> dict[str, Tensor]:
        """Return the batch with features ``(N, D)``."""
        features = batch["image"]
        count, views = features.shape[:2]
        # On the CPU, whose generator every step seeds.
        drawn = torch.randint(views, (count,)).to(features.device)
        return {**batch, "image": features[torch.arange(count, device=features.device), drawn]}


@final
class EveryView(Mixing):
    """For training on all images at once: all views of every image, each as an image of its own."""

    def forward(self, batch: Mapping[str, Tensor], prepare: Prepare) -> dict[str, Tensor]:
        """Return the batch with features ``(N·V, D)`` and everything else repeated as often."""
        views = batch["image"].shape[1]
        return {
            name: value.flatten(0, 1) if name == "image" else value.repeat_interleave(views, dim=0)
            for name, value in batch.items()
        }
