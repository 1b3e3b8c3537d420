"""Learning-rate schedules against PyTorch's own."""

import pytest
import torch

from medtail.training.optimization import schedules


def _rates(make_scheduler, epochs: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_cosine_is_pytorchs() -> None:
    expected = _rates(lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12), 12)
    ours = [schedules.cosine(epoch, epochs=12, warmup_epochs=0) for epoch in range(12)]
    assert ours == pytest.approx(expected)


def test_step_is_pytorchs() -> None:
    expected = _rates(
        lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [4, 7], gamma=0.1), 10
    )
    ours = [
        schedules.step(epoch, epochs=10, warmup_epochs=0, milestones=(4, 7), factor=0.1)
        for epoch in range(10)
    ]
    assert ours == pytest.approx(expected)


@pytest.mark.parametrize("warmup_epochs", [1, 3, 10])
def test_warm_up_rises_to_the_full_rate_and_never_divides_by_zero(warmup_epochs: int) -> None:
    rates = [schedules.cosine(epoch, epochs=10, warmup_epochs=warmup_epochs) for epoch in range(10)]
    assert 0 <= schedules.cosine(10, epochs=10, warmup_epochs=warmup_epochs) <= 1
    assert rates[:warmup_epochs] == pytest.approx([(i + 1) / warmup_epochs for i in range(warmup_epochs)])
    assert all(0 < rate <= 1 for rate in rates)


def test_constant_stays() -> None:
    assert {schedules.constant(epoch, epochs=5, warmup_epochs=0) for epoch in range(5)} == {1.0}
