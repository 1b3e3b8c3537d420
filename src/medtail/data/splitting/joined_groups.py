"""Groups that are drawn as one because their images show the same."""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def joined(keys: Sequence[str] | np.ndarray, sets: Iterable[Sequence[int]]) -> np.ndarray:
    """Keys ``(N,)`` in which those of the rows of each set have become one, the first in the alphabet.

    Args:
        keys: Group of each row.
        sets: Rows that belong together.

    Example:
        >>> joined(["p1", "p2", "p2", "p3", "p4"], [(0, 1), (2, 3)]).tolist()
        ['p1', 'p1', 'p1', 'p1', 'p4']
    """
    names, numbers = np.unique(np.asarray(keys, dtype=str), return_inverse=True)
    edges = [(numbers[rows[0]], numbers[row]) for rows in sets for row in rows[1:]]
    if not edges:
        return names[numbers]
    ones, others = np.array(edges).T
    graph = coo_array((np.ones(len(edges)), (ones, others)), shape=(len(names), len(names)))
    _, parts = connected_components(graph, directed=False)
    # Names are sorted, so the first of each part is the first in the alphabet.
    _, first = np.unique(parts, return_index=True)
    return names[first[parts]][numbers]
