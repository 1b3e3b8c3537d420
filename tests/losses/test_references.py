"""Every loss against a naive loop, for batches Hypothesis draws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medtail.losses import LOSSES, create_loss
from references.losses import REFERENCES


def test_every_loss_has_a_reference():
    assert set(REFERENCES) == set(LOSSES)


@pytest.mark.parametrize("key", LOSSES)
@given(
    seed=st.integers(0, 10**6),
    num_samples=st.integers(1, 12),
    counts=st.lists(st.integers(1, 5000), min_size=3, max_size=6),
)
@settings(max_examples=25, deadline=None)
def test_equals_the_naive_loop(key, seed, num_samples, counts):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, len(counts), num_samples)
    loss = create_loss(key, class_counts=counts)
    outputs = {
        "logits": generator.normal(0, 2, (num_samples, len(counts))),
        "cosines": generator.uniform(-0.97, 0.97, (num_samples, len(counts))),
    }[loss.expects]
    if key == "adacos":  # a batch of very negative cosines meets the floor, which the paper does not have
        outputs = np.abs(outputs)
    value = loss(torch.tensor(outputs), torch.tensor(targets)).item()
    expected = REFERENCES[key](outputs.tolist(), targets.tolist(), counts)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9)
