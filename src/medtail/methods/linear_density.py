"""The density from which a hyper-parameter of a loss is drawn: a straight line over an interval."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike

from medtail import checks
from medtail.errors import InputError

#: A height written with six digits may exceed the largest legal one by its rounding.
_ROUNDING = 1e-6


@final
@dataclass(frozen=True)
class LinearDensity:
    r"""L(a, b, h_b): a probability density that is linear on [a, b] and has the height h_b at b.

    .. math:: f(x) = h_a + (h_b - h_a)\frac{x - a}{b - a},\qquad h_a = \frac{2}{b - a} - h_b

    The height at a follows from the unit area, so only 0 ≤ h_b ≤ 2 / (b - a) is legal; h_b = 1 / (b - a) is the
    uniform density, and either end of the range is a triangle. (The paper's own L(1, 3, 2) is not legal: its range
    is [0, 1].)

    Args:
        low: a.
        high: b, above a. A parameter that does not vary belongs in the settings of the loss.
        height_at_high: h_b. The paper's Table 2 has L(0, 0.3, 3.3), L(0, 0.2, 5) and others for γ, L(0, 3, 0.33),
            L(1, 4, 0) and others for τ.

    Raises:
        InputError: A value is not a finite number, ``high`` is not above ``low``, or the height is not legal; the
            message names the legal range.

    Example:
        >>> density = LinearDensity(0, 3, 0)
        >>> density.height_at_low, density.mean
        (0.6666666666666666, 1.0)
        >>> density.inverse_cdf([0.0, 0.75, 1.0])
        array([0. , 1.5, 3. ])

    Source: LCT §4.3 and Appendix D.
    """

    low: float
    high: float
    height_at_high: float

    def __post_init__(self) -> None:
        for name in ("low", "high", "height_at_high"):
            object.__setattr__(self, name, checks.number(name, getattr(self, name)))
        if self.high <= self.low:
            raise InputError(
                f"high must be above low, got {self}; give an interval, or set the parameter in the loss"
            )
        largest = 2 / self._width
        if not 0 <= self.height_at_high <= largest * (1 + _ROUNDING):
            raise InputError(
                f"height_at_high must be in [0, {largest:.6g}], which is [0, 2 / (high - low)], got {self}; "
                f"a line through a greater height has negative values, and a lower height is negative itself"
            )
        object.__setattr__(self, "height_at_high", min(self.height_at_high, largest))

    def __str__(self) -> str:
        return f"L({self.low:g}, {self.high:g}, {self.height_at_high:g})"

    @property
    def _width(self) -> float:
        return self.high - self.low

    @property
    def height_at_low(self) -> float:
        """h_a = 2 / (b - a) - h_b."""
        return 2 / self._width - self.height_at_high

    @property
    def mean(self) -> float:
        """The expected value, a + (b - a)² (h_a + 2 h_b) / 6."""
        return self.low + self._width**2 * (self.height_at_low + 2 * self.height_at_high) / 6

    def pdf(self, values: ArrayLike) -> np.ndarray:
        """Return the density at ``values``; 0 outside the interval."""
        values = np.asarray(values, dtype=np.float64)
        share = (values - self.low) / self._width
        heights = self.height_at_low + (self.height_at_high - self.height_at_low) * share
        return np.where((share >= 0) & (share <= 1), heights, 0.0)

    def cdf(self, values: ArrayLike) -> np.ndarray:
        """Return the probability of at most ``values``."""
        distance = np.clip(np.asarray(values, dtype=np.float64) - self.low, 0.0, self._width)
        slope = (self.height_at_high - self.height_at_low) / self._width
        return np.asarray(distance * (self.height_at_low + slope * distance / 2))

    def inverse_cdf(self, probabilities: ArrayLike) -> np.ndarray:
        r"""Return the values below which the given shares of all draws lie.

        .. math:: F^{-1}(p) = a + \frac{2p}{h_a + \sqrt{(1 - p) h_a^2 + p\,h_b^2}}

        The root is the density there. This form of the quadratic's solution loses no digits, and needs no special
        case for the uniform density.

        Args:
            probabilities: p in [0, 1], of any shape.

        Raises:
            InputError: A p lies outside [0, 1].
        """
        shares = np.asarray(probabilities, dtype=np.float64)
        if not ((shares >= 0) & (shares <= 1)).all():
            raise InputError(
                f"probabilities must lie in [0, 1], got {probabilities!r}; pass shares of all draws"
            )
        height = np.sqrt((1 - shares) * self.height_at_low**2 + shares * self.height_at_high**2)
        total = self.height_at_low + height
        # Both heights are 0 only at p = 0 of a triangle that starts there.
        distance = np.divide(2 * shares, total, out=np.zeros_like(total), where=total > 0)
        return np.clip(self.low + distance, self.low, self.high)

    def sample(self, generator: torch.Generator) -> float:
        """Draw one value, by the inverse of a uniform draw of the generator (on the CPU).

        Example:
            >>> LinearDensity(1, 2, 1).sample(torch.Generator().manual_seed(0))
            1.9700530018065532
        """
        uniform = torch.rand((), dtype=torch.float64, generator=generator)
        return float(self.inverse_cdf(uniform.item()))
