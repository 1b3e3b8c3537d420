"""Every backbone by name, and the weights that it starts from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import nn

from medtail.backbones.cifar_resnets import CIFAR_RESNETS, CifarResNet
from medtail.backbones.timm_networks import TimmNetwork, is_timm_name
from medtail.backbones.volume_resnets import VOLUME_RESNETS, create_volume_resnet
from medtail.backbones.weights import LoadedWeights, load_weights
from medtail.errors import InputError
from medtail.naming import nearest


def backbone_names() -> Sequence[str]:
    """Return every name that :func:`create_backbone` accepts: our CIFAR family, the networks for volumes, timm's."""
    import timm

    return [*CIFAR_RESNETS, *VOLUME_RESNETS, *timm.list_models()]


def create_backbone(
    name: str,
    *,
    channels: int = 3,
    image_size: int | None = None,
    weights: str = "none",
    dimensions: int = 2,
    variant: Literal["paper", "official"] = "paper",
    network: TimmNetwork | None = None,
) -> nn.Module:
    """Build a backbone by name; it has ``num_features`` and returns features ``(N, num_features)``.

    Args:
        name: ``resnet8``, ``resnet20``, ``resnet32`` or ``resnet56`` (the CIFAR family); any timm name, such as
            ``resnet18``, ``convnext_tiny`` or ``vit_small_patch14_dinov2``; ``hf_hub:OWNER/NAME``, a timm network of
            the Hugging Face Hub; for volumes ``resnet18_3d`` or ``resnet34_3d`` (MONAI's).
        channels: The number of channels of the images, at least 1.
        image_size: Pixels per side of the images. Transformers are built for it, and the position embeddings of their
            weights are resized to it; other networks take images of many sizes. By default the size that the weights
            were published for.
        weights: ``"none"`` for random ones, ``"published"`` for those that timm or the Hub publishes under this name,
            or a file, as :func:`load_weights` reads it. Only files of tensors are read, so nothing in them is executed.
        dimensions: 2 for images, 3 for volumes.
        variant: Of :class:`CifarResNet`; other networks have one.
        network: What a name of the Hub stood for when it was first read; asks the Hub by default.

    Raises:
        InputError: The name is unknown, the network and the data differ in dimensions, the network cannot be built for
            the size, the weights cannot be loaded or do not fit, or MONAI is missing.

    Example:
        >>> create_backbone("resnet32").num_features
        64
        >>> create_backbone("vit_tiny_patch16_224", image_size=64).patch_embed.grid_size
        (4, 4)
    """
    _check_dimensions(name, dimensions)
    if name not in CIFAR_RESNETS and name not in VOLUME_RESNETS:
        network = network or TimmNetwork.of(name)
        if weights == "published":
            return network.with_published_weights(channels, image_size)
        backbone = network.create(channels, image_size)
    elif weights == "published":
        raise InputError(
            f"backbone {name} has no published weights; set `backbone.weights=none`, name a file, or take a network of "
            f"timm, e.g. resnet18"
        )
    elif name in CIFAR_RESNETS:
        backbone = CifarResNet(CIFAR_RESNETS[name], channels=channels, variant=variant)
    else:
        backbone = create_volume_resnet(name, channels)
    if weights != "none":
        load_weights(backbone, Path(weights), name=name)
    return backbone


def _check_dimensions(name: str, dimensions: int) -> None:
    """Refuse a name that is unknown, or the name of a network for the other kind of images."""
    takes_volumes, takes_images = name in VOLUME_RESNETS, name in CIFAR_RESNETS or is_timm_name(name)
    if not takes_volumes and not takes_images:
        raise InputError(
            f"backbone must be one of {', '.join([*CIFAR_RESNETS, *VOLUME_RESNETS])}, a timm name or "
            f"hf_hub:OWNER/NAME, got {name!r}{nearest(name, backbone_names())}; backbone_names() lists all"
        )
    if takes_volumes and dimensions != 3:
        raise InputError(
            f"backbone must take images, as the data are, {name} takes volumes; use {', '.join(CIFAR_RESNETS)} or a "
            f"timm name, e.g. resnet18"
        )
    if takes_images and dimensions != 2:
        raise InputError(
            f"backbone must take volumes, as the data are, {name} takes images; use {' or '.join(VOLUME_RESNETS)}"
        )


def weights_of(model: nn.Module) -> LoadedWeights | None:
    """Return what was loaded into the first backbone of a model that started from weights; None if all are random."""
    loaded = (getattr(module, "loaded_weights", None) for module in model.modules())
    return next((weights for weights in loaded if isinstance(weights, LoadedWeights)), None)
