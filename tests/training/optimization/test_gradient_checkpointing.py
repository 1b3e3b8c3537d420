"""Gradient checkpointing computes the same, and is refused where a network cannot do it."""

import numpy as np
import pytest
import torch
from training.stripes import recipe

from medtail.methods import Method
from medtail.training.build import BuildContext, build_method
from medtail.training.optimization.optimizers import build_optimizer

COUNTS = np.array([60, 20, 8])
BATCH = {"image": torch.randn(4, 1, 32, 32), "target": torch.tensor([0, 1, 2, 0])}


class Passes:
    """A step of SAM, and how often it began to compute a block."""

    def __init__(self, network: str, checkpointing: str) -> None:
        settings = recipe(
            "vs_sam",
            f"backbone.name={network}",
            "data.image_size=32",
            f"backbone.gradient_checkpointing={checkpointing}",
        )
        torch.manual_seed(0)
        self.method: Method = build_method(BuildContext(settings, COUNTS))
        self.count = 0
        block = self.method.networks[0].blocks[0]
        block.register_forward_pre_hook(self.note)
        optimizer = build_optimizer(settings, self.method)

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = self.method(BATCH).loss
            loss.backward()
            return loss

        self.loss = optimizer.step(closure)

    def note(self, *_: object) -> None:
        self.count += 1


@pytest.mark.parametrize("network", ["test_vit", "test_vit2"])
def test_a_step_is_the_same_and_computes_blocks_twice(network: str) -> None:
    plain, checkpointed = Passes(network, "false"), Passes(network, "true")
    assert (plain.count, checkpointed.count) == (2, 4)
    torch.testing.assert_close(checkpointed.loss, plain.loss, rtol=0, atol=0)
    for name, value in plain.method.state_dict().items():
        torch.testing.assert_close(checkpointed.method.state_dict()[name], value, rtol=1e-5, atol=1e-7)


def test_prediction_does_not_ask_for_it() -> None:
    settings = recipe("ce", "backbone.name=resnet8", "backbone.gradient_checkpointing=true")
    assert build_method(BuildContext(settings, COUNTS, for_training=False))


@pytest.mark.parametrize(
    ("network", "dimensions", "name"),
    [("resnet8", 2, "CifarResNet"), ("resnet18_3d", 3, "ResNet"), ("inception_v3", 2, "InceptionV3")],
)
def test_networks_that_cannot_do_it_are_refused(refuses, network: str, dimensions: int, name: str) -> None:
    if dimensions == 3:
        pytest.importorskip("monai", reason="networks for volumes need monai")
    settings = recipe(
        "ce", f"backbone.name={network}", "backbone.gradient_checkpointing=true", "data.image_size=96"
    )
    message = refuses(build_method, BuildContext(settings, COUNTS, dimensions=dimensions))
    assert f"backbone.gradient_checkpointing must be false for {name}" in message
