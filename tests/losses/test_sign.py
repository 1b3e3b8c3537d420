"""Every imbalance-aware loss raises the minority's recall above cross-entropy's: no sign is turned."""

import inspect

import pytest
import torch

from medtail.heads import CosineClassifier
from medtail.losses import LOSSES, ArcFaceLoss, CrossEntropyLoss, create_loss

COUNTS = [300, 60, 15]

#: A loss is imbalance-aware when it must be told the counts, or takes them from the batch. AdaCos takes only its
#: scale from there.
AWARE = [
    key
    for key, constructor in LOSSES.items()
    if create_loss(key, class_counts=COUNTS).uses_batch_statistics
    or inspect.signature(constructor)
    .parameters.get("class_counts", inspect.Parameter("x", 1, default=None))
    .default
    is inspect.Parameter.empty
]
AWARE.remove("adacos")


def gaussians(counts, generator):
    """Three Gaussians in the plane, a constant third feature in place of a bias."""
    targets = torch.arange(3).repeat_interleave(torch.tensor(counts))
    centres = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    points = centres[targets] + torch.randn(len(targets), 2, generator=generator)
    return torch.cat([points, torch.ones(len(points), 1)], 1), targets


@pytest.fixture(scope="module")
def data():
    """An imbalanced training set, and a balanced test set of the same distribution."""
    generator = torch.Generator().manual_seed(0)
    return gaussians(COUNTS, generator), gaussians([400, 400, 400], generator)


def minority_recall(loss, data):
    (points, targets), (test_points, test_targets) = data
    torch.manual_seed(0)
    if loss.expects == "cosines":
        head = CosineClassifier(3, 3)
    else:
        head = torch.nn.Linear(3, 3, bias=False)
        torch.nn.init.zeros_(head.weight)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    loss.set_epoch(0)
    for _ in range(300):
        optimizer.zero_grad()
        loss(head(points), targets).backward()
        optimizer.step()
    decisions = head(test_points).argmax(1)
    return (decisions[test_targets == 2] == 2).double().mean().item()


@pytest.mark.parametrize("key", AWARE)
def test_raises_minority_recall_above_cross_entropy(key, data):
    loss = create_loss(key, class_counts=COUNTS)
    reference = CrossEntropyLoss()
    if loss.expects == "cosines":
        reference = ArcFaceLoss(margin=0.0, scale=loss.scale.value)
    assert minority_recall(loss, data) > minority_recall(reference, data)


def test_the_aware_losses_are_those_we_think():
    assert set(AWARE) >= {"weighted_ce", "ldam", "dal", "dbm", "awb", "soft_f1", "ce+soft_mcc"}
    assert not set(AWARE) & {"ce", "focal", "arcface", "asl"}
