"""Backbones: from images ``(N, channels, H, W)`` or volumes ``(N, channels, D, H, W)`` to features ``(N, F)``."""

from collections.abc import Sequence
from typing import Any, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from medtail import checks
from medtail.errors import InputError
from medtail.naming import nearest


class _Shortcut(nn.Module):
    """Option A of He et al. (2016), without parameters: take every other pixel and pad new channels with zeros."""

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


#: By variant, what the variance of starting weights is divided by.
_FANS: dict[str, Literal["fan_in", "fan_out"]] = {"paper": "fan_out", "official": "fan_in"}


@final
class CifarResNet(nn.Module):
    """The residual network of the CIFAR experiments: 6n + 2 layers, 16, 32 and 64 channels, option-A shortcuts.

    It maps images ``(N, channels, H, W)`` of any size to features ``(N, 64)``.

    Args:
        blocks_per_stage: n; 5 gives the ResNet-32 of the DBM and LCT papers (464,154 parameters with a
            10-class linear head).
        channels: The number of channels of the images.
        variant: How convolutions start: normal with variance 2 / fan-out, as in ResNets since 2015, for ``"paper"``;
            with variance 2 / fan-in, as in the code of DBM and its baselines, for ``"official"``.

    Raises:
        InputError: The variant is unknown.

    Example:
        >>> import torch
        >>> CifarResNet(5)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 64])

    Source: He et al., "Deep Residual Learning for Image Recognition", 2016, §4.2.
    """

    num_features = 64

    def __init__(
        self, blocks_per_stage: int, *, channels: int = 3, variant: Literal["paper", "official"] = "paper"
    ) -> None:
        super().__init__()
        mode = _FANS[checks.choice("variant", variant, _FANS)]
        self.stem = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)
        )
        widths = [16] * blocks_per_stage + [32] * blocks_per_stage + [64] * blocks_per_stage
        self.blocks = nn.Sequential(
            *(_Block(before, after) for before, after in zip([16, *widths], widths, strict=False))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return features ``(N, 64)``."""
        maps: Tensor = self.blocks(self.stem(images))
        return maps.mean(dim=(2, 3))

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        """Return how names of parameters tell their layer, as timm's networks do."""
        return {"stem": r"^stem", "blocks": r"^blocks\.(\d+)"}


#: The CIFAR family: blocks per stage, by name.
CIFAR_RESNETS: dict[str, int] = {"resnet8": 1, "resnet20": 3, "resnet32": 5, "resnet56": 9}


@final
class _Convolution3d(nn.Conv3d):
    """A 3D convolution that avoids bfloat16 where oneDNN's is broken.

    On CPUs, the gradient of the weights reads uninitialised memory when the maps are 2 voxels deep (torch 2.15), so it
    is sometimes NaN and sometimes wrong. Such maps are small, so float32 costs little. Shallower maps are computed
    correctly; they have the largest weights, for which float32 would take several times as long.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if maps.device.type != "cpu" or maps.shape[2] != 2:
            return super().forward(maps)
        with torch.autocast("cpu", enabled=False):
            return super().forward(maps.float())


#: Networks for volumes: MONAI's name, by ours.
VOLUME_RESNETS: dict[str, str] = {"resnet18_3d": "resnet18", "resnet34_3d": "resnet34"}

_VOLUME_FEATURES = 512


def backbone_names() -> Sequence[str]:
    """Return every name that :func:`create_backbone` accepts: our CIFAR family, the networks for volumes, timm's."""
    import timm

    return [*CIFAR_RESNETS, *VOLUME_RESNETS, *timm.list_models()]


def create_backbone(
    name: str,
    *,
    channels: int = 3,
    pretrained: bool = False,
    dimensions: int = 2,
    variant: Literal["paper", "official"] = "paper",
) -> nn.Module:
    """Build a backbone by name; it has ``num_features`` and returns features ``(N, num_features)``.

    Args:
        name: ``resnet8``, ``resnet20``, ``resnet32`` or ``resnet56`` (the CIFAR family); any timm name, such as
            ``resnet18``, ``resnext50_32x4d`` or ``convnext_tiny``; for volumes ``resnet18_3d`` or ``resnet34_3d``
            (MONAI's, with a stem of stride 2 and projection shortcuts without bias, as in 2D).
        channels: The number of channels of the images, at least 1.
        pretrained: Load timm's published weights (ImageNet's, unless the name says otherwise). Only files of tensors
            are read, so nothing in them is executed.
        dimensions: 2 for images, 3 for volumes.
        variant: Of :class:`CifarResNet`; other networks have one.

    Raises:
        InputError: The name is unknown, the network and the data differ in dimensions, the weights cannot be loaded,
            or MONAI is missing.

    Example:
        >>> create_backbone("resnet32").num_features
        64
    """
    if name in VOLUME_RESNETS:
        return _volume_resnet(name, channels, dimensions, pretrained=pretrained)
    if dimensions != 2 and (name in CIFAR_RESNETS or _is_timm_model(name)):
        raise InputError(
            f"backbone must take volumes, as the data are, {name} takes images; use {' or '.join(VOLUME_RESNETS)}"
        )
    if name in CIFAR_RESNETS:
        if pretrained:
            raise InputError(
                f"backbone {name} has no published weights; leave out `pretrained` or take a timm name, e.g. resnet18"
            )
        return CifarResNet(CIFAR_RESNETS[name], channels=channels, variant=variant)

    if not _is_timm_model(name):
        raise InputError(
            f"backbone must be one of {', '.join([*CIFAR_RESNETS, *VOLUME_RESNETS])} or a timm name, got {name!r}"
            f"{nearest(name, backbone_names())}; backbone_names() lists all"
        )
    if pretrained:
        return _with_published_weights(name, channels)
    return _timm_model(name, channels, pretrained=False)


def _is_timm_model(name: str) -> bool:
    import timm

    return bool(timm.is_model(name))


def _volume_resnet(name: str, channels: int, dimensions: int, *, pretrained: bool) -> nn.Module:
    if dimensions != 3:
        raise InputError(
            f"backbone must take images, as the data are, {name} takes volumes; use {', '.join(CIFAR_RESNETS)} or a "
            f"timm name, e.g. resnet18"
        )
    if pretrained:
        raise InputError(f"backbone {name} has no published weights here; leave out `pretrained`")
    try:
        from monai.networks.nets import resnet
    except ImportError as error:
        raise InputError(
            f"backbone {name} needs the package monai; pip install 'medtail[volumes]'"
        ) from error
    model: nn.Module = getattr(resnet, VOLUME_RESNETS[name])(
        spatial_dims=3,
        n_input_channels=channels,
        # As in 2D; with stride 1, a step at 28 voxels takes six times as long.
        conv1_t_stride=2,
        bias_downsample=False,
        feed_forward=False,
    )
    for module in model.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = _Convolution3d
    model.num_features = _VOLUME_FEATURES  # type: ignore[assignment]
    model.group_matcher = _volume_layers  # type: ignore[assignment]
    return model


def _volume_layers(coarse: bool = False) -> dict[str, str]:
    """Return how names of parameters of MONAI's ResNets tell their layer, as timm's networks do."""
    return {"stem": r"^(?:conv1|bn1)", "blocks": r"^layer(\d+)\.(\d+)"}


def _timm_model(name: str, channels: int, *, pretrained: bool) -> nn.Module:
    import timm

    settings: dict[str, Any] = {"pretrained": pretrained, "num_classes": 0, "in_chans": channels}
    model: nn.Module = timm.create_model(name, **settings)
    return model


def _with_published_weights(name: str, channels: int) -> nn.Module:
    try:
        return _timm_model(name, channels, pretrained=True)
    # Every transport has exceptions of its own; all of them mean that the weights are out of reach.
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"pretrained weights of {name} cannot be loaded ({type(error).__name__}): this machine may have no "
            f"network; leave out `pretrained`, or put the weights into the Hugging Face cache first"
        ) from error
