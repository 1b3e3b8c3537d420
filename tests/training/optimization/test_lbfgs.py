"""Logistic losses on fixed features, fitted to their minimum."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from medtail.heads import HEADS
from medtail.losses import (
    LOSSES,
    BalancedSoftmaxLoss,
    ClassBalancedLoss,
    CrossEntropyLoss,
    FocalLoss,
    WeightedCrossEntropyLoss,
    create_loss,
)
from medtail.losses.parts.weightings import ClassWeighting
from medtail.losses.pipeline import ClassificationLoss
from medtail.training.optimization.lbfgs import PenalisedLBFGS

COUNTS = (120, 40, 20)


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    """Features ``(180, 10)`` of three classes that overlap."""
    generator = np.random.default_rng(0)
    targets = np.repeat(np.arange(3), COUNTS)
    return generator.normal(size=(180, 10)) + np.eye(3, 10)[targets], targets


def _fitted(
    loss: ClassificationLoss, table: tuple[np.ndarray, np.ndarray], decay: float, steps: int = 10
) -> tuple[torch.nn.Module, list[float]]:
    features, targets = (torch.from_numpy(part) for part in table)
    torch.manual_seed(0)
    head = HEADS["linear"](10, 3).double()
    optimizer = PenalisedLBFGS(head.parameters(), weight_decay=decay)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value: torch.Tensor = loss(head(features), targets)
        value.backward()
        return value

    return head, [float(optimizer.step(closure)) for _ in range(steps)]


@pytest.mark.parametrize("decay", [1e-4, 1e-2, 1.0])
def test_cross_entropy_is_the_logistic_regression_of_scikit_learn(table, decay: float) -> None:
    features, targets = table
    theirs = LogisticRegression(C=1 / (decay * len(targets)), tol=1e-10, max_iter=10_000).fit(
        features, targets
    )
    head, _ = _fitted(CrossEntropyLoss(), table, decay)
    ours = head(torch.from_numpy(features)).softmax(1).detach().numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(features), rtol=0, atol=1e-4)


def test_weights_of_classes_are_those_of_scikit_learn(table) -> None:
    features, targets = table
    decay, weights = 1e-2, {0: 0.5, 1: 1.5, 2: 4.0}
    theirs = LogisticRegression(
        C=1 / (decay * len(targets)), class_weight=weights, tol=1e-10, max_iter=10_000
    ).fit(features, targets)
    loss = WeightedCrossEntropyLoss(COUNTS, reduction="mean")
    loss.weighting = ClassWeighting(list(weights.values()))
    head, _ = _fitted(loss, table, decay)
    ours = head(torch.from_numpy(features)).softmax(1).detach().numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(features), rtol=0, atol=1e-4)


def test_the_prior_that_balanced_softmax_adds_is_taken_up_by_the_bias(table) -> None:
    """Without a penalty on the bias, balanced softmax on fixed features is cross-entropy with another bias."""
    plain, _ = _fitted(CrossEntropyLoss(), table, 1e-2)
    balanced, _ = _fitted(BalancedSoftmaxLoss(COUNTS), table, 1e-2)
    torch.testing.assert_close(plain.linear.weight, balanced.linear.weight, rtol=1e-3, atol=1e-5)
    gap = plain.linear.bias - balanced.linear.bias
    prior = torch.tensor(COUNTS, dtype=torch.float64).log()
    torch.testing.assert_close(gap - gap[0], prior - prior[0], rtol=1e-3, atol=1e-4)


def test_the_loss_falls_and_a_step_at_the_minimum_changes_nothing(table) -> None:
    _, losses = _fitted(CrossEntropyLoss(), table, 1e-2)
    assert losses[0] > losses[1]
    assert losses[-1] == pytest.approx(losses[-2], abs=1e-9)


def test_a_loss_says_whether_it_is_convex() -> None:
    """A convex function lies below its chords; on random chords every other loss is caught."""
    generator = torch.Generator().manual_seed(0)
    one, other = (4 * torch.randn(4000, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    targets = torch.randint(3, (4000,), generator=generator)
    convex = []
    for name in LOSSES:
        loss = create_loss(name, class_counts=COUNTS)
        if not loss.is_convex:
            continue
        convex.append(name)
        values = [
            torch.stack(
                [loss(row[None], target[None]) for row, target in zip(logits[:300], targets, strict=False)]
            )
            for logits in (one, other, (one + other) / 2)
        ]
        assert bool((values[2] <= (values[0] + values[1]) / 2 + 1e-9).all()), name
    assert {
        "ce",
        "weighted_ce",
        "balanced_softmax",
        "logit_adjusted",
        "vector_scaling",
        "class_balanced",
    } <= set(convex)
    assert not {"focal", "soft_f1", "dbm_bs", "ldam", "dal", "asl", "complement_ce"} & set(convex)


def test_focal_loss_is_convex_only_as_cross_entropy() -> None:
    assert not FocalLoss(gamma=2.0).is_convex
    assert ClassBalancedLoss(COUNTS, likelihood="sigmoid").is_convex
    assert not ClassBalancedLoss(COUNTS, likelihood="focal", gamma=1.0).is_convex


@pytest.mark.parametrize(
    ("name", "settings", "linear"),
    [
        ("linear", {}, True),
        ("linear", {"dropout": 0.5}, False),
        ("rescaled", {}, True),
        ("cosine", {}, False),
    ],
)
def test_a_head_says_whether_it_is_linear(name: str, settings: dict[str, float], linear: bool) -> None:
    build: Callable[..., object] = HEADS[name]
    assert build(4, 3, **settings).is_linear is linear
