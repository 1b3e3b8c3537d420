"""One battery for every entry of LOSSES: a new entry is covered by being there."""

import copy
import inspect
import pickle

import pytest
import torch
from torch._subclasses import FakeTensorMode

from medtail.errors import InputError
from medtail.losses import (
    COMPOSITIONS,
    LOSSES,
    NEUTRAL_SETTINGS,
    PAPERS,
    ClassificationLoss,
    PipelineLoss,
    create_loss,
)
from medtail.losses.parts.base import Part
from references.numerics import EDGE_CASES, PRECISIONS, measure

COUNTS = [400, 37, 90, 12, 5]


def build(composition, counts=COUNTS, **settings):
    key, own_settings = COMPOSITIONS[composition]
    loss = create_loss(key, class_counts=counts, settings=own_settings | settings, num_epochs=10)
    loss.set_epoch(0)
    return loss


def batch(loss, num_samples=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    outputs = 1.8 * torch.rand(num_samples, len(COUNTS), generator=generator, dtype=torch.float64) - 0.9
    if loss.expects == "logits":
        outputs = 3 * outputs
    return outputs, torch.randint(0, len(COUNTS), (num_samples,), generator=generator)


def subclasses(cls):
    return {cls} | {below for child in cls.__subclasses__() for below in subclasses(child)}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("key", COMPOSITIONS)
def test_finite_or_refused_with_the_reason(key, precision):
    outcomes = {name: measure(key, PRECISIONS[precision], case) for name, case in EDGE_CASES.items()}
    of_two_classes = outcomes.pop("C = 2")
    assert of_two_classes == "finite" or "2 classes" in of_two_classes
    assert outcomes == dict.fromkeys(outcomes, "finite")


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_takes_no_gradient_under_no_grad(key):
    loss = build(key)
    outputs, targets = batch(loss)
    with torch.no_grad():
        assert not loss(outputs.requires_grad_(), targets).requires_grad


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_leaves_inputs_as_they_were(key):
    loss = build(key)
    outputs, targets = batch(loss)
    kept_outputs, kept_targets = outputs.clone(), targets.clone()
    loss(outputs, targets)
    loss.probabilities(outputs)
    assert torch.equal(outputs, kept_outputs)
    assert torch.equal(targets, kept_targets)


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_holds_no_parameters_and_only_documented_state(key):
    loss = build(key)
    assert not list(loss.parameters())
    assert set(loss.state_dict()) == loss.documented_state


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_same_value_twice(key):
    loss = build(key).eval()
    outputs, targets = batch(loss)
    first = loss(outputs, targets)
    loss(*batch(loss, seed=1))
    assert torch.equal(first, loss(outputs, targets))


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_copies_and_pickles(key):
    loss = build(key)
    outputs, targets = batch(loss)
    for twin in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(twin.eval()(outputs, targets), loss.eval()(outputs, targets))


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_permuting_classes_with_their_counts_changes_nothing(key):
    order = torch.tensor([3, 0, 4, 1, 2])
    loss = build(key)
    permuted_loss = build(key, [COUNTS[i] for i in order])
    outputs, targets = batch(loss)
    permuted = permuted_loss(outputs[:, order], torch.argsort(order)[targets])
    torch.testing.assert_close(permuted, loss(outputs, targets), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_permuting_samples_changes_nothing(key):
    loss = build(key).eval()
    outputs, targets = batch(loss)
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(
        loss(outputs[order], targets[order]), loss(outputs, targets), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("key", NEUTRAL_SETTINGS)
def test_is_cross_entropy_at_its_neutral_setting(key):
    loss = build(key, **NEUTRAL_SETTINGS[key])
    outputs, targets = batch(loss)
    logits = loss.scale.sharpen(outputs) if isinstance(loss, PipelineLoss) else outputs
    expected = torch.nn.functional.cross_entropy(logits, targets)
    torch.testing.assert_close(loss(outputs, targets), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_reads_no_value_on_the_host(key):
    """Fake tensors have no values: .item(), bool(tensor) and data-dependent shapes raise."""
    loss = build(key)
    num_classes = len(COUNTS)
    with FakeTensorMode() as mode:
        for module in loss.modules():
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, mode.from_tensor(buffer))
        outputs = torch.empty(8, num_classes, requires_grad=True)
        loss(outputs, torch.zeros(8, dtype=torch.int64)).backward()
        assert outputs.grad.shape == (8, num_classes)


def test_the_host_check_can_fail():
    with FakeTensorMode(), pytest.raises(Exception, match="_local_scalar_dense"):
        bool(torch.empty(3).sum() > 0)


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_gradient_is_that_of_the_value(key):
    loss = build(key).eval()
    outputs, targets = batch(loss, num_samples=6)
    if getattr(getattr(loss, "likelihood", None), "detach_focusing", False):
        loss = build(key, detach_focusing=False)  # a detached weight is no part of the gradient, on purpose
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), outputs.requires_grad_(), atol=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "weighted_mean", "sum", "none"])
@pytest.mark.parametrize(
    "key", [key for key in LOSSES if "reduction" in inspect.signature(LOSSES[key]).parameters]
)
def test_reductions_by_name(key, reduction):
    loss = build(key, reduction=reduction).eval()
    outputs, targets = batch(loss)
    each = build(key, reduction="none").eval()(outputs, targets)
    assert each.shape == targets.shape
    weights = loss.weighting(outputs, targets).expand(len(targets))
    expected = {
        "mean": each.mean(),
        "weighted_mean": each.sum() / weights.sum(),
        "sum": each.sum(),
        "none": each,
    }[reduction]
    torch.testing.assert_close(loss(outputs, targets), expected)


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_probabilities_sum_to_one_and_move_to_a_prior(key):
    loss = build(key)
    outputs, _ = batch(loss)
    trained = loss.probabilities(outputs)
    torch.testing.assert_close(trained.sum(1), torch.ones(len(outputs), dtype=torch.float64))
    score_prior = (loss.log_score_prior() + torch.zeros(len(COUNTS))).softmax(0)
    torch.testing.assert_close(loss.probabilities(outputs, score_prior), trained)
    deployment = torch.tensor([0.1, 0.2, 0.3, 0.3, 0.1], dtype=torch.float64)
    expected = trained * deployment / score_prior
    torch.testing.assert_close(
        loss.probabilities(outputs, deployment), expected / expected.sum(1, keepdim=True)
    )


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_refuses_targets_of_the_wrong_shape(key):
    loss = build(key)
    outputs, targets = batch(loss)
    with pytest.raises(InputError, match=r"targets must be integer class ids of shape \(16,\)"):
        loss(outputs, targets[:-1])
    with pytest.raises(InputError, match="targets must be integer"):
        loss(outputs, targets.double())
    with pytest.raises(InputError, match=r"outputs must be floating-point of shape \(N, C\)"):
        loss(outputs[0], targets)


