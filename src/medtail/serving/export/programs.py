"""What is exported: networks that start at uint8 pixels and end at probabilities."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from medtail.methods import Method
from medtail.serving.export.rules import Rule
from medtail.training.inference import TrainedModel


@final
class RunProgram(nn.Module):
    """From pixels to the probabilities of one run.

    Args:
        model: Is moved to the CPU and belongs to the program from here on.
    """

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self.preparation = model.preparation.cpu().eval()
        self.method: Method = model.method.cpu().eval()
        self.task = model.facts.task

    def forward(self, pixels: Tensor) -> Tensor:
        """Return class or label probabilities ``(N, C)`` for uint8 pixels ``(N, channels, *spatial)``."""
        outputs = self.method.predict(self.preparation(pixels))
        return self.task.probabilities(self.method, outputs)


@final
class ConditionalProgram(nn.Module):
    """From pixels and λ to the probabilities of a loss-conditional run.

    Args:
        model: As in :class:`RunProgram`; its method has a λ.
    """

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self.preparation = model.preparation.cpu().eval()
        self.method: Method = model.method.cpu().eval()
        conditional = self.method.conditional
        assert conditional is not None
        self._probabilities_at = conditional.probabilities_at

    def forward(self, pixels: Tensor, condition: Tensor) -> Tensor:
        """Return class probabilities ``(N, C)`` for uint8 pixels and λ ``(L,)``."""
        return self._probabilities_at(self.method.features(self.preparation(pixels)), condition)


@final
class MeanProgram(nn.Module):
    """The mean probability of several programs.

    Args:
        members: At least one, each from pixels to probabilities.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return probabilities ``(N, C)``."""
        return torch.stack([member(pixels) for member in self.members]).mean(0)


@final
class DecidingProgram(nn.Module):
    """From pixels to probabilities and decisions.

    Args:
        network: From the inputs to probabilities ``(N, C)``.
        rule: From these to the outputs of the file.
    """

    def __init__(self, network: nn.Module, rule: Rule) -> None:
        super().__init__()
        self.network = network
        self.rule = rule

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return what :attr:`Rule.outputs` names."""
        outputs: tuple[Tensor, ...] = self.rule(self.network(*inputs))
        return outputs
