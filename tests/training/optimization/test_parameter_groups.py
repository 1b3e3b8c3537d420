"""Which parameter has which learning rate, and which has weight decay."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from timm.models import group_parameters
from training.stripes import recipe

from medtail.backbones import create_backbone
from medtail.methods import Method, Teacher
from medtail.recipes.compose import recipe_names
from medtail.training.build import BuildContext, build_method
from medtail.training.optimization.optimizers import build_optimizer
from medtail.training.optimization.parameter_groups import parameter_groups

COUNTS = np.array([60, 20, 8])


def built(*assignments: str, key: str = "ce") -> tuple[Method, torch.optim.Optimizer]:
    common = ("data.image_size=16", "optimizer.learning_rate=0.1", "optimizer.weight_decay=0.01")
    settings = recipe(key, *common, *assignments)
    method = build_method(BuildContext(settings, COUNTS))
    return method, build_optimizer(settings, method)


def by_name(method: Method, optimizer: torch.optim.Optimizer, setting: str) -> Mapping[str, float]:
    values = {parameter: group[setting] for group in optimizer.param_groups for parameter in group["params"]}
    assert len(values) == sum(len(group["params"]) for group in optimizer.param_groups)
    return {name: values[parameter] for name, parameter in method.named_parameters()}


@pytest.mark.parametrize("name", recipe_names("methods"))
def test_without_settings_a_method_keeps_its_own_groups(name: str) -> None:
    teacher = Teacher(build_method(BuildContext(recipe("ce"), COUNTS)))
    settings = recipe(name)
    method = build_method(BuildContext(settings, COUNTS, teacher=teacher))
    assert parameter_groups(method, settings.optimizer) == method.parameter_groups()


@pytest.mark.parametrize("network", ["resnet20", "test_vit", "test_efficientnet", "test_resnet"])
def test_every_layer_learns_more_slowly_than_the_one_above(network: str) -> None:
    method, optimizer = built(f"backbone.name={network}", "optimizer.layer_decay=0.5")
    rates = by_name(method, optimizer, "lr")
    backbone = method.networks[0]
    layers = group_parameters(backbone, backbone.group_matcher(coarse=False))
    assert len(layers) > 2
    for layer, names in layers.items():
        [rate] = {rates[f"backbone.{name}"] for name in names}
        assert rate == pytest.approx(0.1 * 0.5 ** (len(layers) - 1 - layer))
    assert {rates[name] for name in rates if name.startswith("head.")} == {0.1}
    assert optimizer.param_groups[0]["lr"] == 0.1  # what metrics.csv records


def test_layers_of_volumes_are_known() -> None:
    pytest.importorskip("monai")
    network = create_backbone("resnet18_3d", channels=1, dimensions=3)
    layers = group_parameters(network, network.group_matcher(coarse=False))
    assert sorted(len(names) for names in layers.values())[0] == 3  # the stem
    assert [sorted({name.split(".")[0] for name in names}) for names in layers.values()] == [
        ["bn1", "conv1"],
        *([f"layer{stage}"] for stage in range(1, 5) for _ in range(2)),
    ]


def test_the_head_has_its_own_rate() -> None:
    method, optimizer = built("optimizer.head_learning_rate=1", "optimizer.layer_decay=0.9")
    rates = by_name(method, optimizer, "lr")
    assert {rates[name] for name in rates if name.startswith("head.")} == {1.0}
    assert max(rates[name] for name in rates if name.startswith("backbone.")) == 0.1
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_film_and_projectors_learn_as_the_head_does() -> None:
    method, optimizer = built("optimizer.head_learning_rate=1", key="vs_lct")
    rates = by_name(method, optimizer, "lr")
    assert {rates[name] for name in rates if not name.startswith("backbone.")} == {1.0}
    assert any(name.startswith("modulation.") for name in rates)


@pytest.mark.parametrize("network", ["resnet8", "test_vit"])
def test_only_weights_decay_if_the_recipe_says_so(network: str) -> None:
    method, optimizer = built(f"backbone.name={network}", "optimizer.decay_weights_only=true")
    decays = by_name(method, optimizer, "weight_decay")
    named = {f"backbone.{name}" for name in getattr(method.networks[0], "no_weight_decay", set)()}
    sizes = {name: parameter.ndim for name, parameter in method.named_parameters()}
    assert {name for name, decay in decays.items() if decay == 0} == {
        name for name in decays if sizes[name] <= 1 or name in named
    }
    assert set(decays.values()) == {0.0, 0.01}
    assert not named or named & decays.keys()


def test_every_parameter_decays_with_layer_decay_alone() -> None:
    method, optimizer = built("optimizer.layer_decay=0.9")
    assert set(by_name(method, optimizer, "weight_decay").values()) == {0.01}


def test_settings_of_the_method_win() -> None:
    teacher = Teacher(build_method(BuildContext(recipe("ce"), COUNTS)))
    settings = recipe("gml", "optimizer.layer_decay=0.9", "optimizer.weight_decay=0.01")
    method = build_method(BuildContext(settings, COUNTS, teacher=teacher))
    last = parameter_groups(method, settings.optimizer)[-1]
    assert last == {"params": [method.contrast.log_temperature], "weight_decay": 0.0}


def test_experts_have_layers_of_their_own() -> None:
    method, optimizer = built("optimizer.layer_decay=0.5", key="ncl")
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates == sorted(rates, reverse=True)
    assert len(optimizer.param_groups[-1]["params"]) == 3 * len(list(method.networks[0].stem.parameters()))


def test_a_network_of_unknown_layers_is_refused(refuses) -> None:
    settings = recipe("ce", "optimizer.layer_decay=0.5")
    method = build_method(BuildContext(settings, COUNTS))
    method.backbone = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 64))
    message = refuses(build_optimizer, settings, method)
    assert "optimizer.layer_decay must be null for Sequential, got 0.5" in message


def test_a_schedule_moves_all_rates_together() -> None:
    _, optimizer = built("optimizer.layer_decay=0.5", "optimizer.head_learning_rate=1")
    before = [group["lr"] for group in optimizer.param_groups]
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.25**epoch)
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(
        [0.25 * rate for rate in before]
    )
