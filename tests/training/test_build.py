"""From a recipe to a method and its optimizer: what is built for training, and what for prediction alone."""

from typing import Any

import numpy as np
import pytest
import torch
from training.stripes import recipe

from medtail.backbones import create_backbone
from medtail.methods import Method
from medtail.recipes.compose import recipe_names
from medtail.sam import SAM
from medtail.training import build
from medtail.training.build import BuildContext, build_method, build_optimizer

COUNTS = np.array([60, 20, 8])


@pytest.mark.parametrize("name", recipe_names("methods"))
def test_a_method_and_its_settings_agree_on_what_it_can_do(name: str) -> None:
    settings = recipe(name)
    method = build_method(BuildContext(settings, COUNTS))
    condition = settings.method.condition
    assert (method.conditional is None) == (condition is None) == (settings.method.condition_grid is None)
    if method.conditional is not None:
        assert dict(method.conditional.condition) == condition
    assert (type(method).label_probabilities is not Method.label_probabilities) == settings.method.multi_label
    assert method.uses_batch_statistics == BuildContext(settings, COUNTS).loss().uses_batch_statistics
    assert method.class_centres is not None and len(method.class_centres) == len(COUNTS)


@pytest.mark.parametrize("for_training", [True, False])
def test_published_weights_are_for_training_alone(monkeypatch, for_training: bool) -> None:
    asked: list[bool] = []

    def create(*arguments: Any, pretrained: bool, **settings: Any) -> torch.nn.Module:
        asked.append(pretrained)
        return create_backbone(*arguments, **settings)

    monkeypatch.setattr(build, "create_backbone", create)
    build_method(BuildContext(recipe("ce", "backbone.pretrained=true"), COUNTS, for_training=for_training))
    assert asked == [for_training]


def test_what_only_training_forbids_does_not_keep_a_run_from_predicting() -> None:
    settings = recipe("dal", "training.accumulate_batches=2")
    assert build_method(BuildContext(settings, COUNTS, for_training=False)).uses_batch_statistics


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
