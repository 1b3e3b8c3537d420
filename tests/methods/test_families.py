"""Families: a loss at any λ, by key."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medtail.errors import InputError
from medtail.losses import (
    DifficultyAwareMarginLoss,
    DynamicAngularLoss,
    FocalLoss,
    PriorAdjustment,
    VectorScalingLoss,
    functional,
)
from medtail.methods import create_family

COUNTS = [6705, 1113, 1099, 514, 327, 142, 115]
GENERATOR = torch.Generator().manual_seed(0)
COSINES = 1.8 * torch.rand(16, 7, generator=GENERATOR, dtype=torch.float64) - 0.9
TARGETS = torch.arange(16) % 7

SAME = {
    "vector_scaling": ({"gamma": 0.2, "tau": 2.0}, VectorScalingLoss(COUNTS, gamma=0.2, tau=2.0)),
    "dal": ({"max_margin": 0.5, "scale": 6.0}, DynamicAngularLoss(max_margin=0.5, scale=6.0)),
    "dbm": (
        {"tau": 0.5, "max_margin": 0.3},
        DifficultyAwareMarginLoss(COUNTS, max_margin=0.3, adjustment=PriorAdjustment(COUNTS, tau=0.5)),
    ),
    "dbm_bs": (
        {"scale": 16.0},
        DifficultyAwareMarginLoss(COUNTS, scale=16.0, adjustment=PriorAdjustment(COUNTS)),
    ),
    "focal": ({"gamma": 1.5}, FocalLoss(gamma=1.5)),
}


@pytest.mark.parametrize("key", SAME)
def test_members_are_the_losses_with_these_settings(key: str) -> None:
    condition, loss = SAME[key]
    member = create_family(key, class_counts=COUNTS)(**condition)
    assert member(COSINES, TARGETS).item() == loss(COSINES, TARGETS).item()
    assert torch.equal(member.probabilities(COSINES), loss.probabilities(COSINES))


def test_dbm_without_exponent_is_dbm() -> None:
    member = create_family("dbm", class_counts=COUNTS)(scale=30.0)
    loss = DifficultyAwareMarginLoss(COUNTS, scale=30.0)
    assert member(COSINES, TARGETS).item() == pytest.approx(loss(COSINES, TARGETS).item(), abs=1e-12)


@pytest.mark.parametrize("counts", [[900, 100], [100, 900]])
def test_alpha_of_two_classes_is_the_papers_whatever_the_id_of_the_rare_one(counts: list[int]) -> None:
    member = create_family("focal", class_counts=counts)(alpha=0.1, gamma=2.0)
    rare = counts.index(100)
    expected = FocalLoss(gamma=2.0, alpha=[0.1 if index == rare else 0.9 for index in range(2)])
    logits, targets = COSINES[:, :2], TARGETS % 2
    assert member(logits, targets).item() == pytest.approx(expected(logits, targets).item(), abs=1e-12)


@given(
    st.lists(st.integers(1, 10_000), min_size=2, max_size=8).filter(lambda counts: len(set(counts)) > 1),
    st.floats(0.01, 0.99),
)
def test_focal_weights_follow_the_power_law(counts: list[int], alpha: float) -> None:
    weights = functional.rarity_weights(torch.tensor(counts, dtype=torch.float64), alpha).numpy()
    exponent = np.log(alpha / (1 - alpha)) / np.log(max(counts) / min(counts))
    # Of nearly equal counts the exponent is so large that their own powers are 0.
    expected = (np.array(counts) / max(counts)) ** -exponent
    np.testing.assert_allclose(weights, expected / expected.mean() / 2, rtol=1e-9)
    rarest, commonest = weights[np.argmin(counts)], weights[np.argmax(counts)]
    assert rarest / commonest == pytest.approx(alpha / (1 - alpha))


def test_equal_counts_weigh_a_half_each() -> None:
    assert functional.rarity_weights(torch.tensor([50.0, 50.0, 50.0]), 0.9).tolist() == pytest.approx(
        [0.5] * 3
    )


def test_a_member_keeps_the_fixed_settings() -> None:
    family = create_family("dbm_bs", class_counts=COUNTS, settings={"power": 0.5, "scale": 16.0})
    expected = DifficultyAwareMarginLoss(
        COUNTS, power=0.5, scale=16.0, adjustment=PriorAdjustment(COUNTS, tau=0.3)
    )
    assert family(tau=0.3)(COSINES, TARGETS).item() == expected(COSINES, TARGETS).item()


def test_members_know_the_prior_their_scores_stand_for() -> None:
    log_prior = create_family("vector_scaling", class_counts=COUNTS)(gamma=0.0, tau=0.25).log_score_prior()
    expected = 0.75 * (torch.tensor(COUNTS, dtype=torch.float64) / sum(COUNTS)).log()
    torch.testing.assert_close(log_prior, expected)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_alpha_at_an_end_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match=r"alpha must be a number in \(0, 1\)"):
        create_family("focal", class_counts=COUNTS)(alpha=alpha)


def test_a_parameter_cannot_both_vary_and_be_fixed() -> None:
    family = create_family("vector_scaling", class_counts=COUNTS, settings={"tau": 1.0})
    with pytest.raises(InputError, match="either vary or have one value, got both for tau"):
        family(tau=0.0)


def test_a_name_the_loss_does_not_have_gets_the_nearest() -> None:
    with pytest.raises(InputError, match=r"loss vector_scaling has no setting gama.*did you mean gamma"):
        create_family("vector_scaling", class_counts=COUNTS)(gama=0.1)
