"""From a recipe to an optimizer."""

import io
from typing import Any

import numpy as np
import pytest
import timm.optim
import torch
from training.stripes import recipe

from medtail.errors import InputError
from medtail.heads import LinearHead
from medtail.losses import CrossEntropyLoss
from medtail.methods import Supervised
from medtail.recipes.schema import optimizer_names
from medtail.sam import SAM
from medtail.training.build import BuildContext, build_method
from medtail.training.optimization.optimizers import build_optimizer, learning_rate_schedule

COUNTS = np.array([60, 20, 8])


@pytest.mark.parametrize("key", ["ce", "vs_sam"])
def test_the_optimizer_sees_the_parameter_groups_of_the_method(monkeypatch, key: str) -> None:
    settings = recipe(key, "optimizer.weight_decay=0.1")
    method = build_method(BuildContext(settings, COUNTS))
    groups = [
        {"params": list(method.backbone.parameters())},
        {"params": list(method.head.parameters()), "weight_decay": 0.0},
    ]
    monkeypatch.setattr(method, "parameter_groups", lambda: groups)
    optimizer = build_optimizer(settings, method)
    assert isinstance(optimizer, SAM) == (key == "vs_sam")
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert [len(group["params"]) for group in optimizer.param_groups] == [
        len(group["params"]) for group in groups
    ]


#: One name for each of timm's classes; other names of a class are other defaults.
CLASSES = {
    timm.optim.get_optimizer_class(name, bind_defaults=False): name
    for name in optimizer_names()
    if name in timm.optim.list_optimizers()
}


class Stepping:
    """A few steps along given gradients, for which the loop is left out: there are dozens of optimizers."""

    def __init__(self, name: str, sharpness: str) -> None:
        rates = ("optimizer.learning_rate=0.01", "optimizer.weight_decay=0.01")
        settings = recipe("ce", f"optimizer.name={name}", *rates, f"optimizer.sharpness={sharpness}")
        self.method = Supervised(Tiny(), LinearHead(3, 2), CrossEntropyLoss())
        self.optimizer = build_optimizer(settings, self.method)

    def take(self, steps: range) -> None:
        for step in steps:
            torch.manual_seed(step)
            batch = {"image": torch.randn(4, 2, 3, 3), "target": torch.tensor([0, 1, 1, 0])}

            def closure(batch: dict[str, torch.Tensor] = batch) -> torch.Tensor:
                self.optimizer.zero_grad()
                loss = self.method(batch).loss
                loss.backward()
                return loss

            self.optimizer.step(closure)

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.method.state_dict().items()}


class Tiny(torch.nn.Sequential):
    num_features = 3

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.BatchNorm1d(3))


@pytest.mark.filterwarnings("ignore:It is highly recommended to have 'opt_einsum'")
@pytest.mark.parametrize("sharpness", ["null", "{radius: 0.05}"], ids=["alone", "sam"])
@pytest.mark.parametrize("name", CLASSES.values())
def test_each_of_timms_optimizers_moves_and_continues_bit_by_bit(name: str, sharpness: str) -> None:
    torch.compiler.set_stance("force_eager")
    whole = Stepping(name, sharpness)
    before = whole.weights()
    whole.take(range(4))
    assert not any(
        whole.weights()[name].equal(before[name]) for name in ("backbone.0.weight", "head.linear.weight")
    )
    stopped, resumed, file = Stepping(name, sharpness), Stepping(name, sharpness), io.BytesIO()
    stopped.take(range(2))
    torch.save({"weights": stopped.weights(), "optimizer": stopped.optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed.method.load_state_dict(saved["weights"])
    resumed.optimizer.load_state_dict(saved["optimizer"])
    resumed.take(range(2, 4))
    torch.testing.assert_close(resumed.weights(), whole.weights(), rtol=0, atol=0)


def test_timms_defaults_are_kept_and_settings_win() -> None:
    method = build_method(BuildContext(recipe("ce"), COUNTS))

    def group(*assignments: str) -> dict[str, Any]:
        settings = recipe("ce", "optimizer.name=sgdw", "optimizer.learning_rate=0.1", *assignments)
        return build_optimizer(settings, method).param_groups[0]

    defaults = timm.optim.create_optimizer_v2(method, "sgdw", lr=0.1).param_groups[0]
    own = group()
    assert {name: own[name] for name in ("lr", "momentum", "nesterov", "weight_decay")} == {
        name: defaults[name] for name in ("lr", "momentum", "nesterov", "weight_decay")
    }
    assert group("optimizer.momentum=0.5")["momentum"] == 0.5


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (
            ["optimizer.name=lamb", "optimizer.beta=1"],
            r"lamb has no setting beta; allowed: .*betas.*mean betas\?",
        ),
        (["optimizer.name=nadamw", "optimizer.betas=[2,0.9]"], r"nadamw refuses its settings \(Invalid beta"),
        (
            ["optimizer.name=sgd", "optimizer.momentum=0", "optimizer.nesterov=true"],
            "sgd refuses its settings",
        ),
    ],
)
def test_settings_of_an_optimizer_are_checked(assignments: list[str], message: str) -> None:
    settings = recipe("ce", *assignments, "optimizer.learning_rate=0.1")
    with pytest.raises(InputError, match=message):
        build_optimizer(settings, build_method(BuildContext(settings, COUNTS)))


@pytest.mark.parametrize("name", ["constant", "cosine", "step"])
def test_a_schedule_by_step_passes_through_that_by_epoch_after_the_warm_up(name: str) -> None:
    milestones = ["schedule.milestones=[3]"] if name == "step" else []
    factors = {}
    for interval in ("epoch", "step"):
        chosen = [f"schedule.name={name}", f"schedule.interval={interval}", *milestones]
        settings = recipe("ce", "training.epochs=4", "schedule.warmup_epochs=1", *chosen)
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = learning_rate_schedule(settings, optimizer, lambda: 5)
        assert scheduler["interval"] == interval
        factors[interval] = scheduler["scheduler"].lr_lambdas[0]
    assert [factors["step"](step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    epochs = range(1, 5)
    assert [factors["step"](5 * epoch) for epoch in epochs] == [factors["epoch"](epoch) for epoch in epochs]
