"""torch.compile(fullgraph=True): one graph for value and gradient, no break."""

import pytest
import torch

from medtail.losses import COMPOSITIONS, create_loss

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
