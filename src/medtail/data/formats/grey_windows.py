"""How grey values of more than 8 bits become 0 to 255."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np


def scale_whole_range(values: np.ndarray, bits: int) -> np.ndarray:
    """Convert unsigned numbers of this many bits to uint8; the largest possible one becomes 255."""
    largest = 2**bits - 1
    scaled: np.ndarray = (values.astype(np.uint64) * 255 + largest // 2) // largest
    return scaled.astype(np.uint8)


class GreyWindow(ABC):
    """The range of the 16-bit grey values of a picture that becomes 0 to 255."""

    @abstractmethod
    def apply(self, values: np.ndarray) -> np.ndarray:
        """Convert values from 0 to 65535, of any shape, to uint8 of the same shape."""


@final
@dataclass(frozen=True)
class WholeRange(GreyWindow):
    """65535 becomes 255, whatever values occur.

    Example:
        >>> WholeRange().apply(np.array([0, 4095, 65535])).tolist()
        [0, 16, 255]
    """

    def apply(self, values: np.ndarray) -> np.ndarray:
        return scale_whole_range(values, 16)


@final
@dataclass(frozen=True)
class GivenRange(GreyWindow):
    """``low`` becomes 0 and ``high`` 255; what lies beyond is clipped.

    Example:
        >>> GivenRange(0, 4095).apply(np.array([0, 4095, 65535])).tolist()
        [0, 255, 255]
    """

    low: int
    high: int

    def apply(self, values: np.ndarray) -> np.ndarray:
        scaled = (values.astype(np.float64).clip(self.low, self.high) - self.low) * (
            255 / (self.high - self.low)
        )
        rounded: np.ndarray = np.rint(scaled).astype(np.uint8)
        return rounded


@final
@dataclass(frozen=True)
class OwnRange(GreyWindow):
    """The smallest value of a picture becomes 0, its largest 255; a picture of one value becomes zeros."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        if not values.size or values.min() == values.max():
            return np.zeros(values.shape, dtype=np.uint8)
        return GivenRange(int(values.min()), int(values.max())).apply(values)


def grey_window(setting: Sequence[int] | Literal["auto"] | None) -> GreyWindow:
    """The window that ``data.window`` asks for: of two grey values, of each picture's own range, or none.

    Example:
        >>> grey_window([0, 4095])
        GivenRange(low=0, high=4095)
    """
    if setting is None:
        return WholeRange()
    return OwnRange() if setting == "auto" else GivenRange(*setting)
