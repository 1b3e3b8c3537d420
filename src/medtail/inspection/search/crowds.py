"""Pictures that all look the same: so many pairs that only enough of them are compared to connect the pictures."""

from typing import final

import numpy as np

from medtail.inspection.search.forest import Forest

#: Pictures that each picture is compared with, if it looks the same as more.
MOST_PARTNERS = 32


@final
class Crowds:
    """Which of N pictures are connected by pairs that look the same, and by how many.

    A thousand frames of one black film would be half a million pairs. A pair is left out if both have
    :data:`MOST_PARTNERS` partners already and are connected; the same pictures are connected as by all pairs.
    """

    def __init__(self, count: int) -> None:
        self._partners, self._forest = np.zeros(count, dtype=np.int32), Forest(count)

    def open(self, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Whether pairs ``(n,)`` are worth comparing ``(n,)``."""
        worth: np.ndarray = np.minimum(self._partners[ones], self._partners[others]) < MOST_PARTNERS
        full = np.flatnonzero(~worth)
        worth[full] = self._forest.roots(ones[full]) != self._forest.roots(others[full])
        return worth

    def join(self, one: int, other: int) -> bool:
        """Connect two pictures that look the same, and return whether the pair is to be kept."""
        full = min(self._partners[one], self._partners[other]) >= MOST_PARTNERS
        self._partners[[one, other]] += 1
        return self._forest.join(one, other) or not full
