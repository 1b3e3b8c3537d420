"""What happens to probabilities before a decision is made from them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from medtail.operating_point.saved_values import Fields

#: Probabilities are raised to at least this before a logarithm: float32 holds none that are much smaller.
SMALLEST = 1e-38


class ProbabilityMap(ABC):
    """A map from class probabilities ``(N, C)`` to others, row by row; abstract."""

    @abstractmethod
    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return probabilities ``(N, C)`` in float64, rows summing to 1."""

    @abstractmethod
    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence that says what it does."""

    @abstractmethod
    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return what :meth:`read` needs, in plain values with class names."""

    @classmethod
    @abstractmethod
    def read(cls, fields: Fields) -> Self:
        """Build the map that :meth:`settings` described.

        Raises:
            InputError: A value is missing or wrong.
        """


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return log p ``(N, C)``, with p raised to at least :data:`SMALLEST`."""
    return np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), SMALLEST))


def normalised(scores: np.ndarray) -> np.ndarray:
    """Return exp(scores) with rows divided by their sums, ``(N, C)``."""
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    rows: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return rows
