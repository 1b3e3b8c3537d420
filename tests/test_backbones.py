"""Backbones by name."""

import sys

import pytest
import torch

from medtail.backbones import CIFAR_RESNETS, VOLUME_RESNETS, CifarResNet, backbone_names, create_backbone
from medtail.errors import InputError


@pytest.mark.parametrize("name", CIFAR_RESNETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_cifar_family_has_64_features_for_any_size(name: str, channels: int) -> None:
    backbone = create_backbone(name, channels=channels)
    for size in (8, 28, 33):
        assert backbone(torch.randn(2, channels, size, size)).shape == (2, 64)


@pytest.mark.parametrize(("blocks", "layers"), [(1, 8), (3, 20), (5, 32)])
def test_the_name_counts_the_layers_with_weights(blocks: int, layers: int) -> None:
    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in CifarResNet(blocks).modules())
    assert convolutions + 1 == layers  # the classifier is the last


def test_resnet32_has_the_published_number_of_parameters() -> None:
    backbone = create_backbone("resnet32")
    classifier = torch.nn.Linear(64, 10)
    total = sum(p.numel() for module in (backbone, classifier) for p in module.parameters())
    # He et al. (2016), table 6: 0.46 M; 464,154 is the count of option-A shortcuts, which have none.
    assert total == 464_154


def test_timm_names_work_with_grey_images() -> None:
    backbone = create_backbone("resnet18", channels=1)
    assert backbone.num_features == 512
    assert backbone(torch.randn(2, 1, 64, 64)).shape == (2, 512)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"backbone must be one of .* got 'resnet_18'; did you mean .*resnet18"
    ):
        create_backbone("resnet_18")


def test_pretrained_weights_of_the_cifar_family_do_not_exist() -> None:
    with pytest.raises(InputError, match="resnet20 has no published weights"):
        create_backbone("resnet20", pretrained=True)


def test_without_a_network_pretrained_fails_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="pretrained weights of resnet18 cannot be loaded") as failure:
        create_backbone("resnet18", pretrained=True)
    assert "\n" not in str(failure.value)


def test_all_names_are_listed() -> None:
    names = backbone_names()
    assert {"resnet8", "resnet18", "resnet18_3d", "resnext50_32x4d", "convnext_tiny"} <= set(names)


@pytest.mark.parametrize(("name", "layers"), [("resnet18_3d", 18), ("resnet34_3d", 34)])
def test_volumes_have_their_own_networks(name: str, layers: int) -> None:
    backbone = create_backbone(name, channels=2, dimensions=3).to(memory_format=torch.channels_last_3d)
    kernels = [m.kernel_size for m in backbone.modules() if isinstance(m, torch.nn.Conv3d)]
    # Shortcuts of 1×1×1 are not counted, the classifier is the last layer.
    assert sum(size != (1, 1, 1) for size in kernels) + 1 == layers
    for size in (8, 17):
        volumes = torch.randn(2, 2, size, size, size).contiguous(memory_format=torch.channels_last_3d)
        assert backbone(volumes).shape == (2, backbone.num_features) == (2, 512)


def test_gradients_pass_every_shortcut_of_volumes() -> None:
    backbone = create_backbone("resnet18_3d", channels=1, dimensions=3)
    for name, module in backbone.named_modules():
        if name.endswith("bn2"):
            # With the other branch closed, only shortcuts carry the gradient to the stem.
            torch.nn.init.zeros_(module.weight)
    backbone(torch.randn(4, 1, 8, 8, 8)).square().sum().backward()
    assert backbone.network.conv1.weight.grad.abs().sum() > 0


def test_a_network_of_other_dimensions_is_refused_naming_one_that_fits() -> None:
    with pytest.raises(InputError, match=r"resnet18 takes images; use resnet18_3d or resnet34_3d$"):
        create_backbone("resnet18", dimensions=3)
    with pytest.raises(InputError, match=r"resnet34_3d takes volumes; use resnet8, .* e\.g\. resnet18$"):
        create_backbone("resnet34_3d")
    with pytest.raises(InputError, match=r"got 'resnet18_4d'; did you mean .*resnet18_3d"):
        create_backbone("resnet18_4d", dimensions=3)
    with pytest.raises(InputError, match=r"resnet18_3d has no published weights; leave out pretrained$"):
        create_backbone("resnet18_3d", dimensions=3, pretrained=True)


def test_without_monai_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets.resnet", None)
    with pytest.raises(InputError, match=r"need the package monai; pip install 'medtail\[volumes\]'$"):
        create_backbone("resnet18_3d", dimensions=3)


@pytest.mark.parametrize("name", VOLUME_RESNETS)
def test_networks_of_volumes_save_and_load(name: str) -> None:
    first, second = (create_backbone(name, channels=1, dimensions=3).eval() for _ in range(2))
    second.load_state_dict(first.state_dict())
    volumes = torch.randn(1, 1, 9, 9, 9)
    assert torch.equal(first(volumes), second(volumes))
