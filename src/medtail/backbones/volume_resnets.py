"""Networks for volumes: MONAI's residual networks."""

from typing import final

import torch
from torch import Tensor, nn

from medtail.errors import InputError


@final
class _Convolution3d(nn.Conv3d):
    """A 3D convolution that avoids bfloat16 where oneDNN's is broken.

    On CPUs, the gradient of the weights reads uninitialised memory when the maps are 2 voxels deep, or with a stride of
    2 when a side of them is 1 voxel (torch 2.15), so it is sometimes NaN and sometimes wrong. Such maps are small, so
    float32 costs little. Other maps of 1 voxel are computed correctly; they have the largest weights, for which float32
    would take several times as long.
    """

    def forward(self, maps: Tensor) -> Tensor:
        broken = maps.shape[2] == 2 if self.stride[0] == 1 else 1 in maps.shape[2:]
        if maps.device.type != "cpu" or not broken:
            return super().forward(maps)
        with torch.autocast("cpu", enabled=False):
            return super().forward(maps.float())


#: Networks for volumes: MONAI's name, by ours.
VOLUME_RESNETS: dict[str, str] = {"resnet18_3d": "resnet18", "resnet34_3d": "resnet34"}

_VOLUME_FEATURES = 512


def create_volume_resnet(name: str, channels: int) -> nn.Module:
    """Build a network for volumes ``(N, channels, D, H, W)`` by its key of :data:`VOLUME_RESNETS`.

    Its stem has stride 2 along every axis, and its projection shortcuts have no bias, as in 2D.

    Raises:
        InputError: MONAI is missing.
    """
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
