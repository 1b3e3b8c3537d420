"""Which of many things are connected by pairs."""

from typing import final

import numpy as np


@final
class Forest:
    """Which of N things are connected by the pairs joined so far (union-find).

    Args:
        count: N.

    Example:
        >>> forest = Forest(3)
        >>> forest.join(0, 1), forest.join(1, 0), forest.join(1, 2)
        (True, False, True)
    """

    def __init__(self, count: int) -> None:
        self._parents = np.arange(count)

    def join(self, one: int, other: int) -> bool:
        """Connect two things, and return whether they were not connected before."""
        first, second = self._root(one), self._root(other)
        self._parents[first] = second
        return first != second

    def roots(self, places: np.ndarray) -> np.ndarray:
        """Return the same number ``(n,)`` for things ``(n,)`` that are connected."""
        roots: np.ndarray = self._parents[places]
        while (roots != (above := self._parents[roots])).any():
            roots = above
        return roots

    def _root(self, place: int) -> int:
        while (parent := int(self._parents[place])) != place:
            self._parents[place] = self._parents[parent]
            place = parent
        return place
