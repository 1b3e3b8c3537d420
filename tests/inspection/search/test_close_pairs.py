"""No pair of vectors that is close enough is passed over, and each is yielded once."""

import numpy as np
import pytest

from medtail.inspection.search import close_pairs as module
from medtail.inspection.search.close_pairs import close_pairs, close_pairs_within, projected


def units(generator: np.random.Generator, count: int, size: int = 80) -> np.ndarray:
    """Vectors of norm 1 near a few centres."""
    centres = generator.normal(size=(8, size))
    vectors = centres[generator.integers(8, size=count)] + 0.6 * generator.normal(size=(count, size))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("correlation", [0.6, 0.8, 0.95])
@pytest.mark.parametrize("box", [5, 64])
def test_all_pairs_are_among_those_yielded(monkeypatch, correlation, box) -> None:
    monkeypatch.setattr(module, "_BOX", box)
    generator = np.random.default_rng(0)
    vectors = units(generator, 700)
    ones, others = vectors[:300], vectors[300:]
    # Only the first 64 of 80 coordinates are known, as of a picture without its high frequencies.
    points = projected(ones[:, :64], others[:, :64])
    yielded = [
        pair
        for some in close_pairs(*points, correlation)
        for pair in zip(some.ones, some.others, strict=True)
    ]
    expected = np.argwhere(ones @ others.T >= correlation)
    assert len(set(yielded)) == len(yielded)
    assert {tuple(pair) for pair in expected.tolist()} <= set(yielded)
    assert len(yielded) < 0.5 * 300 * 400


@pytest.mark.parametrize("box", [5, 64, 1000])
def test_pairs_within_are_yielded_once_without_a_point_and_itself(monkeypatch, box) -> None:
    monkeypatch.setattr(module, "_BOX", box)
    vectors = units(np.random.default_rng(1), 300)
    (points,) = projected(vectors)
    found = list(close_pairs_within(points, 0.8))
    yielded = [frozenset(pair) for some in found for pair in zip(some.ones, some.others, strict=True)]
    expected = np.argwhere(np.triu(vectors @ vectors.T >= 0.8, 1))
    assert all(len(pair) == 2 for pair in yielded)
    assert len(set(yielded)) == len(yielded)
    assert {frozenset(pair) for pair in expected.tolist()} <= set(yielded)
    assert [some.done for some in found] == sorted(some.done for some in found)
    assert found[-1].done == 300


def test_points_are_no_further_apart_than_their_vectors() -> None:
    generator = np.random.default_rng(2)
    ones, others = units(generator, 40), units(generator, 50)
    first, second = projected(ones[:, :64], others[:, :64])
    apart = np.linalg.norm(first[:, None] - second, axis=-1)
    assert (apart <= np.linalg.norm(ones[:, None] - others, axis=-1) + 1e-3).all()
