"""All pairs of points closer than a radius, exactly, by matrix products between points and boxes of points.

Thumbnails whose correlation is ρ, as vectors of mean 0 and norm 1, are √(2 - 2ρ) apart, and their projections are
closer still. A few directions in which the vectors differ most, and the length of what these leave, therefore suffice
to pass over nearly all pairs, but none that is close. The points are sorted into boxes, and only points near a box are
compared with those in it: one matrix product for thousands of points, at less than a nanosecond per pair.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np

#: Directions that are kept. More cost more than the pairs that they exclude.
_DIRECTIONS = 16

#: The strongest directions, along which points are sorted into boxes and their distances from a box are taken.
_SORTED = 6

#: Points in a box, the most points that are compared with it at a time, and the fewest blocks of these.
_BOX, _ROWS, _BLOCKS = 128, 8192, 8

#: Pairs that are gathered before they are yielded.
_PAIRS = 65_536

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
    coordinates along the directions in which the sets are strongest together, strongest first, and the length of what
    remains, so that they have norm 1 as well, apart from those of blank pictures, which are zero.

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
    """Yield all pairs whose vectors may have at least this correlation, some at a time.

    Args:
        ones: Points ``(N, K)`` of :func:`projected`.
        others: Points ``(M, K)``.
        correlation: Of the vectors of norm 1.
    """
    boxes, order = _Boxes.of(others), np.concatenate(_parts(ones))
    step = _block(len(ones))
    for start in range(0, len(ones), step):
        rows = order[start : start + step]
        for own, other in boxes.close_to(ones[rows], correlation):
            yield ClosePairs(rows[own], boxes.order[other], start)
        yield ClosePairs(rows[:0], rows[:0], start + len(rows))


def close_pairs_within(points: np.ndarray, correlation: float) -> Iterator[ClosePairs]:
    """The same among the points ``(N, K)``: each pair once, in either order, and no point with itself."""
    boxes = _Boxes.of(points)
    step = max(1, _block(len(points)) // _BOX)
    for first in range(0, len(boxes.points), step):
        start, end = boxes.starts[first], boxes.starts[min(first + step, len(boxes.points))]
        rows = boxes.order[start:end]
        for own, other in boxes.close_to(points[rows], correlation, first):
            once = start + own < other
            yield ClosePairs(rows[own[once]], boxes.order[other[once]], int(start))
        yield ClosePairs(rows[:0], rows[:0], int(end))


def _block(count: int) -> int:
    """Points that are compared with a box at a time."""
    return max(1, min(_ROWS, count // _BLOCKS))


@final
@dataclass(frozen=True)
class _Boxes:
    """Points in boxes.

    Attributes:
        order: Positions of the points ``(N,)``, box by box.
        starts: Places in ``order`` where each box starts, and N.
        low: Lowest corner of each box ``(boxes, directions, 1)``, along the strongest directions.
        high: Highest corner of each box ``(boxes, directions, 1)``.
        points: The points of each box ``(K, n)``.
    """

    order: np.ndarray
    starts: np.ndarray
    low: np.ndarray
    high: np.ndarray
    points: list[np.ndarray]

    @classmethod
    def of(cls, points: np.ndarray) -> "_Boxes":
        parts = _parts(points)
        corners = [points[part, :_SORTED, None] for part in parts]
        return cls(
            np.concatenate(parts),
            np.cumsum([0, *map(len, parts)]),
            np.stack([corner.min(axis=0) for corner in corners]),
            np.stack([corner.max(axis=0) for corner in corners]),
            [np.ascontiguousarray(points[part].T) for part in parts],
        )

    def close_to(
        self, points: np.ndarray, correlation: float, first: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield positions in ``points``, and places in ``order`` from the first box on, of pairs that are close."""
        square = 2 * (1 - correlation) + _ROUNDING
        along = np.ascontiguousarray(points[:, :_SORTED].T)
        owns, others, gathered = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)], 0
        for box in range(first, len(self.points)):
            outside = along - np.clip(along, self.low[box], self.high[box])
            outside *= outside
            (near,) = (outside.sum(axis=0) <= square).nonzero()
            # Points have norm 1, so that the square of a distance is 2 less twice their product.
            (close,) = (points.take(near, axis=0) @ self.points[box] >= 1 - square / 2).ravel().nonzero()
            if not len(close):
                continue
            own, other = np.divmod(close, self.points[box].shape[1])
            owns.append(near[own])
            others.append(self.starts[box] + other)
            gathered += len(close)
            if gathered >= _PAIRS:
                yield np.concatenate(owns), np.concatenate(others)
                owns, others, gathered = [], [], 0
        if owns:
            yield np.concatenate(owns), np.concatenate(others)


def _parts(points: np.ndarray) -> list[np.ndarray]:
    """Positions of points that are near each other, halved along the direction in which they vary most."""
    sorted_by, parts, whole = points[:, :_SORTED], [], [np.arange(len(points))]
    while whole:
        part = whole.pop()
        if len(part) <= _BOX:
            parts.append(part)
            continue
        along = sorted_by[part, sorted_by[part].var(axis=0).argmax()]
        order = np.argpartition(along, len(part) // 2)
        whole += np.array_split(part[order], 2)
    return parts
