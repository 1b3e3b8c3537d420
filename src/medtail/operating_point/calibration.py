"""Calibration: maps fitted to validation by maximum likelihood, so that probabilities mean what they say.

Both problems are convex, so the fit does not depend on where it starts.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self, final

import numpy as np
from numpy.typing import ArrayLike

from medtail.checks import positive
from medtail.errors import InputError
from medtail.operating_point.probability_maps import ProbabilityMap, log_probabilities, normalised
from medtail.operating_point.saved_values import Fields, by_class, listed

#: The largest temperature, or inverse of a slope; its inverse is the smallest. Without a bound, a validation split
#: without a mistake would be most likely at temperature 0.
LARGEST_TEMPERATURE = 100.0


@final
class TemperatureScaling(ProbabilityMap):
    r"""One factor on all log-probabilities: :math:`p'_c \propto p_c^{1/T}` (Guo et al. 2017, eq. 9).

    T > 1 makes an overconfident model more modest. The order of the classes does not change.

    Args:
        temperature: T, positive.

    Raises:
        InputError: T is not a positive number.

    Example:
        >>> TemperatureScaling(2.0).apply(np.array([[0.8, 0.2]])).round(3)
        array([[0.667, 0.333]])
    """

    def __init__(self, temperature: float) -> None:
        self.temperature = positive("temperature", temperature)

    def log_scores(self, logs: np.ndarray) -> np.ndarray:
        """Return the divided logarithms ``(N, C)``."""
        return logs / self.temperature

    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence."""
        return f"Calibrate: divide the log-probabilities by the temperature {self.temperature:.3g}."

    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return T."""
        return {"temperature": self.temperature}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read T."""
        return cls(fields.number("temperature"))

    @classmethod
    def fit(cls, targets: np.ndarray, probabilities: np.ndarray) -> Self:
        r"""Return the T with the lowest mean -log p' of the true class.

        Args:
            targets: Class ids ``(N,)``.
            probabilities: ``(N, C)``.

        The problem is convex in 1/T, which is kept in [0.01, 100].
        """
        logs = log_probabilities(probabilities)
        true = np.arange(len(targets)), np.asarray(targets)

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            fitted = normalised(parameters[0] * logs)
            slope = (fitted * logs).sum(axis=1) - logs[true]
            return float(-log_probabilities(fitted[true]).mean()), np.array([slope.mean()])

        bounds = [(1 / LARGEST_TEMPERATURE, LARGEST_TEMPERATURE)]
        return cls(float(1 / _minimum(loss, np.ones(1), bounds)[0]))


@final
class VectorScaling(ProbabilityMap):
    r"""A slope and an offset for each class: :math:`p'_c \propto \exp(a_c\log p_c + b_c)` (Guo et al. 2017, §4.2).

    It acts on log-probabilities, which Guo et al. do not distinguish from logits.

    Args:
        slopes: a ``(C,)``, positive.
        offsets: b ``(C,)``.

    Raises:
        InputError: The lengths differ, a number is not finite, or a slope is not positive.

    Example:
        >>> VectorScaling([1.0, 1.0], [0.0, np.log(4)]).apply(np.array([[0.8, 0.2]])).round(3)
        array([[0.5, 0.5]])
    """

    def __init__(self, slopes: ArrayLike, offsets: ArrayLike) -> None:
        self.slopes = np.asarray(slopes, dtype=np.float64)
        self.offsets = np.asarray(offsets, dtype=np.float64)
        if self.slopes.ndim != 1 or self.slopes.shape != self.offsets.shape:
            raise InputError(
                f"slopes and offsets must each be one number per class, got shapes {self.slopes.shape} and "
                f"{self.offsets.shape}"
            )
        if not (np.isfinite(self.slopes) & (self.slopes > 0) & np.isfinite(self.offsets)).all():
            raise InputError(
                f"slopes must be positive and offsets finite, got {self.slopes.tolist()} and {self.offsets.tolist()}"
            )

    def log_scores(self, logs: np.ndarray) -> np.ndarray:
        """Return a·log p + b ``(N, C)``."""
        scaled: np.ndarray = self.slopes * logs + self.offsets
        return scaled

    def words(self, class_names: Sequence[str]) -> str:
        """Return a sentence."""
        slopes, offsets = listed(self.slopes, class_names), listed(self.offsets, class_names)
        return f"Calibrate: multiply the log-probabilities by slopes ({slopes}) and add offsets ({offsets})."

    def settings(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return slopes and offsets by class."""
        return {"slopes": by_class(self.slopes, class_names), "offsets": by_class(self.offsets, class_names)}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read slopes and offsets."""
        return cls(fields.per_class("slopes"), fields.per_class("offsets"))

    @classmethod
    def fit(cls, targets: np.ndarray, probabilities: np.ndarray, *, ridge: float = 1.0) -> Self:
        r"""Return the slopes and offsets with the lowest penalised negative log-likelihood.

        .. math:: \min_{a, b}\ -\sum_i \log p'_{i, y_i} + \tfrac12\rho\sum_c (a_c - 1)^2 + b_c^2

        Args:
            targets: Class ids ``(N,)``.
            probabilities: ``(N, C)``.
            ridge: ρ. It keeps classes with a handful of cases near "no change" and hardly matters with hundreds.

        Slopes are kept in [0.01, 100].
        """
        logs = log_probabilities(probabilities)
        size, classes = logs.shape
        true = np.arange(size), np.asarray(targets)
        indicators = np.zeros_like(logs)
        indicators[true] = 1.0
        identity = np.concatenate([np.ones(classes), np.zeros(classes)])

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            fitted = normalised(parameters[:classes] * logs + parameters[classes:])
            errors = fitted - indicators
            change = parameters - identity
            gradient = np.concatenate([(errors * logs).sum(axis=0), errors.sum(axis=0)]) + ridge * change
            value = -log_probabilities(fitted[true]).sum() + ridge / 2 * (change**2).sum()
            return float(value / size), gradient / size

        bounds = [(1 / LARGEST_TEMPERATURE, LARGEST_TEMPERATURE)] * classes + [(None, None)] * classes
        best = _minimum(loss, identity, bounds)
        return cls(best[:classes], best[classes:])


def _minimum(
    loss: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    bounds: Sequence[tuple[float | None, float | None]],
) -> np.ndarray:
    """The minimum of a smooth convex function that returns its value and gradient."""
    from scipy.optimize import minimize

    result = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 5000, "maxfun": 20000, "ftol": 1e-13, "gtol": 1e-9},
    )
    return np.asarray(result.x)


#: Calibrations by the names that a request takes.
CALIBRATIONS: dict[str, type[TemperatureScaling] | type[VectorScaling]] = {
    "temperature": TemperatureScaling,
    "vector": VectorScaling,
}
