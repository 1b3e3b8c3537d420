"""torch.compile(fullgraph=True): one graph for value and gradient, no break."""

import copy

import pytest
import torch

from medtail.losses import (
    COMPOSITIONS,
    LOSSES,
    BalancedContrastiveLoss,
    DistillationLoss,
    GaussianMixtureLoss,
    MomentumContrastLoss,
    NestedCollaborativeLoss,
    create_loss,
)

COUNTS = [400, 37, 90, 12, 5]


def build(composition):
    key, settings = COMPOSITIONS[composition]
    loss = create_loss(key, class_counts=COUNTS, settings=settings)
    loss.set_epoch(0)
    return loss


def check(composition, backend):
    torch._dynamo.reset()
    loss, compiled = build(composition), torch.compile(build(composition), fullgraph=True, backend=backend)
    outputs = (1.8 * torch.rand(16, 5, generator=torch.Generator().manual_seed(0)) - 0.9).requires_grad_()
    targets = torch.arange(16) % 4
    value = loss(outputs, targets)
    (gradient,) = torch.autograd.grad(value, outputs)
    compiled_value = compiled(outputs, targets)
    (compiled_gradient,) = torch.autograd.grad(compiled_value, outputs)
    torch.testing.assert_close(compiled_value, value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(compiled_gradient, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_is_one_graph(composition):
    check(composition, backend="aot_eager")


@pytest.mark.slow
@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_compiles_to_the_same_numbers(composition):
    check(composition, backend="inductor")


def unit(*shape):
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))
    return torch.nn.functional.normalize(drawn, dim=-1)


TARGETS = torch.arange(8) % 4

#: Losses of features and of several networks, with what they take besides the first argument.
OF_FEATURES = {
    "balanced contrast": (BalancedContrastiveLoss(), unit(8, 2, 6), (TARGETS, unit(5, 6))),
    "gaussian mixture": (
        GaussianMixtureLoss(COUNTS),
        unit(8, 6),
        (TARGETS, unit(20, 6), torch.arange(20) % 5, torch.zeros(8, 20, dtype=torch.bool), torch.tensor(0.1)),
    ),
    "momentum contrast": (MomentumContrastLoss(), unit(8, 6), (unit(8, 6), unit(20, 6))),
    "distillation": (DistillationLoss(), unit(8, 5), (unit(8, 5),)),
    "nested collaboration": (
        NestedCollaborativeLoss(hard_categories=3),
        unit(3, 8, 5),
        (TARGETS, unit(8, 5)),
    ),
    "nested collaboration, official": (
        NestedCollaborativeLoss(COUNTS, hard_categories=3, variant="official"),
        unit(3, 8, 5),
        (TARGETS, unit(8, 5)),
    ),
}


@pytest.mark.parametrize("name", OF_FEATURES)
def test_losses_of_features_are_one_graph(name):
    torch._dynamo.reset()
    loss, features, others = OF_FEATURES[name]
    features = features.clone().requires_grad_()
    value = loss(features, *others)
    (gradient,) = torch.autograd.grad(value, features)
    compiled_value = torch.compile(loss, fullgraph=True, backend="aot_eager")(features, *others)
    (compiled_gradient,) = torch.autograd.grad(compiled_value, features)
    torch.testing.assert_close(compiled_value, value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(compiled_gradient, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_all_losses_compile_in_one_process():
    torch._dynamo.reset()
    outputs, targets = unit(16, 5).requires_grad_(), torch.arange(16) % 4
    assert len(LOSSES) > torch._dynamo.config.recompile_limit
    for key in LOSSES:
        loss = create_loss(key, class_counts=COUNTS).eval()  # a scale that follows the batches stays
        value = torch.compile(loss, fullgraph=True, backend="eager")(outputs, targets)
        torch.testing.assert_close(value, loss(outputs, targets))


def test_a_copy_of_forward_does_not_keep_a_loss_from_being_saved(tmp_path):
    loss = build("ldam")
    torch.save(loss, tmp_path / "loss.pt")
    outputs, targets = unit(16, 5), torch.arange(16) % 4
    copies = copy.deepcopy(loss), torch.load(tmp_path / "loss.pt", weights_only=False)
    assert [one(outputs, targets).item() for one in copies] == [loss(outputs, targets).item()] * 2
