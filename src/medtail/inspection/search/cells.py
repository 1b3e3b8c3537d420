"""Vectors sorted into cells, so that each is compared with those of a few cells in place of all.

Cells are around centres (k-means), and a vector counts like its negative. Among N vectors there are about 4 √N cells,
and a vector is compared with those of its 16 nearest cells, so that the work grows with N √N instead of N². A pair of
which one lies in none of the nearest cells of the other is passed over; of few vectors, all cells are near.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from typing import final

import torch
from torch import Tensor

#: Nearest cells of which a vector is compared with all vectors.
NEAREST = 16

#: Cells for each square root of the number of vectors, how often their centres are moved, and by how many vectors each.
_CELLS, _MOVES, _MOVED_BY = 4, 5, 32

#: Vectors that are sorted at a time, and pairs that are compared at a time.
_ROWS, _PAIRS = 4096, 2**21


@final
@dataclass(frozen=True)
class Cells:
    """Cells of vectors.

    Attributes:
        centres: float32 ``(cells, D)``, of norm 1.
    """

    centres: Tensor

    @classmethod
    def of(cls, vectors: Tensor) -> "Cells":
        """Place centres among vectors ``(N, D)`` of norm 1; the same vectors always have the same cells."""
        generator = torch.Generator().manual_seed(0)
        count = min(len(vectors), ceil(_CELLS * sqrt(len(vectors))))
        drawn = vectors[torch.randperm(len(vectors), generator=generator)[: _MOVED_BY * count]]
        cells = cls(drawn[:count].clone())
        for _ in range(_MOVES):
            sums = torch.zeros_like(cells.centres)
            for rows in torch.split(drawn, _ROWS):
                own = cells.own(rows)
                sides = (rows * cells.centres[own]).sum(dim=1, keepdim=True).sign()
                sums.index_add_(0, own, sides * rows)
            lengths = sums.norm(dim=1, keepdim=True)
            kept = lengths[:, 0] > 0
            # Equal vectors share a cell, so that they meet.
            if kept.any():
                cells = cls(sums[kept] / lengths[kept])
        return cells

    def own(self, vectors: Tensor) -> Tensor:
        """The nearest cell ``(N,)`` of each vector."""
        return torch.cat(
            [(rows.float() @ self.centres.T).abs_().argmax(dim=1) for rows in torch.split(vectors, _ROWS)]
        )

    def nearest(self, vectors: Tensor, count: int) -> Tensor:
        """The nearest cells ``(N, count)`` of vectors; fewer if there are fewer."""
        count = min(count, len(self.centres))
        return torch.cat(
            [
                (rows @ self.centres.T).abs_().topk(count, dim=1).indices
                for rows in torch.split(vectors, _ROWS)
            ]
        )

    def meetings(self, ones: Tensor, others: Tensor) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Yield positions ``(n,)`` in ones and ``(m,)`` in others that are to be compared, each with each.

        The third is the number of cells of which all were yielded, these included.

        Args:
            ones: ``(N, D)``; each is compared with those of its nearest cells.
            others: ``(M, D)``; each is in one cell.
        """
        probed = self.nearest(ones, NEAREST)
        visitors, members = self._by_cell(probed.flatten()), self._by_cell(self.own(others))
        for cell, (visits, inside) in enumerate(zip(visitors, members, strict=True)):
            rows = visits // probed.shape[1]
            for entries in torch.split(inside, _PAIRS // _ROWS):
                for some in torch.split(rows, _ROWS):
                    yield some, entries, cell
            yield rows[:0], rows[:0], cell + 1

    def _by_cell(self, cells: Tensor) -> tuple[Tensor, ...]:
        """Positions of each cell in ``cells``."""
        sizes = cells.bincount(minlength=len(self.centres)).tolist()
        return torch.split(cells.argsort(stable=True), sizes)
