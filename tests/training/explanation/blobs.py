"""Pictures whose class is told by the place and channel of a blob, and small networks that learn them in seconds."""

from collections.abc import Callable
from functools import cache

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from medtail.backbones import create_backbone
from medtail.heads import LinearHead
from medtail.losses import CrossEntropyLoss
from medtail.methods import Supervised

#: Pixels along a side of a picture, of a volume and of a blob.
SIDE, DEPTH, BLOB = 32, 20, 6
CHANNELS = 3


class SmallVolumeNetwork(nn.Module):
    """Two convolutions of volumes."""

    num_features = 16

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            nn.Conv3d(CHANNELS, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool3d(2),
            nn.Conv3d(8, 16, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, volumes: Tensor) -> Tensor:
        return self.stages(volumes).mean(dim=(2, 3, 4))


def convolutional() -> nn.Module:
    return create_backbone("resnet8", channels=CHANNELS)


def transformer(pool: str = "token") -> nn.Module:
    return VisionTransformer(
        img_size=SIDE,
        patch_size=4,
        in_chans=CHANNELS,
        num_classes=0,
        embed_dim=48,
        depth=4,
        num_heads=3,
        global_pool=pool,
    )


def blobs(count: int, axes: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Noise with two blobs: one in the first or second channel, which is the class, one in the third, which tells
    nothing.

    Returns:
        Images, classes, and where the blob that tells the class begins.
    """
    generator = torch.Generator().manual_seed(seed)
    side = SIDE if axes == 2 else DEPTH
    images = 0.3 * torch.randn((count, CHANNELS, *(side,) * axes), generator=generator)
    classes = torch.randint(2, (count,), generator=generator)
    starts = torch.randint(side - BLOB, (count, axes), generator=generator)
    for image, class_id, start in zip(images, classes, starts, strict=True):
        # Half a picture away along every axis, with the edges joined.
        other = (start + (side - BLOB) // 2) % (side - BLOB)
        for channel, corner in ((int(class_id), start), (2, other)):
            image[(channel, *(slice(int(one), int(one) + BLOB) for one in corner))] += 2
    return images, classes, starts


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, float]] = {
    "convolutional": (convolutional, 2, 3e-3),
    "transformer": (transformer, 2, 2e-3),
    "volume": (SmallVolumeNetwork, 3, 1e-2),
}


def untrained(name: str) -> Supervised:
    torch.manual_seed(1)
    backbone = NETWORKS[name][0]()
    return Supervised(backbone, LinearHead(int(backbone.num_features), 2), CrossEntropyLoss()).eval()


@cache
def trained(name: str) -> Supervised:
    """A network that tells the classes apart."""
    torch.manual_seed(0)
    backbone, axes, rate = NETWORKS[name][0](), NETWORKS[name][1], NETWORKS[name][2]
    method = Supervised(backbone, LinearHead(int(backbone.num_features), 2), CrossEntropyLoss()).train()
    optimizer = torch.optim.AdamW(method.parameters(), rate)
    for step in range(60):
        images, classes, _ = blobs(32, axes, seed=100 + step)
        optimizer.zero_grad()
        method({"image": images, "target": classes}).loss.backward()
        optimizer.step()
    return method.eval()
