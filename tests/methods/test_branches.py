"""BCL, GML and NCL in any loop: what no step may do, and what each refuses."""

import pytest
import torch
from methods.branches import (
    COUNTS,
    Pixels,
    balanced_contrastive,
    batch,
    gaussian_mixture,
    nested_collaborative,
    teacher,
)
from torch.utils._python_dispatch import TorchDispatchMode

from medtail import tensor_checks
from medtail.heads import CosineClassifier, LinearHead
from medtail.losses import BalancedSoftmaxLoss, SoftF1Loss
from medtail.losses.parts import targets
from medtail.methods import BalancedContrastive, Expert, GaussianMixtureLikelihood, NestedCollaborative

METHODS = {"bcl": balanced_contrastive, "gml": gaussian_mixture, "ncl": nested_collaborative}

aten = torch.ops.aten

#: What makes the host wait for a device: reading a value, or a shape that depends on values.
WAITING = {
    aten._local_scalar_dense,
    aten.nonzero,
    aten.equal,
    aten.masked_select,
    aten.unique_dim,
    aten._unique2,
}


class NeverWaits(TorchDispatchMode):
    """Raises where a computation on a device would make the host wait."""

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        assert function.overloadpacket not in WAITING, function
        if function.overloadpacket in (aten.index, aten.index_put, aten.index_put_):
            assert all(index is None or index.dtype != torch.bool for index in arguments[1]), function
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("key", METHODS)
def test_the_host_never_waits_for_a_step(key: str, monkeypatch) -> None:
    # On a device, wrong ids are refused by its own assertions, and outputs are clamped without being read.
    monkeypatch.setattr(targets, "checked", lambda outputs, ids, **_: ids)
    monkeypatch.setattr(tensor_checks, "readable", lambda *_: False)
    method = METHODS[key]().train()
    optimizer = torch.optim.SGD(method.parameter_groups(), lr=0.1, momentum=0.9)
    drawn = batch(0)
    # A loss of cosines checks its outputs once per epoch.
    method(drawn)
    with NeverWaits():
        for step in range(2):
            method.set_step(step)
            output = method(drawn)
            output.loss.backward()
            optimizer.step()
            method.after_step()
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NeverWaits():
        output.loss.item()


@pytest.mark.parametrize("key", METHODS)
def test_the_optimizer_sees_what_learns_and_nothing_else(key: str) -> None:
    method = METHODS[key]().train()
    seen = {id(parameter) for group in method.parameter_groups() for parameter in group["params"]}
    named = dict(method.named_parameters())
    assert seen == {id(parameter) for parameter in named.values() if parameter.requires_grad}
    assert not any("encoder" in name and id(parameter) in seen for name, parameter in named.items())
    method(batch(0)).loss.backward()
    assert all(parameter.grad is not None for parameter in named.values() if parameter.requires_grad)


def test_the_temperature_has_no_weight_decay() -> None:
    method = gaussian_mixture()
    others, temperature = method.parameter_groups()
    assert temperature["weight_decay"] == 0.0 and "weight_decay" not in others
    assert temperature["params"] == [method.contrast.log_temperature]


def test_a_teacher_stays_as_it_is_and_follows_to_another_precision() -> None:
    method = gaussian_mixture().train()
    before = {name: value.clone() for name, value in method.teacher.method.state_dict().items()}
    method(batch(0)).loss.backward()
    assert not method.teacher.method.training
    for name, value in method.teacher.method.state_dict().items():
        assert torch.equal(value, before[name]) and not value.requires_grad
    assert not any("teacher" in name for name in method.state_dict())
    method.float()
    assert {value.dtype for value in method.teacher.method.state_dict().values()} == {torch.float32}


def test_experts_differ_and_their_mean_is_the_output() -> None:
    method = nested_collaborative().eval()
    images = batch(0)["image"]
    features = method.features(images)
    members = method.member_outputs(features)
    assert members.shape == (3, 12, len(COUNTS)) and features.shape == (12, method.num_features)
    assert not torch.allclose(members[0], members[1])
    torch.testing.assert_close(method.predict(images), members.mean(0))
    torch.testing.assert_close(method.embed(images), features)
    torch.testing.assert_close(method.probabilities(method.predict(images)).sum(1), torch.ones(12).double())


def test_experts_without_contrast_have_no_copies() -> None:
    experts = [Expert(Pixels(), LinearHead(8, len(COUNTS))) for _ in range(2)]
    method = NestedCollaborative(experts, BalancedSoftmaxLoss(COUNTS), COUNTS, contrast_weight=0.0).double()
    assert not any("contrast" in name for name in method.state_dict())
    drawn = batch(0)
    del drawn["image_1"]
    method.set_step(0)
    output = method(drawn)
    method.after_step()
    assert output.terms["contrast_loss"] == 0 and output.loss.isfinite()


def test_wrong_parts_are_refused(refuses) -> None:
    loss, head = BalancedSoftmaxLoss(COUNTS), LinearHead(8, len(COUNTS))
    wrong = CosineClassifier(8, len(COUNTS))
    expert = Expert(Pixels(), head)
    assert "experts must be at least 2, got 1" in refuses(NestedCollaborative, [expert], loss, COUNTS)
    experts = [expert, Expert(Pixels(), wrong)]
    assert "expects logits, CosineClassifier emits cosines" in refuses(
        NestedCollaborative, experts, loss, COUNTS
    )
    assert "expects logits" in refuses(BalancedContrastive, Pixels(), wrong, loss)
    assert "queue_size must be at least 2 for each of 4 classes" in refuses(
        GaussianMixtureLikelihood, Pixels(), head, loss, COUNTS, teacher(), queue_size=7
    )
    untaught = GaussianMixtureLikelihood(Pixels(), head, loss, COUNTS).double()
    assert "needs a teacher to train, got none" in refuses(untaught, batch(0))
    twins = [Expert(Pixels(), LinearHead(8, len(COUNTS))) for _ in range(2)]
    soft = NestedCollaborative(twins, SoftF1Loss(), COUNTS).double()
    assert "training_scores needs a loss of one score per class" in refuses(soft, batch(0))
