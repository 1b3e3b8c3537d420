"""A trained method that another one learns from."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn

from medtail.methods.base import Method


@final
class Teacher:
    """A method whose weights no longer change.

    It is no module, so that a student that holds it has no more parameters, checkpoints or distributed buffers than
    without it. The student moves it to another device with :meth:`apply`.

    Args:
        method: Trained; its weights are frozen here.
        prepare: From the student's images to its own; leaves them as they are by default.
    """

    def __init__(self, method: Method, prepare: nn.Module | None = None) -> None:
        self.method = method.eval().requires_grad_(False)
        self.prepare = nn.Identity() if prepare is None else prepare

    @property
    def num_features(self) -> int:
        """The size of its features, D."""
        return self.method.num_features

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Return its features ``(N, D)``."""
        return self.method.features(self.prepare(images))

    @torch.no_grad()
    def log_probabilities(self, images: Tensor) -> Tensor:
        """Return the logarithms of the probabilities that it gives the classes ``(N, C)``, in float64."""
        return self.method.log_probabilities(self.method.predict_features(self.features(images)))

    def apply(self, move: Callable[[Tensor], Tensor]) -> None:
        """Apply a function to all tensors, as ``nn.Module.to`` does."""
        module: Any
        for module in (self.method, self.prepare):
            module._apply(move)
