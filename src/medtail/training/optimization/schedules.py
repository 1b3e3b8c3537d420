"""Learning-rate schedules: pure functions from the place in training (from 0) to a factor of the learning rate.

A place is an epoch or, where an epoch has several ``steps``, a step: an epoch of 10 steps goes over 10 places.
"""

import math
from collections.abc import Callable, Sequence


def warmup(place: int, warmup_epochs: int, steps: int = 1) -> float:
    """Linear warm-up: 1/w, 2/w, …, 1 over the w places of the first epochs.

    Example:
        >>> [warmup(epoch, 4) for epoch in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
        >>> [warmup(step, 2, steps=2) for step in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return min(1.0, (place + 1) / (warmup_epochs * steps)) if warmup_epochs else 1.0


def constant(place: int, *, epochs: int, warmup_epochs: int, steps: int = 1) -> float:
    """Warm up, then stay at 1."""
    return warmup(place, warmup_epochs, steps)


#: By variant, how many epochs the curve is ahead.
_COSINE_OFFSETS = {"paper": 0, "official": 2}


def cosine(place: int, *, epochs: int, warmup_epochs: int, steps: int = 1, variant: str = "paper") -> float:
    """Warm up, then fall from 1 towards 0 along half a cosine over the epochs that are left.

    The code of DBM and its baselines (``variant="official"``) is two epochs ahead, so that the rate rises a little in
    the last epoch.

    Example:
        >>> [round(cosine(epoch, epochs=4, warmup_epochs=0), 3) for epoch in range(4)]
        [1.0, 0.854, 0.5, 0.146]
        >>> [round(cosine(epoch, epochs=4, warmup_epochs=0, variant="official"), 3) for epoch in range(4)]
        [0.5, 0.146, 0.0, 0.146]
    """
    if place < warmup_epochs * steps:
        return warmup(place, warmup_epochs, steps)
    # PyTorch also asks for the factor of the place after the last.
    ahead = place - (warmup_epochs - _COSINE_OFFSETS[variant]) * steps
    return 0.5 * (1.0 + math.cos(math.pi * ahead / (max(epochs - warmup_epochs, 1) * steps)))


def step(
    place: int,
    *,
    epochs: int,
    warmup_epochs: int,
    milestones: Sequence[int],
    factor: float,
    steps: int = 1,
) -> float:
    """Warm up, then multiply by ``factor`` at each milestone.

    Example:
        >>> [round(step(epoch, epochs=4, warmup_epochs=0, milestones=(2, 3), factor=0.1), 3) for epoch in range(4)]
        [1.0, 1.0, 0.1, 0.01]
    """
    passed = sum(place >= milestone * steps for milestone in milestones)
    return warmup(place, warmup_epochs, steps) * float(factor**passed)


#: Every schedule by name; all take ``(place, *, epochs, warmup_epochs, steps, …)``.
SCHEDULES: dict[str, Callable[..., float]] = {"constant": constant, "cosine": cosine, "step": step}
