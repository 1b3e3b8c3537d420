"""SAM in a plain PyTorch loop: where it goes, and what its second pass leaves alone."""

import copy
import gc
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules import module as torch_modules
from torch.nn.utils import parameters_to_vector

from medtail.errors import InputError
from medtail.losses import AdaCosLoss
from medtail.training import SAM

IMAGES = torch.randn(8, 4, 5, 5, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(8) % 3


def network(*middle: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 6, 3), *middle, nn.Flatten(), nn.Linear(54, 3))


def closure_of(model, optimizer, visited=None, scaler=None, clip=None):
    """The closure any PyTorch optimizer takes; notes the weights it was called at."""

    def closure():
        if visited is not None:
            visited.append(parameters_to_vector(model.parameters()).detach().clone())
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(IMAGES), TARGETS)
        (loss if scaler is None else scaler.scale(loss)).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        return loss.detach()

    return closure


def weights_of(model: nn.Module) -> torch.Tensor:
    return parameters_to_vector(model.parameters()).detach().clone()


@pytest.mark.parametrize(
    ("tag", "settings"),
    [
        ("sam_rho0.1_lr0.1", {"rho": 0.1}),
        ("sam_rho0.1_lr0.1_mom0.9_wd1e-3", {"rho": 0.1, "momentum": 0.9, "weight_decay": 1e-3}),
        ("sam_rho0.05", {"rho": 0.05}),
    ],
)
def test_iterates_are_those_of_the_reference(oracles, tag, settings) -> None:
    with np.load(oracles / "sam.npz") as arrays:
        matrix, vector, start = (torch.tensor(arrays[name]) for name in ("A", "b", "w0"))
        expected, expected_perturbed = arrays[f"{tag}_w"], arrays[f"{tag}_perturbed"]
    weights = start.clone().requires_grad_()
    optimizer = SAM([weights], torch.optim.SGD, lr=0.1, **settings)
    visited = []

    def closure():
        visited.append(weights.detach().clone())
        optimizer.zero_grad()
        loss = weights @ matrix @ weights / 2 - vector @ weights
        loss.backward()
        return loss

    for _ in expected_perturbed:
        optimizer.step(closure)
    visited.append(weights.detach().clone())
    np.testing.assert_allclose(torch.stack(visited[::2]), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(torch.stack(visited[1::2]), expected_perturbed, rtol=0, atol=1e-12)


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_perturbation_has_the_radius_in_its_metric(adaptive: bool) -> None:
    model = network(nn.ReLU())
    optimizer = SAM(model.parameters(), torch.optim.Adam, rho=0.3, adaptive=adaptive)
    visited = []
    optimizer.step(closure_of(model, optimizer, visited))
    before, perturbed = visited
    metric = before.abs() if adaptive else torch.ones_like(before)
    assert ((perturbed - before) / metric).norm() == pytest.approx(0.3, rel=1e-3)


def test_a_radius_of_zero_is_the_base_optimizer() -> None:
    plain, sharpness_aware = network(nn.ReLU()), network(nn.ReLU())
    base = torch.optim.AdamW(plain.parameters(), lr=0.01)
    optimizer = SAM(sharpness_aware.parameters(), torch.optim.AdamW, rho=0.0, lr=0.01)
    for _ in range(3):
        base.step(closure_of(plain, base))
        optimizer.step(closure_of(sharpness_aware, optimizer))
    assert weights_of(plain).equal(weights_of(sharpness_aware))


def test_the_loss_returned_is_that_before_the_step() -> None:
    model = network(nn.ReLU())
    expected = functional.cross_entropy(model(IMAGES), TARGETS).detach()
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=1.0, lr=0.1)
    assert optimizer.step(closure_of(model, optimizer)) == expected


def test_clipping_the_first_gradient_alone_changes_nothing() -> None:
    steps = []
    for clip in (None, 1e-3):
        model = network(nn.ReLU())
        optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=1.0)
        closure = closure_of(model, optimizer)
        closure()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.perturb()
        closure()
        optimizer.restore()
        optimizer.step()
        steps.append(weights_of(model))
    torch.testing.assert_close(*steps)


