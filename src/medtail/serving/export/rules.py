"""Operating points as tensor programs: the same rules as :mod:`medtail.operating_point`, for PyTorch and ONNX."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from medtail.operating_point import (
    ClassThreshold,
    ClassWeights,
    MinimumCost,
    MostProbable,
    OperatingPoint,
    PriorShift,
    TemperatureScaling,
    VectorScaling,
)
from medtail.runs.label_predictions import THRESHOLD


def _tensor(values: np.ndarray | float) -> Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float32))


@final
class _LogAffine(nn.Module):
    """p'_c ∝ exp(a_c log p_c + b_c), which every map of an operating point is."""

    slopes: Tensor
    offsets: Tensor

    def __init__(self, slopes: np.ndarray | float, offsets: np.ndarray | float) -> None:
        super().__init__()
        self.register_buffer("slopes", _tensor(slopes))
        self.register_buffer("offsets", _tensor(offsets))

    def forward(self, probabilities: Tensor) -> Tensor:
        logs = probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()
        return (self.slopes * logs + self.offsets).softmax(1)


@final
class _LargestScore(nn.Module):
    """argmax_j Σ_c p_c M_cj, which most decisions are; the lowest id wins a tie."""

    matrix: Tensor

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("matrix", _tensor(matrix))

    def forward(self, probabilities: Tensor) -> Tensor:
        return (probabilities @ self.matrix).argmax(1)


@final
class _MostProbable(nn.Module):
    """argmax_c p_c."""

    def forward(self, probabilities: Tensor) -> Tensor:
        return probabilities.argmax(1)


@final
class _AboveThreshold(nn.Module):
    """Class c if p_c is at least a threshold, otherwise the most probable other class."""

    is_class: Tensor

    def __init__(self, class_id: int, threshold: float, num_classes: int) -> None:
        super().__init__()
        self.class_id = class_id
        self.threshold = threshold
        self.register_buffer("is_class", torch.arange(num_classes) == class_id)

    def forward(self, probabilities: Tensor) -> Tensor:
        other = torch.where(self.is_class, -1.0, probabilities).argmax(1)
        found = probabilities[:, self.class_id] >= self.threshold
        return torch.where(found, torch.full_like(other, self.class_id), other)


@final
class _EachLabel(nn.Module):
    """1 for every label of at least a probability, otherwise 0."""

    def forward(self, probabilities: Tensor) -> Tensor:
        return (probabilities >= THRESHOLD).long()


@final
class _Sets(nn.Module):
    """Whether p_c is at least the threshold of class c."""

    thresholds: Tensor

    def __init__(self, thresholds: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("thresholds", _tensor(thresholds))

    def forward(self, probabilities: Tensor) -> Tensor:
        return probabilities >= self.thresholds


#: Every map of an operating point as a tensor program.
_STEPS: Mapping[type, Callable[[Any], nn.Module]] = {
    PriorShift: lambda step: _LogAffine(1.0, np.log(step.target / step.source)),
    TemperatureScaling: lambda step: _LogAffine(1 / step.temperature, 0.0),
    VectorScaling: lambda step: _LogAffine(step.slopes, step.offsets),
}

#: Every decision of an operating point as a tensor program, for C classes.
_DECISIONS: Mapping[type, Callable[[Any, int], nn.Module]] = {
    MostProbable: lambda decision, classes: _MostProbable(),
    ClassWeights: lambda decision, classes: _LargestScore(np.diag(decision.weights)),
    MinimumCost: lambda decision, classes: _LargestScore(-decision.costs),
    ClassThreshold: lambda decision, classes: _AboveThreshold(decision.class_id, decision.threshold, classes),
}


@final
class Rule(nn.Module):
    """From the probabilities that the model gives to those where it is used, decisions and sets.

    Args:
        steps: Each from probabilities ``(N, C)`` to others.
        decision: From the probabilities after all steps to decisions.
        sets: From these to the membership of each class ``(N, C)``; no sets if empty.

    Attributes:
        outputs: The names of what it returns.
    """

    def __init__(
        self, steps: Sequence[nn.Module], decision: nn.Module, sets: Sequence[nn.Module] = ()
    ) -> None:
        super().__init__()
        self.steps = nn.Sequential(*steps)
        self.decision = decision
        self.sets = nn.ModuleList(sets)
        self.outputs = ("probabilities", "decision", *("set" for _ in sets))

    @classmethod
    def of(cls, point: OperatingPoint) -> Self:
        """Return an operating point as a tensor program."""
        return cls(
            [_STEPS[type(step)](step) for step in point.steps],
            _DECISIONS[type(point.decision)](point.decision, len(point.class_names)),
            [] if point.set_rule is None else [_Sets(point.set_rule.thresholds)],
        )

    @classmethod
    def of_labels(cls) -> Self:
        """Return the rule of several labels per image: each is decided by itself, yes from probability 0.5 on."""
        return cls([], _EachLabel())

    def forward(self, probabilities: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities ``(N, C)``, class ids ``(N,)`` or labels ``(N, C)``, and sets ``(N, C)`` if any."""
        adapted = self.steps(probabilities)
        return (adapted, self.decision(adapted), *(rule(adapted) for rule in self.sets))
