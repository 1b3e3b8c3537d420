"""Backbones: from images ``(N, channels, H, W)`` or volumes ``(N, channels, D, H, W)`` to features ``(N, F)``."""

from medtail.backbones.catalogue import backbone_names, create_backbone, weights_of
from medtail.backbones.cifar_resnets import CIFAR_RESNETS, CifarResNet
from medtail.backbones.timm_networks import TimmNetwork, check_image_size, is_timm_name
from medtail.backbones.volume_resnets import VOLUME_RESNETS
from medtail.backbones.weights import LoadedWeights, load_weights

__all__ = [
    "CIFAR_RESNETS",
    "VOLUME_RESNETS",
    "CifarResNet",
    "LoadedWeights",
    "TimmNetwork",
    "backbone_names",
    "check_image_size",
    "create_backbone",
    "is_timm_name",
    "load_weights",
    "weights_of",
]