def test_what_is_clipped_is_the_gradient_that_is_used() -> None:
    model = network(nn.ReLU())
    before = weights_of(model)
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=1.0)
    visited = []
    optimizer.step(closure_of(model, optimizer, visited, clip=1e-3))
    assert (weights_of(model) - before).norm() == pytest.approx(1e-3, rel=1e-3)
    assert (visited[1] - before).norm() == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize(
    "normalization",
    [
        lambda: nn.BatchNorm2d(6),
        lambda: nn.BatchNorm2d(6, momentum=None),
        lambda: nn.SyncBatchNorm(6),
        lambda: nn.InstanceNorm2d(6, track_running_stats=True),
    ],
)
def test_running_statistics_move_once_a_step_by_the_first_pass(normalization) -> None:
    plain, sharpness_aware = network(normalization()), network(normalization())
    base = torch.optim.SGD(plain.parameters(), lr=0.0)
    optimizer = SAM(sharpness_aware.parameters(), torch.optim.SGD, rho=2.0, lr=0.0)
    for _ in range(3):
        base.step(closure_of(plain, base))
        optimizer.step(closure_of(sharpness_aware, optimizer))
    assert int(sharpness_aware[1].num_batches_tracked) in (0, 3)  # instance norm does not count
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(dict(sharpness_aware.named_buffers())[name], buffer, rtol=0, atol=0)


def test_the_second_pass_normalises_by_its_own_batch() -> None:
    model, by_hand = network(nn.BatchNorm2d(6)), network(nn.BatchNorm2d(6))
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.0)
    visited = []
    optimizer.step(closure_of(model, optimizer, visited))
    nn.utils.vector_to_parameters(visited[1], by_hand.parameters())
    functional.cross_entropy(by_hand(IMAGES), TARGETS).backward()
    for parameter, expected in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, expected.grad)


def test_modules_in_evaluation_are_left_alone_and_work_as_before_afterwards() -> None:
    model = network(nn.BatchNorm2d(6)).eval()
    statistics = model[1].running_mean.clone()
    optimizer = SAM(model.parameters(), torch.optim.SGD, lr=0.1)
    optimizer.step(closure_of(model, optimizer))
    assert model[1].running_mean.equal(statistics)
    model.train()(IMAGES)
    assert not model[1].running_mean.equal(statistics)
    assert int(model[1].num_batches_tracked) == 1


def test_a_scale_that_a_loss_measures_moves_once_a_step() -> None:
    loss, alone = AdaCosLoss(num_classes=3), AdaCosLoss(num_classes=3)
    cosines = torch.linspace(-0.9, 0.9, 24).reshape(8, 3).requires_grad_()
    optimizer = SAM([cosines], torch.optim.SGD, lr=0.0)

    def closure():
        optimizer.zero_grad()
        value = loss(cosines, TARGETS)
        value.backward()
        return value

    for _ in range(2):
        optimizer.step(closure)
        alone(cosines, TARGETS)
    state, expected = loss.state_dict(), alone.state_dict()
    assert expected["scale.value"] != AdaCosLoss(num_classes=3).state_dict()["scale.value"]
    torch.testing.assert_close(state, expected, rtol=0, atol=0)


def test_both_passes_see_the_same_draws_and_the_next_step_sees_others() -> None:
    weights = torch.ones(3, requires_grad=True)
    optimizer = SAM([weights], torch.optim.SGD, lr=0.1)
    draws = []

    def closure():
        optimizer.zero_grad()
        draws.append(torch.rand(3))
        loss = (weights * draws[-1]).sum()
        loss.backward()
        return loss

    torch.manual_seed(0)
    optimizer.step(closure)
    optimizer.step(closure)
    assert draws[0].equal(draws[1]) and draws[2].equal(draws[3]) and not draws[0].equal(draws[2])
    torch.manual_seed(0)
    assert draws[0].equal(torch.rand(3)) and draws[2].equal(torch.rand(3))  # as a plain optimizer would draw


def test_parameters_without_gradient_stay() -> None:
    model = network(nn.ReLU())
    model[0].requires_grad_(False)
    frozen = model[0].weight.clone()
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    visited = []
    optimizer.step(closure_of(model, optimizer, visited))
    assert model[0].weight.equal(frozen)
    assert (visited[1] - visited[0]).norm() == pytest.approx(0.5, rel=1e-4)


