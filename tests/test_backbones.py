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


@pytest.mark.parametrize(("blocks", "layers"), [(1, 8), (3, 20), (5, 32), (9, 56)])
def test_the_name_counts_the_layers_with_weights(blocks: int, layers: int) -> None:
    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in CifarResNet(blocks).modules())
    assert convolutions + 1 == layers  # the classifier is the last


@pytest.mark.parametrize(("variant", "fan"), [("paper", 16 * 9), ("official", 3 * 9)])
def test_convolutions_start_as_the_variant_says(variant: str, fan: int) -> None:
    torch.manual_seed(0)
    stems = torch.cat([create_backbone("resnet8", variant=variant).stem[0].weight for _ in range(20)])
    assert stems.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.05)
    with pytest.raises(InputError, match="variant must be one of paper, official"):
        create_backbone("resnet8", variant="released")


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


def test_a_network_of_the_wrong_dimensions_is_refused_naming_what_fits() -> None:
    with pytest.raises(
        InputError, match=r"must take volumes, as the data are, resnet18 takes .* resnet18_3d"
    ):
        create_backbone("resnet18", dimensions=3)
    with pytest.raises(
        InputError, match="must take images, as the data are, resnet18_3d takes volumes; use resnet8"
    ):
        create_backbone("resnet18_3d")
    with pytest.raises(InputError, match="resnet18_3d has no published weights"):
        create_backbone("resnet18_3d", dimensions=3, pretrained=True)


def test_without_monai_volumes_ask_for_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(InputError, match=r"pip install 'medtail\[volumes\]'"):
        create_backbone("resnet18_3d", dimensions=3)


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
    assert {"resnet8", "resnet18", "resnext50_32x4d", "convnext_tiny"} <= set(names)


def test_gradients_pass_every_shortcut_of_volumes() -> None:
    backbone = create_backbone("resnet18_3d", channels=1, dimensions=3)
    for name, module in backbone.named_modules():
        if name.endswith("bn2"):
            # With the other branch closed, only shortcuts carry the gradient to the stem; MONAI's type A cuts it off.
            torch.nn.init.zeros_(module.weight)
    backbone(torch.randn(4, 1, 16, 16, 16)).square().sum().backward()
    assert backbone.conv1.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 1, 1), (1, 2, 2), (2, 2, 2), (3, 2, 2), (2, 3, 3), (3, 3, 3)]
)
def test_gradients_of_small_maps_are_those_of_float32(shape: tuple[int, ...]) -> None:
    backbone = create_backbone("resnet18_3d", channels=1, dimensions=3)
    convolution = backbone.layer2[1].conv1.to(memory_format=torch.channels_last_3d)
    maps = torch.randn(8, 128, *shape).contiguous(memory_format=torch.channels_last_3d)
    up = torch.randn(8, 128, *shape)

    def gradient(enabled: bool) -> torch.Tensor:
        convolution.zero_grad()
        rubbish = [torch.full((size,), float("nan")) for size in (1_000, 100_000, 500_000)]
        del rubbish
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            outputs = convolution(maps)
        (outputs.float() * up).sum().backward()
        return convolution.weight.grad.clone()

    expected = gradient(False)
    for _ in range(4):
        assert (gradient(True) - expected).norm() < 0.02 * expected.norm()
