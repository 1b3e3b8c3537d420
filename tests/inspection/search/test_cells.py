"""Close vectors meet in a cell, and of few vectors each meets each."""

import pytest
import torch

from medtail.inspection.search import cells as module
from medtail.inspection.search.cells import Cells


def units(count: int, size: int, seed: int) -> torch.Tensor:
    vectors = torch.randn(count, size, generator=torch.Generator().manual_seed(seed))
    return vectors / vectors.norm(dim=1, keepdim=True)


def met(cells: Cells, ones: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """How often each pair is yielded."""
    times = torch.zeros(len(ones), len(others))
    for rows, entries, _ in cells.meetings(ones, others):
        times[rows[:, None], entries] += 1
    return times


def test_few_vectors_all_meet_once() -> None:
    vectors = units(16, 8, 0)
    assert (met(Cells.of(vectors), vectors, units(50, 8, 1)) == 1).all()


def test_vectors_meet_those_that_are_close_and_few_others() -> None:
    vectors = units(3000, 24, 0)
    close = -vectors + 0.05 * units(3000, 24, 1)
    times = met(Cells.of(vectors), vectors, close)
    assert times.max() == 1
    assert times.diagonal().mean() > 0.999
    assert times.mean() < 0.15


def test_equal_vectors_are_compared_in_small_blocks_and_counted(monkeypatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 64)
    monkeypatch.setattr(module, "_PAIRS", 2048)
    vectors = torch.cat([units(1, 8, 0).expand(500, 8), torch.zeros(5, 8)])
    cells = Cells.of(vectors)
    blocks = list(cells.meetings(vectors, vectors))
    assert max(len(rows) * len(entries) for rows, entries, _ in blocks) <= 2048
    assert [done for *_, done in blocks] == sorted(done for *_, done in blocks)
    assert blocks[-1][2] == len(cells.centres)
    assert (met(cells, vectors, vectors)[:500, :500] == 1).all()


@pytest.mark.parametrize("count", [1, 2, 300])
def test_the_same_vectors_have_the_same_cells(count) -> None:
    vectors = units(count, 8, 0)
    torch.testing.assert_close(Cells.of(vectors).centres, Cells.of(vectors).centres)
