"""Modulations: how a condition changes features before a head."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Literal, final

import torch
from torch import Tensor, nn

from medtail import checks


class Modulation(nn.Module, ABC):
    """A change of features by a condition, before a head, abstract."""

    @abstractmethod
    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Return the changed features ``(N, D)``.

        Args:
            features: ``(N, D)``.
            condition: ``(condition_size,)`` for all samples, or ``(N, condition_size)``.
        """


@final
class NoModulation(Modulation):
    """Leave the features unchanged, whatever the condition."""

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Return the features."""
        return features


def _start_as_identity(scale: nn.Linear, shift: nn.Linear) -> None:
    """Let σ = 1 and μ = 0 for every condition."""
    for layer in (scale, shift):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def _start_plain(scale: nn.Linear, shift: nn.Linear) -> None:
    """Keep PyTorch's own initialisation of σ and μ: the last bias of σ loses the 1 that FiLM adds."""
    with torch.no_grad():
        scale.bias.sub_(1)


_INITIALIZATIONS: dict[str, Callable[[nn.Linear, nn.Linear], None]] = {
    "identity": _start_as_identity,
    "plain": _start_plain,
}


@final
class FiLM(Modulation):
    r"""Feature-wise linear modulation: a scale and a shift of every feature, from a condition λ.

    .. math:: \tilde f = \sigma(\lambda) * f + \mu(\lambda)

    σ is 1 plus a network Linear(condition_size, hidden) → ReLU → Linear(hidden, num_features); μ is another network of
    the same form. They have 17,280 parameters for 64 features and two numbers in λ (the paper's 8,448 are one such
    network without biases). Neither the paper nor this class standardises the condition. Everything is computed in
    float32 or better whatever the autocast dtype, because bfloat16 would merge neighbouring conditions.

    Args:
        num_features: D; 64 for the CIFAR family.
        condition_size: The number of numbers in λ; 2 in the paper.
        hidden: The size of the hidden layers; 128 in the paper.
        initialization: ``"identity"`` starts with f̃ = f, so that pretrained features reach the head unchanged;
            ``"plain"`` gives σ and μ themselves PyTorch's own initialisation, so that σ starts near 0, as in the
            released code of a sibling project.

    Raises:
        InputError: A size is not a positive whole number, or the initialisation is unknown.

    Example:
        >>> film = FiLM(64, 2)
        >>> sum(parameter.numel() for parameter in film.parameters())
        17280
        >>> features = torch.randn(5, 64)
        >>> torch.equal(film(features, torch.tensor([0.1, 2.0])), features)
        True

    Source: Perez et al., 2018; LCT §4.2 and §5.1.
    """

    def __init__(
        self,
        num_features: int,
        condition_size: int,
        hidden: int = 128,
        *,
        initialization: Literal["identity", "plain"] = "identity",
    ) -> None:
        super().__init__()
        for name, size in [
            ("num_features", num_features),
            ("condition_size", condition_size),
            ("hidden", hidden),
        ]:
            checks.whole_number(name, size, low=1)
        checks.choice("initialization", initialization, _INITIALIZATIONS)
        scale_output, shift_output = nn.Linear(hidden, num_features), nn.Linear(hidden, num_features)
        self.scale = nn.Sequential(nn.Linear(condition_size, hidden), nn.ReLU(), scale_output)
        self.shift = nn.Sequential(nn.Linear(condition_size, hidden), nn.ReLU(), shift_output)
        _INITIALIZATIONS[initialization](scale_output, shift_output)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Return σ(λ) * f + μ(λ) ``(N, D)``."""
        with torch.autocast(features.device.type, enabled=False):
            condition = condition.to(next(self.scale.parameters()))
            features = features.to(torch.promote_types(features.dtype, torch.float32))
            return torch.addcmul(self.shift(condition), 1 + self.scale(condition), features)


#: Modulations by the name that settings use; each takes (num_features, condition_size).
MODULATIONS: dict[str, Callable[[int, int], Modulation]] = {
    "identity": FiLM,
    "plain": partial(FiLM, initialization="plain"),
    "none": lambda num_features, condition_size: NoModulation(),
}