@pytest.mark.parametrize("key", COMPOSITIONS)
def test_takes_zero_one_targets_exactly_when_it_says_so(key):
    loss = build(key)
    outputs, targets = batch(loss)
    one_hot = torch.nn.functional.one_hot(targets, len(COUNTS))
    if loss.multi_label:
        for form in (one_hot, one_hot.double(), one_hot.bool()):
            torch.testing.assert_close(loss(outputs, form), loss(outputs, targets))
    else:
        with pytest.raises(InputError, match="targets must be integer class ids"):
            loss(outputs, one_hot)


@pytest.mark.parametrize("key", LOSSES)
def test_says_what_it_is_and_where_from(key):
    summary = inspect.getdoc(LOSSES[key]).splitlines()[0]
    assert 10 < len(summary) < 120
    assert PAPERS[key]
    assert build(key).expects in ("logits", "cosines")


def test_named_losses_define_only_their_parts():
    for cls in subclasses(PipelineLoss) - {PipelineLoss}:
        own = {name for name, value in vars(cls).items() if callable(value) or isinstance(value, property)}
        # Every class has a copy of the one forward: torch.compile counts compilations per code object.
        assert vars(cls)["forward"].__code__ == ClassificationLoss.forward.__code__, cls
        assert own == {"__init__", "forward"}, cls
        assert cls.__doc__


def test_classes_are_abstract_or_final():
    for cls in subclasses(ClassificationLoss) | subclasses(Part):
        assert getattr(cls, "__final__", False) or cls.__subclasses__(), cls
        assert not (getattr(cls, "__final__", False) and cls.__subclasses__()), cls
