"""The supervised method: what it computes, what it refuses, what freezing means."""

import pytest
import torch

from medtail.backbones import create_backbone
from medtail.errors import InputError
from medtail.heads import CosineClassifier, EmbeddingHead, LinearHead
from medtail.losses import BalancedSoftmaxLoss, CrossEntropyLoss, DynamicAngularLoss
from medtail.methods import Supervised


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    return {"image": torch.randn(8, 3, 16, 16), "target": torch.arange(8) % 3}


def test_the_step_is_the_loss_of_the_heads_outputs(batch) -> None:
    loss = BalancedSoftmaxLoss([60, 30, 10])
    method = Supervised(create_backbone("resnet8"), LinearHead(64, 3), loss).eval()
    step = method(batch)
    outputs = method.head(method.backbone(batch["image"]))
    assert torch.equal(step.outputs, outputs)
    assert step.loss.item() == loss(outputs, batch["target"]).item()
    assert torch.equal(method.predict(batch["image"]), outputs)


@pytest.mark.parametrize(
    ("head", "loss", "message"),
    [
        (
            LinearHead(64, 3),
            DynamicAngularLoss(),
            "DynamicAngularLoss expects cosines, LinearHead emits logits",
        ),
        (
            CosineClassifier(64, 3),
            CrossEntropyLoss(),
            "CrossEntropyLoss expects logits, CosineClassifier emits",
        ),
    ],
)
def test_loss_and_head_must_fit(head, loss, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Supervised(create_backbone("resnet8"), head, loss)


def test_a_frozen_backbone_does_not_move_and_thaws(batch) -> None:
    method = Supervised(create_backbone("resnet8"), EmbeddingHead(64, 3), DynamicAngularLoss()).train()

    def changed(before: dict[str, torch.Tensor], part: torch.nn.Module) -> bool:
        return any(not torch.equal(before[name], value) for name, value in part.state_dict().items())

    def train_once() -> tuple[bool, bool]:
        backbone = {name: value.clone() for name, value in method.backbone.state_dict().items()}
        head = {name: value.clone() for name, value in method.head.state_dict().items()}
        optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
        method(batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return changed(backbone, method.backbone), changed(head, method.head)

    method.freeze_backbone(True)
    assert train_once() == (False, True)  # batch-norm statistics included
    method.train()
    assert train_once() == (False, True)  # the loop's own call of train() does not thaw it
    method.freeze_backbone(False)
    assert train_once() == (True, True)


def test_what_the_user_froze_stays_frozen() -> None:
    method = Supervised(create_backbone("resnet8"), LinearHead(64, 3), CrossEntropyLoss())
    first, *rest = method.backbone.parameters()
    first.requires_grad_(False)
    for frozen in (True, True, False, False):
        method.freeze_backbone(frozen)
        assert not first.requires_grad
        assert {parameter.requires_grad for parameter in rest} == {not frozen}
    rest[0].requires_grad_(False)
    method.freeze_backbone(False)  # as the loop does at the start of every epoch
    assert not rest[0].requires_grad
    rest[0].requires_grad_(True)
    [group] = method.parameter_groups()
    assert [id(parameter) for parameter in group["params"]] == [
        id(parameter) for parameter in method.parameters() if parameter is not first
    ]


def test_probabilities_are_the_losss(batch) -> None:
    loss = DynamicAngularLoss()
    method = Supervised(create_backbone("resnet8"), CosineClassifier(64, 3), loss).eval()
    outputs = method.predict(batch["image"])
    assert torch.equal(method.probabilities(outputs), loss.probabilities(outputs))
    assert torch.allclose(method.probabilities(outputs).sum(dim=1), torch.ones(8))


def test_initialising_weights_with_apply_reaches_the_backbone() -> None:
    method = Supervised(create_backbone("resnet8"), CosineClassifier(64, 3), DynamicAngularLoss())
    visited: list[torch.nn.Module] = []
    method.apply(visited.append)
    assert any(isinstance(module, torch.nn.Conv2d) for module in visited)
    assert method in visited