def test_groups_have_one_norm_and_a_radius_each() -> None:
    first, second = torch.tensor([1.0], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    optimizer = SAM([{"params": [first]}, {"params": [second], "rho": 1.0}], torch.optim.SGD, rho=0.5, lr=0.1)
    (3 * first + 4 * second).sum().backward()
    optimizer.perturb()
    assert (first.item(), second.item()) == pytest.approx((1 + 0.5 * 3 / 5, 1 + 1.0 * 4 / 5))
    optimizer.restore()
    assert (first.item(), second.item()) == (1.0, 1.0)


@pytest.mark.parametrize("broken", [math.inf, -math.inf, math.nan])
def test_a_first_gradient_that_is_no_number_moves_nothing(broken: float) -> None:
    model = network(nn.BatchNorm2d(6))
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    closure_of(model, optimizer)()
    model[0].weight.grad[0, 0, 0, 0] = broken
    before = weights_of(model)
    optimizer.perturb()
    assert weights_of(model).equal(before)
    optimizer.restore()
    assert weights_of(model).equal(before)


@pytest.mark.parametrize("size", [60000.0, 1e-6])
def test_half_precision_gradients_neither_overflow_nor_vanish(size: float) -> None:
    weights = torch.ones(2, dtype=torch.float16, requires_grad=True)
    optimizer = SAM([weights], torch.optim.SGD, rho=0.5, lr=0.1)
    weights.grad = torch.full((2,), size, dtype=torch.float16)
    optimizer.perturb()
    assert weights.tolist() == pytest.approx([1 + 0.5 / math.sqrt(2)] * 2, rel=1e-3)


def test_with_a_gradient_scaler_the_step_is_that_without() -> None:
    plain, scaled = network(nn.BatchNorm2d(6)), network(nn.BatchNorm2d(6))
    base = SAM(plain.parameters(), torch.optim.SGD, rho=0.1, lr=0.1, momentum=0.9)
    optimizer = SAM(scaled.parameters(), torch.optim.SGD, rho=0.1, lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for _ in range(3):
        base.step(closure_of(plain, base, clip=0.5))
        optimizer.both_passes(closure_of(scaled, optimizer, scaler=scaler))
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(scaled.parameters(), 0.5)
        scaler.step(optimizer)
        scaler.update()
    torch.testing.assert_close(weights_of(scaled), weights_of(plain), rtol=1e-5, atol=1e-6)


def test_a_scaler_skips_a_step_that_overflowed_and_lowers_its_scale() -> None:
    model = network(nn.ReLU())
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.1, lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1e38, growth_interval=1000)
    before, closure = weights_of(model), closure_of(model, optimizer, scaler=scaler)

    def overflowing():
        loss = closure()
        model[0].weight.grad[0, 0, 0, 0] = math.inf
        return loss

    optimizer.both_passes(overflowing)
    scaler.step(optimizer)
    scaler.update()
    assert weights_of(model).equal(before)
    assert scaler.get_scale() < 1e38
    scaler.update(1024.0)
    optimizer.both_passes(closure)
    scaler.step(optimizer)
    assert not weights_of(model).equal(before)
    assert weights_of(model).isfinite().all()


def test_weights_and_statistics_are_back_when_the_second_pass_fails() -> None:
    model = network(nn.BatchNorm2d(6))
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    whole, calls = closure_of(model, optimizer), []

    def closure():
        loss = whole()
        calls.append(model[1].running_mean.clone())
        if len(calls) == 2:
            raise RuntimeError("out of memory")
        return loss

    before = weights_of(model)
    with pytest.raises(RuntimeError, match="out of memory"):
        optimizer.step(closure)
    assert weights_of(model).equal(before)
    assert model[1].running_mean.equal(calls[0])
    assert not calls[1].equal(calls[0])
    optimizer.step(whole)  # and it can go on


class Refusing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        if self.calls == 2:
            raise InputError("targets must be whole numbers")
        return images


def test_a_module_that_refuses_in_the_second_pass_is_heard() -> None:
    model = nn.Sequential(nn.Linear(3, 3), Refusing())
    optimizer = SAM(model.parameters(), torch.optim.SGD, lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = model(torch.ones(2, 3)).sum()
        loss.backward()
        return loss

    with pytest.raises(InputError, match="targets must be whole numbers"):
        optimizer.step(closure)
    assert not model._forward_hooks


def test_an_optimizer_dropped_while_perturbed_leaves_no_hook() -> None:
    before = dict(torch_modules._global_forward_pre_hooks)
    optimizer = _perturbed()
    assert len(torch_modules._global_forward_pre_hooks) == len(before) + 1
    del optimizer
    gc.collect()
    assert dict(torch_modules._global_forward_pre_hooks) == before


def test_a_saved_state_goes_on_as_if_never_stopped() -> None:
    model = network(nn.BatchNorm2d(6))
    optimizer = SAM(model.parameters(), torch.optim.Adam, rho=0.1, lr=0.01)
    optimizer.step(closure_of(model, optimizer))
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    optimizer.step(closure_of(model, optimizer))

    resumed = network(nn.BatchNorm2d(6))
    again = SAM(resumed.parameters(), torch.optim.Adam, rho=0.7, lr=0.5)
    resumed.load_state_dict(weights)
    again.load_state_dict(state)
    assert again.param_groups is again.base_optimizer.param_groups
    assert again.param_groups[0]["rho"] == 0.1
    again.step(closure_of(resumed, again))
    assert weights_of(resumed).equal(weights_of(model))


def test_a_network_that_moved_to_another_type_goes_on() -> None:
    model = network(nn.ReLU())
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    optimizer.step(closure_of(model, optimizer))
    model.double()
    visited, images = [], IMAGES.double()

    def closure():
        visited.append(weights_of(model))
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), TARGETS)
        loss.backward()
        return loss

    optimizer.both_passes(closure)
    assert visited[0].dtype == torch.float64
    assert weights_of(model).equal(visited[0])


