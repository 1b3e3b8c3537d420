"""Numbers as JSON has them: undefined ones are null."""

import math


def defined(value: float) -> float | None:
    """Return the value, or None where it is undefined."""
    return value if math.isfinite(value) else None


def defined_interval(interval: tuple[float, float]) -> list[float] | None:
    """Return both ends, or None where one is undefined."""
    return list(interval) if all(map(math.isfinite, interval)) else None
