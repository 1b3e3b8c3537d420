"""All pairs of points closer than a radius, exactly, by matrix products between boxes of points.

Thumbnails whose correlation is ρ, as vectors of mean 0 and norm 1, are √(2 - 2ρ) apart, and their projections are
closer still. A few directions in which the vectors differ most, and the length of what these leave, therefore suffice
to pass over nearly all pairs, but none that is close. A tree does not pay: so many points are within the radius that it
visits most of its leaves, where a matrix product takes a nanosecond per pair.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np

#: Directions that are kept. More cost more than the pairs that they exclude.
_DIRECTIONS = 16

#: Points in a box, and those that a box is compared with at a time: their distances stay in the processor's cache.
_BOX, _COLUMNS = 256, 512

#: What rounding may add to the square of a distance between vectors of norm 1.
_ROUNDING = 1e-3


@final
@dataclass(frozen=True)
class ClosePairs:
    """Some of the pairs that are close.

    Attributes:
        ones: Positions of the first points ``(n,)``.
        others: Positions of the second points ``(n,)``.
        done: Number of first points whose pairs were all yielded, these included.
    """

    ones: np.ndarray
    others: np.ndarray
    done: int


def projected(*sets: np.ndarray) -> list[np.ndarray]:
    """Points ``(N, K + 1)``, float32, of each set of vectors.

    Two points are at most as far apart as the vectors of norm 1 of which theirs are the first coordinates: they are the
    coordinates along the directions in which the sets are strongest together, and the length of what remains.

    Args:
        sets: float32 ``(N, D)``. A vector of zeros belongs to a blank picture.
    """
    moments = np.sum([vectors.T @ vectors for vectors in sets], axis=0)
    directions = np.linalg.eigh(moments)[1][:, ::-1][:, :_DIRECTIONS]
    points = []
    for vectors in sets:
        along = vectors @ directions
        remaining = np.maximum(0.0, vectors.any(axis=1) - (along**2).sum(axis=1))
        points.append(np.column_stack([along, np.sqrt(remaining)]).astype(np.float32))
    return points


def close_pairs(ones: np.ndarray, others: np.ndarray, correlation: float) -> Iterator[ClosePairs]:
    """Yield all pairs whose vectors may have at least this correlation.

    Args:
        ones: Points ``(N, K)`` of :func:`projected`.
        others: Points ``(M, K)``.
        correlation: Of the vectors of norm 1.
    """
    boxes, done = _Boxes.of(others), 0
    for rows in _parts(ones):
        own, other = boxes.close_to(ones[rows], correlation)
        done += len(rows)
        yield ClosePairs(rows[own], boxes.order[other], done)


def close_pairs_within(points: np.ndarray, correlation: float) -> Iterator[ClosePairs]:
    """The same among the points ``(N, K)``: each pair once, in either order, and no point with itself."""
    boxes, done = _Boxes.of(points), 0
    for start, end in zip(boxes.starts[:-1], boxes.starts[1:], strict=True):
        rows = boxes.order[start:end]
        own, other = boxes.close_to(points[rows], correlation, start)
        once = start + own < other
        done += len(rows)
        yield ClosePairs(rows[own[once]], boxes.order[other[once]], done)


@final
@dataclass(frozen=True)
class _Boxes:
    """Points in boxes.

    Attributes:
        order: Positions of the points ``(N,)``, box by box.
        starts: Places in ``order`` where each box starts, and N.
        low: Lowest corner of each box ``(boxes, K)``.
        high: Highest corner of each box ``(boxes, K)``.
        lifted: The points ``(N, K + 2)`` in that order, as the second factor of :func:`_half_squares`.
    """

    order: np.ndarray
    starts: np.ndarray
    low: np.ndarray
    high: np.ndarray
    lifted: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray) -> "_Boxes":
        parts = _parts(points)
        order = np.concatenate(parts)
        return cls(
            order,
            np.cumsum([0, *map(len, parts)]),
            np.stack([points[part].min(axis=0) for part in parts]),
            np.stack([points[part].max(axis=0) for part in parts]),
            _lifted(points[order], first=False),
        )

    def close_to(
        self, points: np.ndarray, correlation: float, first: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions in ``points``, and places from ``first`` on in ``order``, of pairs that are close."""
        square = 2 * (1 - correlation) + _ROUNDING
        gaps = np.maximum(self.low - points.max(axis=0), points.min(axis=0) - self.high)
        near = (np.maximum(gaps, 0.0) ** 2).sum(axis=1) <= square
        places = np.flatnonzero(np.repeat(near, np.diff(self.starts)))
        places = places[np.searchsorted(places, first) :]
        lifted, found = _lifted(points, first=True), [np.empty((2, 0), dtype=np.int64)]
        for start in range(0, len(places), _COLUMNS):
            columns = places[start : start + _COLUMNS]
            close = np.flatnonzero(lifted @ self.lifted[columns].T >= -square / 2)
            own, other = np.divmod(close, len(columns))
            found.append(np.stack([own, columns[other]]))
        own, other = np.concatenate(found, axis=1)
        return own, other


def _lifted(points: np.ndarray, *, first: bool) -> np.ndarray:
    """Points ``(N, K + 2)`` such that the product of a first and a second one is -d² / 2, d being their distance."""
    halves, ones = -0.5 * (points**2).sum(axis=1), np.ones(len(points), dtype=points.dtype)
    return np.column_stack([points, halves, ones] if first else [points, ones, halves])


def _parts(points: np.ndarray) -> list[np.ndarray]:
    """Positions of points that are near each other, halved along the direction in which they vary most."""
    parts, whole = [], [np.arange(len(points))]
    while whole:
        part = whole.pop()
        if len(part) <= _BOX:
            parts.append(part)
            continue
        along = points[part, points[part].var(axis=0).argmax()]
        order = np.argpartition(along, len(part) // 2)
        whole += np.array_split(part[order], 2)
    return parts
