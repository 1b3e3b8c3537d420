"""Numbers as JSON has them: what is undefined is null."""

import math


def defined(value: float) -> float | None:
    """Return the value, or None where it is no number."""
    return value if math.isfinite(value) else None


def defined_interval(interval: tuple[float, float]) -> list[float] | None:
    """Return both ends, or None where one is no number."""
    return list(interval) if all(map(math.isfinite, interval)) else None
