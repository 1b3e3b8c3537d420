"""Batch normalisation over several GPUs: what is converted, and where it is refused."""

from pathlib import Path

import pytest
import torch
from training.stripes import recipe, stripes

from medtail.backbones import create_backbone
from medtail.runs.run import Run
from medtail.training import devices
from medtail.training.fit import train


@pytest.mark.parametrize("name", ["resnet8", "test_efficientnet", "test_resnet"])
def test_a_converted_network_has_the_same_weights_and_outputs(name: str) -> None:
    torch.manual_seed(0)
    network, images = create_backbone(name).eval(), torch.randn(2, 3, 32, 32)
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    expected, weights = network(images), list(network.state_dict())
    converted = devices.with_sync_batch_norm(network)
    layers = [
        module for module in converted.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
    ]
    assert layers and all(isinstance(layer, torch.nn.SyncBatchNorm) for layer in layers)
    assert list(converted.state_dict()) == weights
    torch.testing.assert_close(converted(images), expected, rtol=0, atol=0)


def test_cpus_are_refused_before_anything_is_written(refuses, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "device", lambda: torch.device("cpu"))
    settings = recipe("ce", "training.devices=2", "training.sync_batch_norm=true")
    message = refuses(train, stripes(), settings, Run(tmp_path / "run"))
    assert "training.sync_batch_norm must be false on CPUs" in message
    assert not (tmp_path / "run").exists()


def test_one_device_has_nothing_to_synchronise(refuses) -> None:
    message = refuses(recipe, "ce", "training.sync_batch_norm=true")
    assert "training.sync_batch_norm must be false with training.devices=1" in message
