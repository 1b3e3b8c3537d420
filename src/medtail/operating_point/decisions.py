"""Rules that turn class probabilities into one class per image."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self, final

import numpy as np
from numpy.typing import ArrayLike

from medtail.errors import InputError
from medtail.operating_point.saved_values import Fields, by_class, listed


class Decision(ABC):
    """A rule from probabilities ``(N, C)`` to class ids ``(N,)``; abstract."""

    @abstractmethod
    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return class ids ``(N,)``; the lowest id wins a tie."""

    @abstractmethod
    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence that says what it does."""

    @abstractmethod
    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return what :meth:`read` needs, in plain values with class names."""

    @classmethod
    @abstractmethod
    def read(cls, fields: Fields) -> Self:
        """Build the rule that :meth:`settings` described.

        Raises:
            InputError: A value is missing or wrong.
        """


@final
class MostProbable(Decision):
    """argmax_c p_c: the fewest mistakes when every mistake costs the same."""

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the most probable class of each image."""
        return np.asarray(probabilities.argmax(axis=1))

    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence."""
        return "Choose the most probable class."

    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return nothing: there are no settings."""
        return {}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read nothing: there are no settings."""
        return cls()


@final
class MinimumCost(Decision):
    r"""The decision with the lowest expected cost, :math:`\arg\min_j\sum_c p_c K_{cj}`.

    Args:
        costs: K ``(C, C)``, finite and at least 0; rows are the truth, columns the decision.

    Raises:
        InputError: The matrix is not square, or an entry is negative or not finite.

    Example:
        >>> missed_melanoma = MinimumCost([[0, 1], [20, 0]])
        >>> missed_melanoma.decide(np.array([[0.96, 0.04], [0.94, 0.06]]))
        array([0, 1])
    """

    def __init__(self, costs: ArrayLike) -> None:
        self.costs = np.asarray(costs, dtype=np.float64)
        if self.costs.ndim != 2 or self.costs.shape[0] != self.costs.shape[1]:
            raise InputError(f"costs must be a square table, truth × decision, got shape {self.costs.shape}")
        if not (np.isfinite(self.costs) & (self.costs >= 0)).all():
            wrong = self.costs[~(np.isfinite(self.costs) & (self.costs >= 0))][0]
            raise InputError(
                f"costs must be finite numbers of at least 0, got {wrong:g}; a gain is a cost of 0"
            )

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the class with the lowest expected cost."""
        return np.asarray((probabilities @ self.costs).argmin(axis=1))

    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence."""
        return "Choose the class with the lowest expected cost."

    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the costs by truth and decision."""
        rows = zip(class_names, self.costs, strict=True)
        return {"costs": {truth: by_class(row, class_names) for truth, row in rows}}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read the costs."""
        return cls(fields.matrix("costs"))


@final
class ClassThreshold(Decision):
    """Class c if p_c is at least a threshold, otherwise the most probable other class.

    The recall of c therefore depends on the threshold alone.

    Args:
        class_id: c.
        threshold: Finite.

    Example:
        >>> ClassThreshold(1, 0.2).decide(np.array([[0.7, 0.2, 0.1], [0.5, 0.1, 0.4]]))
        array([1, 0])
    """

    def __init__(self, class_id: int, threshold: float) -> None:
        self.class_id = int(class_id)
        self.threshold = float(threshold)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the decisions."""
        others = np.array(probabilities, dtype=np.float64)
        others[:, self.class_id] = -1.0
        found = probabilities[:, self.class_id] >= self.threshold
        return np.where(found, self.class_id, others.argmax(axis=1))

    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence."""
        name = class_names[self.class_id]
        rest = "the other class" if len(class_names) == 2 else "the most probable other class"
        return f"Choose {name} if its probability is at least {self.threshold:.3g}, otherwise {rest}."

    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the class and its threshold."""
        return {"class": class_names[self.class_id], "threshold": self.threshold}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read the class and its threshold."""
        return cls(fields.class_id("class"), fields.number("threshold"))


@final
class ClassWeights(Decision):
    """argmax_c w_c p_c.

    Args:
        weights: w ``(C,)``, positive; only their ratios matter.

    Raises:
        InputError: A weight is not positive and finite.

    Example:
        >>> ClassWeights([1.0, 3.0]).decide(np.array([[0.7, 0.3], [0.8, 0.2]]))
        array([1, 0])
    """

    def __init__(self, weights: ArrayLike) -> None:
        self.weights = np.asarray(weights, dtype=np.float64)
        if self.weights.ndim != 1 or not (np.isfinite(self.weights) & (self.weights > 0)).all():
            raise InputError(f"weights must be one positive number per class, got {self.weights.tolist()}")

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the decisions."""
        return np.asarray((self.weights * probabilities).argmax(axis=1))

    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence."""
        weights = listed(self.weights, class_names)
        return f"Choose the class with the largest product of probability and weight ({weights})."

    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the weights by class."""
        return {"weights": by_class(self.weights, class_names)}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read the weights."""
        return cls(fields.per_class("weights"))
