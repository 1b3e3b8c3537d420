"""The residual networks of the CIFAR experiments."""

from typing import Literal, final

from torch import Tensor, nn
from torch.nn import functional

from medtail import checks


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
