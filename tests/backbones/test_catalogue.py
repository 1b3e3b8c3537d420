"""Backbones by name."""

import pytest
import torch

from medtail.backbones import CIFAR_RESNETS, CifarResNet, backbone_names, create_backbone
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
        create_backbone("resnet18_3d", dimensions=3, weights="published")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"backbone must be one of .* got 'resnet_18'; did you mean .*resnet18"
    ):
        create_backbone("resnet_18")


def test_published_weights_of_the_cifar_family_do_not_exist() -> None:
    with pytest.raises(InputError, match="resnet20 has no published weights"):
        create_backbone("resnet20", weights="published")


def test_all_names_are_listed() -> None:
    names = backbone_names()
    assert {"resnet8", "resnet18", "resnext50_32x4d", "convnext_tiny"} <= set(names)
