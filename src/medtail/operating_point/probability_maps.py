"""What happens to probabilities before a decision is made from them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self, final

import numpy as np

from medtail.operating_point.saved_values import Fields

#: Probabilities are raised to at least this before a logarithm: float32 holds none that are much smaller.
SMALLEST = 1e-38


class ProbabilityMap(ABC):
    """A map from class probabilities ``(N, C)`` to others, row by row; abstract."""

    @abstractmethod
    def log_scores(self, logs: np.ndarray) -> np.ndarray:
        """Return the logarithms of what the map makes of exp(logs) ``(N, C)``, not normalised."""

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return probabilities ``(N, C)`` in float64, rows summing to 1."""
        return normalised(self.log_scores(log_probabilities(probabilities)))

    @final
    def apply_to_logs(self, logs: np.ndarray) -> np.ndarray:
        """Return the logarithms of :meth:`apply` ``(N, C)``, from those of probabilities."""
        scores = self.log_scores(np.maximum(logs, np.log(SMALLEST)))
        highest = scores.max(axis=1, keepdims=True)
        rows: np.ndarray = scores - highest - np.log(np.exp(scores - highest).sum(axis=1, keepdims=True))
        return rows

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
