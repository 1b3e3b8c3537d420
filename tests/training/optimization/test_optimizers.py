"""From a recipe to an optimizer."""

import numpy as np
import pytest
from training.stripes import recipe

from medtail.sam import SAM
from medtail.training.build import BuildContext, build_method
from medtail.training.optimization.optimizers import build_optimizer

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
