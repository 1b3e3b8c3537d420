"""Networks for volumes."""

import sys

import pytest
import torch

from medtail.backbones import VOLUME_RESNETS, create_backbone
from medtail.errors import InputError


@pytest.mark.parametrize("name", VOLUME_RESNETS)
def test_networks_of_volumes_have_512_features_for_small_and_large_ones(name: str) -> None:
    backbone = create_backbone(name, channels=2, dimensions=3).eval()
    assert backbone.num_features == 512
    for shape in ((28, 28, 28), (20, 32, 40)):
        assert backbone(torch.randn(2, 2, *shape)).shape == (2, 512)


def test_gradients_of_volumes_are_numbers_in_bfloat16_whatever_lay_in_memory() -> None:
    backbone = create_backbone("resnet18_3d", channels=1, dimensions=3)
    volumes = torch.randn(4, 1, 28, 28, 28)
    for _ in range(3):
        rubbish = [torch.full((size,), float("nan")) for size in (10_000, 1_000_000, 3_000_000)]
        del rubbish
        with torch.autocast("cpu", torch.bfloat16):
            features = backbone(volumes)
        features.float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in backbone.parameters())


def test_without_monai_volumes_ask_for_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(InputError, match=r"pip install 'medtail\[volumes\]'"):
        create_backbone("resnet18_3d", dimensions=3)


def test_gradients_pass_every_shortcut_of_volumes() -> None:
    backbone = create_backbone("resnet18_3d", channels=1, dimensions=3)
    for name, module in backbone.named_modules():
        if name.endswith("bn2"):
            # With the other branch closed, only shortcuts carry the gradient to the stem; MONAI's type A cuts it off.
            torch.nn.init.zeros_(module.weight)
    backbone(torch.randn(4, 1, 16, 16, 16)).square().sum().backward()
    assert backbone.conv1.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (2, 1, 1), (1, 2, 2), (2, 2, 2), (3, 2, 2), (2, 3, 3), (3, 3, 3), (4, 1, 2), (2, 2, 1)],
)
def test_gradients_of_small_maps_are_those_of_float32(shape: tuple[int, ...], stride: int) -> None:
    backbone = create_backbone("resnet18_3d", channels=1, dimensions=3)
    convolution = {1: backbone.layer2[1].conv1, 2: backbone.layer3[0].conv1}[stride]
    assert convolution.stride[0] == stride
    convolution.to(memory_format=torch.channels_last_3d)
    maps = torch.randn(8, 128, *shape).contiguous(memory_format=torch.channels_last_3d)
    with torch.no_grad():
        up = torch.randn_like(convolution(maps))

    def gradient(enabled: bool) -> torch.Tensor:
        convolution.zero_grad()
        rubbish = [torch.full((size,), float("nan")) for size in (1_000, 100_000, 500_000, 1_000_000)]
        del rubbish
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            outputs = convolution(maps)
        (outputs.float() * up).sum().backward()
        return convolution.weight.grad.clone()

    expected = gradient(False)
    for _ in range(4):
        assert (gradient(True) - expected).norm() < 0.02 * expected.norm()
