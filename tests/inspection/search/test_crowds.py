"""Pictures of a crowd stay connected by few pairs."""

from itertools import combinations

import numpy as np

from medtail.inspection.search.crowds import MOST_PARTNERS, Crowds


def test_few_pairs_are_all_kept() -> None:
    crowds = Crowds(MOST_PARTNERS + 1)
    pairs = np.array(list(combinations(range(MOST_PARTNERS + 1), 2)))
    for one, other in pairs.tolist():
        assert crowds.open(np.array([one]), np.array([other])).all()
        assert crowds.join(one, other)
    assert not crowds.open(*pairs.T).any()


def test_two_crowds_are_open_to_each_other_until_they_are_connected() -> None:
    size = 2 * MOST_PARTNERS
    crowds = Crowds(2 * size)
    kept = sum(
        crowds.join(start + one, start + other)
        for start in (0, size)
        for one, other in combinations(range(size), 2)
    )
    assert 2 * (size - 1) <= kept < 2 * size * MOST_PARTNERS
    ones, others = np.arange(size), np.arange(size, 2 * size)
    assert crowds.open(ones, others).all()
    assert not crowds.open(ones, ones[::-1])[ones != ones[::-1]].any()
    assert crowds.join(0, size)
    assert not crowds.open(ones, others).any()
    assert not crowds.join(1, size + 1)