def test_a_copy_is_whole() -> None:
    model = network(nn.ReLU())
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.1, lr=0.1, momentum=0.9)
    optimizer.step(closure_of(model, optimizer))
    second_model, second = copy.deepcopy((model, optimizer))
    assert second.param_groups is second.base_optimizer.param_groups
    optimizer.step(closure_of(model, optimizer))
    second.step(closure_of(second_model, second))
    assert weights_of(second_model).equal(weights_of(model))


def test_schedulers_and_new_groups_act_on_the_base_optimizer() -> None:
    model = network(nn.ReLU())
    optimizer = SAM(model[0].parameters(), torch.optim.SGD, lr=1.0, momentum=0.9)
    optimizer.add_param_group({"params": list(model[3].parameters())})
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.1)
    optimizer.step(closure_of(model, optimizer))
    scheduler.step()
    assert [group["lr"] for group in optimizer.base_optimizer.param_groups] == [0.1, 0.1]
    assert optimizer.base_optimizer.param_groups[1]["momentum"] == 0.9


@pytest.mark.filterwarnings("ignore:Using `torch.compile:UserWarning")
def test_a_compiled_network_steps_as_an_eager_one() -> None:
    eager, compiled = network(nn.BatchNorm2d(6)), network(nn.BatchNorm2d(6))
    torch._dynamo.reset()
    called = torch.compile(compiled, backend="eager")
    first = SAM(eager.parameters(), torch.optim.SGD, rho=0.1, lr=0.1)
    second = SAM(compiled.parameters(), torch.optim.SGD, rho=0.1, lr=0.1)

    def closure():
        second.zero_grad()
        loss = functional.cross_entropy(called(IMAGES), TARGETS)
        loss.backward()
        return loss

    for _ in range(2):
        first.step(closure_of(eager, first))
        second.step(closure)
    torch.testing.assert_close(compiled.state_dict(), eager.state_dict())


def _perturbed() -> SAM:
    weights = torch.ones(2, requires_grad=True)
    optimizer = SAM([weights], torch.optim.SGD, lr=0.1)
    weights.sum().backward()
    optimizer.perturb()
    return optimizer


def _sparse() -> None:
    embedding = nn.Embedding(4, 2, sparse=True)
    optimizer = SAM(embedding.parameters(), torch.optim.SGD, lr=0.1)
    embedding(torch.tensor([1])).sum().backward()
    optimizer.perturb()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: SAM([torch.ones(1)], torch.optim.SGD, rho=-1.0, lr=0.1),
            r"rho must be a number in \[0, inf\), got -1.0; 0.05 is usual",
        ),
        (
            lambda: SAM([{"params": [torch.ones(1)], "rho": math.nan}], torch.optim.SGD, lr=0.1),
            "rho must be .* got nan",
        ),
        (
            lambda: SAM([torch.ones(1)], torch.optim.SGD([torch.ones(1)])),
            "base_optimizer must be a class such as torch.optim.SGD, got the optimizer SGD",
        ),
        (lambda: SAM([torch.ones(1)], torch.optim.SGD, lr=0.1).step(), "SAM.step needs a closure"),
        (lambda: _perturbed().step(), "SAM.step needs a closure"),
        (lambda: _perturbed().perturb(), "SAM.perturb must not be called twice"),
        (lambda: copy.deepcopy(_perturbed()), "must not be copied while its weights are perturbed"),
        (
            lambda: SAM([torch.ones(1)], torch.optim.SGD, lr=0.1).restore(),
            "SAM.restore needs perturbed weights",
        ),
        (_sparse, "SAM needs dense gradients, got a sparse one"),
    ],
)
def test_misuse_is_one_sentence(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
