"""A momentum copy: it follows parameters alone, and no gradient reaches it."""

import pytest
import torch
from torch import nn

from medtail.methods.parts.momentum_copy import MomentumCopy


def test_it_starts_equal_and_follows_slowly() -> None:
    first, second = nn.Linear(3, 2), nn.Linear(2, 2)
    copy = MomentumCopy(first, second, momentum=0.9)
    features = torch.randn(4, 3)
    torch.testing.assert_close(copy(features), second(first(features)))
    before = [parameter.clone() for parameter in copy.parameters()]
    with torch.no_grad():
        for parameter in [*first.parameters(), *second.parameters()]:
            parameter.add_(1.0)
    copy.follow(first, second)
    for old, new in zip(before, copy.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1)


def test_no_gradient_reaches_it() -> None:
    layer = nn.Linear(3, 2)
    copy = MomentumCopy(layer)
    images = torch.randn(4, 3, requires_grad=True)
    assert not copy(images).requires_grad
    assert not any(parameter.requires_grad for parameter in copy.parameters())
    assert all(parameter.requires_grad for parameter in layer.parameters())


def test_statistics_of_batches_are_its_own() -> None:
    norm = nn.BatchNorm1d(2)
    copy = MomentumCopy(norm)
    norm(torch.randn(8, 2) + 5)
    copy.follow(norm)
    assert copy.copies[0].running_mean.abs().max() == 0
    copy(torch.randn(8, 2) - 5)
    assert copy.copies[0].running_mean.max() < 0


@pytest.mark.parametrize("momentum", [-0.1, 1.1])
def test_a_momentum_outside_the_interval_is_refused(refuses, momentum: float) -> None:
    assert "momentum must be a number in [0, 1]" in refuses(MomentumCopy, nn.Linear(1, 1), momentum=momentum)
