"""Learning-rate schedules: pure functions from the epoch (from 0) to a factor of the learning rate."""

import math
from collections.abc import Callable, Sequence


def warmup(epoch: int, warmup_epochs: int) -> float:
    """Linear warm-up: 1/w, 2/w, …, 1 over w epochs.

    Example:
        >>> [warmup(epoch, 4) for epoch in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return min(1.0, (epoch + 1) / warmup_epochs) if warmup_epochs else 1.0


def constant(epoch: int, *, epochs: int, warmup_epochs: int) -> float:
    """Warm up, then stay at 1."""
    return warmup(epoch, warmup_epochs)


#: By variant, how many epochs the curve is ahead.
_COSINE_OFFSETS = {"paper": 0, "official": 2}


def cosine(epoch: int, *, epochs: int, warmup_epochs: int, variant: str = "paper") -> float:
    """Warm up, then fall from 1 towards 0 along half a cosine over the epochs that are left.

    The code of DBM and its baselines (``variant="official"``) is two epochs ahead, so that the rate rises a little in
    the last epoch.

    Example:
        >>> [round(cosine(epoch, epochs=4, warmup_epochs=0), 3) for epoch in range(4)]
        [1.0, 0.854, 0.5, 0.146]
        >>> [round(cosine(epoch, epochs=4, warmup_epochs=0, variant="official"), 3) for epoch in range(4)]
        [0.5, 0.146, 0.0, 0.146]
    """
    if epoch < warmup_epochs:
        return warmup(epoch, warmup_epochs)
    # PyTorch also asks for the factor of the epoch after the last.
    ahead = epoch - warmup_epochs + _COSINE_OFFSETS[variant]
    return 0.5 * (1.0 + math.cos(math.pi * ahead / max(epochs - warmup_epochs, 1)))


def step(epoch: int, *, epochs: int, warmup_epochs: int, milestones: Sequence[int], factor: float) -> float:
    """Warm up, then multiply by ``factor`` at each milestone.

    Example:
        >>> [round(step(epoch, epochs=4, warmup_epochs=0, milestones=(2, 3), factor=0.1), 3) for epoch in range(4)]
        [1.0, 1.0, 0.1, 0.01]
    """
    return warmup(epoch, warmup_epochs) * float(factor ** sum(epoch >= milestone for milestone in milestones))


#: Every schedule by name; all take ``(epoch, *, epochs, warmup_epochs, …)``.
SCHEDULES: dict[str, Callable[..., float]] = {"constant": constant, "cosine": cosine, "step": step}
