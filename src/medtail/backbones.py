"""Backbones: from images ``(N, channels, H, W)`` or volumes ``(N, channels, D, H, W)`` to features."""

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor, nn
from torch.nn import functional

from medtail.errors import InputError
from medtail.naming import nearest


class _Shortcut(nn.Module):
    """Option A of He et al. (2016): take every other pixel, pad the new channels with zeros; no parameters."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.padding = (out_channels - in_channels) // 2

    def forward(self, maps: Tensor) -> Tensor:
        return functional.pad(maps[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))


class _Block(nn.Module):
    """Two 3×3 convolutions and a shortcut."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        stride = 1 if in_channels == out_channels else 2
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut = nn.Identity() if stride == 1 else _Shortcut(in_channels, out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(self.layers(maps) + self.shortcut(maps))


@final
class CifarResNet(nn.Module):
    """The residual network of the CIFAR experiments: 6n + 2 layers, 16, 32 and 64 channels, option-A shortcuts.

    Args:
        blocks_per_stage: n; 5 gives the ResNet-32 of the DBM and LCT papers (464,154 parameters with a
            10-class linear head).
        channels: Channels of the images.

    Images ``(N, channels, H, W)`` of any size; features ``(N, 64)``.

    Example:
        >>> import torch
        >>> CifarResNet(5)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 64])

    Source: He et al., "Deep Residual Learning for Image Recognition", 2016, §4.2.
    """

    num_features = 64

    def __init__(self, blocks_per_stage: int, *, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)
        )
        widths = [16] * blocks_per_stage + [32] * blocks_per_stage + [64] * blocks_per_stage
        self.blocks = nn.Sequential(
            *(_Block(before, after) for before, after in zip([16, *widths], widths, strict=False))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return features ``(N, 64)``."""
        maps: Tensor = self.blocks(self.stem(images))
        return maps.mean(dim=(2, 3))


@final
class VolumeResNet(nn.Module):
    """A residual network of basic blocks for volumes, MONAI's: 64, 128, 256 and 512 channels, 3×3×3 convolutions.

    The stem, 7×7×7 with stride 2 and then a pooling with stride 2, is that of He et al. and of MedicalNet's weights;
    MONAI's own default, stride 1, takes six times as long at 28³. Shortcuts are He et al.'s option B, a 1×1×1
    convolution without bias: MONAI's option A takes the shortcut out of the graph, so that no gradient passes it.

    Args:
        blocks: Of each of the four stages; (2, 2, 2, 2) is ResNet-18, (3, 4, 6, 3) ResNet-34.
        channels: Channels of the volumes.

    Volumes ``(N, channels, D, H, W)`` of any size; features ``(N, 512)``.

    Raises:
        InputError: MONAI is not installed.

    Source: He et al., "Deep Residual Learning for Image Recognition", 2016, table 1; Hara et al., "Can Spatiotemporal
    3D CNNs Retrace the History of 2D CNNs and ImageNet?", 2018.
    """

    num_features = 512

    def __init__(self, blocks: Sequence[int], *, channels: int = 1) -> None:
        super().__init__()
        try:
            from monai.networks.nets.resnet import ResNet
        except ModuleNotFoundError as error:
            raise InputError(
                "backbones of volumes need the package monai; pip install 'medtail[volumes]'"
            ) from error
        self.network = ResNet(
            "basic",
            list(blocks),
            [64, 128, 256, self.num_features],
            spatial_dims=3,
            n_input_channels=channels,
            conv1_t_size=7,
            conv1_t_stride=2,
            shortcut_type="B",
            bias_downsample=False,
            feed_forward=False,
        )

    def forward(self, volumes: Tensor) -> Tensor:
        """Return features ``(N, 512)``."""
        features: Tensor = self.network(volumes)
        return features


#: The CIFAR family by name: blocks per stage.
CIFAR_RESNETS: dict[str, int] = {"resnet8": 1, "resnet20": 3, "resnet32": 5}

#: Networks for volumes by name: blocks of each stage.
VOLUME_RESNETS: dict[str, tuple[int, ...]] = {"resnet18_3d": (2, 2, 2, 2), "resnet34_3d": (3, 4, 6, 3)}


def backbone_names() -> Sequence[str]:
    """Every name ``create_backbone`` takes: our CIFAR family, those for volumes, then timm's."""
    import timm

    return [*CIFAR_RESNETS, *VOLUME_RESNETS, *timm.list_models()]


def create_backbone(
    name: str, *, channels: int = 3, pretrained: bool = False, dimensions: int = 2
) -> nn.Module:
    """Build a backbone by name; it has ``num_features`` and returns features ``(N, num_features)``.

    Args:
        name: For images ``resnet8``, ``resnet20``, ``resnet32`` (the CIFAR family) or any timm name, such as
            ``resnet18``, ``resnext50_32x4d``, ``convnext_tiny``; for volumes ``resnet18_3d`` or ``resnet34_3d``.
        channels: Channels of the images.
        dimensions: 2 for images, 3 for volumes.
        pretrained: Load timm's published weights (ImageNet's, unless the name says otherwise). Files of
            tensors only are read: nothing in them is executed.

    Raises:
        InputError: The name is unknown, of other dimensions, MONAI is missing, or the weights cannot be had.

    Example:
        >>> create_backbone("resnet32").num_features
        64
    """
    _check_name(name)
    _check_dimensions(name, dimensions)
    if pretrained and (name in CIFAR_RESNETS or name in VOLUME_RESNETS):
        instead = " or take a timm name, e.g. resnet18" if name in CIFAR_RESNETS else ""
        raise InputError(f"backbone {name} has no published weights; leave out pretrained{instead}")
    if name in CIFAR_RESNETS:
        return CifarResNet(CIFAR_RESNETS[name], channels=channels)
    if name in VOLUME_RESNETS:
        return VolumeResNet(VOLUME_RESNETS[name], channels=channels)
    if pretrained:
        return _with_published_weights(name, channels)
    return _timm_model(name, channels, pretrained=False)


def _check_name(name: str) -> None:
    if name in CIFAR_RESNETS or name in VOLUME_RESNETS:
        return
    import timm

    if not timm.is_model(name):
        raise InputError(
            f"backbone must be one of {', '.join([*CIFAR_RESNETS, *VOLUME_RESNETS])} or a timm name, got {name!r}"
            f"{nearest(name, backbone_names())}; see medtail list backbones"
        )


def _check_dimensions(name: str, dimensions: int) -> None:
    takes_volumes = name in VOLUME_RESNETS
    if dimensions == 3 and not takes_volumes:
        raise InputError(
            f"backbone must take volumes for these data, {name} takes images; use {' or '.join(VOLUME_RESNETS)}"
        )
    if dimensions == 2 and takes_volumes:
        raise InputError(
            f"backbone must take images for these data, {name} takes volumes; use {', '.join(CIFAR_RESNETS)} or a "
            f"timm name, e.g. resnet18"
        )


def _timm_model(name: str, channels: int, *, pretrained: bool) -> nn.Module:
    import timm

    settings: dict[str, Any] = {"pretrained": pretrained, "num_classes": 0, "in_chans": channels}
    model: nn.Module = timm.create_model(name, **settings)
    return model


def _with_published_weights(name: str, channels: int) -> nn.Module:
    try:
        return _timm_model(name, channels, pretrained=True)
    # Every transport has its own exception family; all of them mean that the weights are out of reach.
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"pretrained weights of {name} cannot be loaded ({type(error).__name__}): this machine may have no "
            f"network; leave out pretrained, or put the weights into the Hugging Face cache first"
        ) from error
