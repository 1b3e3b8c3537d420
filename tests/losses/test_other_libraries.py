"""Parity with independent implementations: pytorch-metric-learning and torchvision."""

import math

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from medtail.losses import ArcFaceLoss, ClassBalancedLoss, CosFaceLoss, SphereFaceLoss, functional

metric_learning = pytest.importorskip("pytorch_metric_learning.losses")


@pytest.fixture
def features():
    return torch.nn.functional.normalize(
        torch.randn(64, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )


@pytest.fixture
def targets():
    return torch.arange(64) % 5


def compare(theirs, ours, features, targets):
    """Their class weights are (D, C) inside the loss; ours come as cosines."""
    theirs = theirs.double()
    their_features = features.clone().requires_grad_()
    their_value = theirs(their_features, targets)
    their_value.backward()

    our_features = features.clone().requires_grad_()
    cosines = torch.nn.functional.normalize(our_features) @ torch.nn.functional.normalize(
        theirs.W.detach(), dim=0
    )
    our_value = ours(cosines, targets)
    our_value.backward()
    torch.testing.assert_close(our_value, their_value, rtol=1e-10, atol=1e-10)
    return our_features.grad, their_features.grad


def test_arcface(features, targets):
    theirs = metric_learning.ArcFaceLoss(5, 6, margin=math.degrees(0.5), scale=8)
    ours = ArcFaceLoss(margin=0.5, scale=8.0, monotonic=True)
    torch.testing.assert_close(*compare(theirs, ours, features, targets), rtol=1e-6, atol=1e-8)


def test_cosface(features, targets):
    theirs = metric_learning.CosFaceLoss(5, 6, margin=0.35, scale=8)
    torch.testing.assert_close(
        *compare(theirs, CosFaceLoss(margin=0.35, scale=8.0), features, targets), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("margin", [2, 4])
def test_sphereface(features, targets, margin):
    theirs = metric_learning.SphereFaceLoss(5, 6, margin=margin, scale=3)
    compare(theirs, SphereFaceLoss(margin=margin, scale=3.0), features, targets)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_sigmoid_focal(gamma):
    logits = 3 * torch.randn(20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    truth = torch.nn.functional.one_hot(torch.arange(20) % 5, 5).double()
    torch.testing.assert_close(
        functional.sigmoid_focal(torch.where(truth > 0, logits, -logits), gamma),
        sigmoid_focal_loss(logits, truth, alpha=-1, gamma=gamma),
    )
    loss = ClassBalancedLoss([4] * 5, likelihood="focal", gamma=gamma, reduction="sum")
    torch.testing.assert_close(
        loss(logits, torch.arange(20) % 5),
        sigmoid_focal_loss(logits, truth, alpha=-1, gamma=gamma, reduction="sum"),
    )
