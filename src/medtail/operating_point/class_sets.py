"""Sets of classes that contain the true class as often as promised, for each class."""

from collections.abc import Sequence
from typing import Any, Self, final

import numpy as np
from numpy.typing import ArrayLike

from medtail.errors import InputError
from medtail.operating_point.promises import ExpectedShare
from medtail.operating_point.saved_values import Fields, by_class, listed


@final
class ClassConditionalSets:
    r"""Mondrian split conformal sets: class c is in the set of an image where p_c is at least t_c.

    .. math:: P(y \in S(x) \mid y = c) \ge \text{coverage}\quad\text{for every class } c

    t_c is the ⌊(n_c + 1)(1 - coverage)⌋-th smallest p_c of the n_c validation images of class c; in terms of the
    score 1 - p_y, its ⌈(n_c + 1) coverage⌉-th smallest (Vovk et al. 2005; Sadinle et al. 2019). Ordinary conformal
    sets promise an average over classes, at the expense of rare ones. A set may be empty: the image then resembles no
    class.

    Args:
        thresholds: t ``(C,)``; 0 puts a class into every set.
        coverage: The promised share, in (0, 1).

    Raises:
        InputError: A threshold is not in [0, 1], or the coverage is not in (0, 1).

    Example:
        >>> sets = ClassConditionalSets([0.4, 0.1, 0.0], coverage=0.9)
        >>> sets.contains(np.array([[0.7, 0.2, 0.1], [0.95, 0.04, 0.01]]))
        array([[ True,  True,  True],
               [ True, False,  True]])
    """

    def __init__(self, thresholds: ArrayLike, coverage: float) -> None:
        self.thresholds = np.asarray(thresholds, dtype=np.float64)
        if self.thresholds.ndim != 1 or not ((self.thresholds >= 0) & (self.thresholds <= 1)).all():
            raise InputError(
                f"thresholds must be one number in [0, 1] per class, got {self.thresholds.tolist()}"
            )
        self.coverage = ExpectedShare(coverage).share

    def contains(self, probabilities: np.ndarray) -> np.ndarray:
        """Return whether each class is in the set of each image ``(N, C)``."""
        return np.asarray(probabilities >= self.thresholds)

    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence."""
        thresholds = listed(self.thresholds, class_names)
        return (
            f"Put each class into the set if its probability is at least its threshold ({thresholds}), for a coverage "
            f"of {self.coverage:g}."
        )

    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return coverage and thresholds by class."""
        return {"coverage": self.coverage, "thresholds": by_class(self.thresholds, class_names)}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read coverage and thresholds."""
        return cls(fields.per_class("thresholds"), fields.number("coverage"))

    @classmethod
    def fit(cls, targets: np.ndarray, probabilities: np.ndarray, coverage: float) -> Self:
        """Take the thresholds from validation; that of a class with under coverage / (1 - coverage) cases is 0.

        Args:
            targets: Class ids ``(N,)``.
            probabilities: ``(N, C)``.
            coverage: The promised share, in (0, 1).
        """
        promise = ExpectedShare(coverage)
        scores = [probabilities[targets == index, index] for index in range(probabilities.shape[1])]
        return cls([promise.threshold(own) or 0.0 for own in scores], coverage)
