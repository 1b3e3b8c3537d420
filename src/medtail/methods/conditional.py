"""What a method with λ offers besides: outputs and probabilities at any λ, from the same features."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from medtail.losses.pipeline import ClassificationLoss
from medtail.methods.linear_density import LinearDensity

Condition = Mapping[str, float]
"""A value for each varied parameter of the loss, by its name: λ."""


class Conditional(ABC):
    """A method that one training makes readable at any λ; abstract.

    Attributes:
        distributions: The density of each parameter of λ in training, by its name.
    """

    distributions: Mapping[str, LinearDensity]

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where its weights are."""

    @property
    @abstractmethod
    def condition(self) -> Condition:
        """λ that prediction, probabilities and evaluation use now."""

    @abstractmethod
    def set_condition(self, condition: Condition) -> None:
        """Use another λ from here on; it may lie outside the distributions.

        Raises:
            InputError: λ lacks a parameter, has another, or is not legal for the loss.
        """

    @abstractmethod
    def loss_at(self, condition: Condition) -> ClassificationLoss:
        """Return the loss of one λ, which also reads outputs of that λ as probabilities.

        Raises:
            InputError: λ lacks a parameter, has another, or is not legal for the loss.
        """

    @abstractmethod
    def predict_features(self, features: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the outputs ``(N, C)`` at λ, or at ``condition`` for None, for the backbone's features ``(N, D)``."""

    @abstractmethod
    def probabilities_at(self, features: Tensor, condition: Tensor) -> Tensor:
        """Return class probabilities ``(N, C)`` at a λ that is a tensor, for programs that take it as an input.

        Args:
            features: The backbone's ``(N, D)``.
            condition: λ ``(L,)``, in the order of ``distributions``; its values are not checked.
        """
