"""From probabilities at one prior of the classes to those at another."""

from collections.abc import Sequence
from typing import Any, Self, final

import numpy as np
from numpy.typing import ArrayLike

from medtail.errors import InputError
from medtail.operating_point.probability_maps import SMALLEST, ProbabilityMap
from medtail.operating_point.saved_values import Fields, by_class, listed

#: How far a prior may be from summing to 1.
PRIOR_TOLERANCE = 1e-6


@final
class PriorShift(ProbabilityMap):
    r"""Bayes' rule for another prior, where the classes themselves look the same.

    .. math:: p'_c = \frac{p_c\,\pi^\text{target}_c / \pi^\text{source}_c}
                          {\sum_j p_j\,\pi^\text{target}_j / \pi^\text{source}_j}

    (Saerens et al. 2002, eq. 4). It is exact when the images of a class are alike in both places and only the shares of
    the classes differ.

    Args:
        source: ``(C,)``, the prior that the probabilities stand for; positive, summing to 1.
        target: ``(C,)``, the prior where the model is used; likewise.

    Raises:
        InputError: A prior has the wrong length, is not positive, or does not sum to 1.

    Example:
        >>> PriorShift([0.9, 0.1], [0.5, 0.5]).apply(np.array([[0.9, 0.1], [0.5, 0.5]])).round(3)
        array([[0.5, 0.5],
               [0.1, 0.9]])
    """

    def __init__(self, source: ArrayLike, target: ArrayLike) -> None:
        self.source = checked_prior("source", source)
        self.target = checked_prior("target", target, len(self.source))

    def log_scores(self, logs: np.ndarray) -> np.ndarray:
        """Return the shifted logarithms ``(N, C)``."""
        shifted: np.ndarray = logs + np.log(self.target / self.source)
        return shifted

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return probabilities ``(N, C)`` in float64, rows summing to 1.

        Multiplied and added one class after the other, without logarithms: every program then gets the same digits.
        """
        raised = np.maximum(np.asarray(probabilities, dtype=np.float64), SMALLEST)
        joint = raised * (self.target / self.source)
        shifted: np.ndarray = joint / np.cumsum(joint, axis=1)[:, -1:]
        return shifted

    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence."""
        source, target = listed(self.source, class_names), listed(self.target, class_names)
        return f"Move the probabilities from the class shares {source} to {target}."

    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return both priors by class."""
        return {"source": by_class(self.source, class_names), "target": by_class(self.target, class_names)}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read both priors."""
        return cls(fields.per_class("source"), fields.per_class("target"))


def checked_prior(name: str, values: ArrayLike, num_classes: int | None = None) -> np.ndarray:
    """Return a prior as float64 ``(C,)``.

    Raises:
        InputError: It has the wrong length, an entry that is not positive, or a sum other than 1.

    Example:
        >>> checked_prior("prior", [0.2, 0.8])
        array([0.2, 0.8])
    """
    prior = np.asarray(values, dtype=np.float64)
    if prior.ndim != 1 or len(prior) != (len(prior) if num_classes is None else num_classes):
        raise InputError(f"{name} must be one number for each of {num_classes} classes, got {prior.size}")
    if not (np.isfinite(prior) & (prior > 0)).all():
        wrong = prior[~(np.isfinite(prior) & (prior > 0))][0]
        raise InputError(
            f"{name} must be positive for every class, got {wrong:g}; give a class that hardly ever occurs a small "
            f"share, such as 0.001"
        )
    if abs(prior.sum() - 1) > PRIOR_TOLERANCE:
        shares = ",".join(f"{value:.6g}" for value in prior / prior.sum())
        raise InputError(
            f"{name} must sum to 1, sums to {prior.sum():.6g}; divided by its sum it is {shares}"
        )
    return prior
