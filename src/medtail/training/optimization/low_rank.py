"""Low-rank adaptation: a network stays as it is, and small matrices beside its weights learn."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from medtail.errors import InputError
from medtail.recipes.schema import LowRankSettings

#: How peft names the two factors beside a weight, and the weight itself.
_DOWN, _UP, _BASE = "lora_A.default", "lora_B.default", "base_layer"


def add_low_rank(network: nn.Module, settings: LowRankSettings) -> None:
    r"""Freeze a network and add a trainable product of low rank to its weights (LoRA, Hu et al., ICLR 2022).

    .. math:: W' = W + \frac{\alpha}{r} B A, \quad A \in \mathbb{R}^{r \times n},\ B \in \mathbb{R}^{m \times r}

    for every linear layer (query, key, value and output of attention, both layers of each MLP), or for every undivided
    convolution of a network without linear layers. B starts at 0, so that the network does not change at first. Biases
    and norms are frozen with the weights; the statistics of batch normalisation follow the new images.

    Args:
        network: Changed in place; its class and attributes stay.
        settings: Rank r, α, and the dropout before A.

    Raises:
        InputError: peft is missing, the network has no such layer, or it normalises its weights in every step.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise InputError("backbone.lora needs the package peft; pip install 'medtail[adapters]'") from error
    layers = _adaptable(network)
    if not layers or _normalises_weights(network):
        why = "its convolutions normalise their weights" if layers else "it has no layer that can be adapted"
        raise InputError(f"backbone.lora must be null for {type(network).__name__}: {why}; leave it out")
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]
        lora_dropout=settings.dropout,
        # A pattern of whole names, because peft takes a list for endings.
        target_modules="|".join(map(re.escape, layers)),
    )
    inject_adapter_in_model(config, network)


def _adaptable(network: nn.Module) -> list[str]:
    """Return the names of the linear layers of a network, or of its undivided convolutions if there are none."""
    modules = dict(network.named_modules())
    linear = [
        name
        for name, module in modules.items()
        if isinstance(module, nn.Linear) and not _lends_its_weight(name, modules)
    ]
    convolutions = [
        name
        for name, module in modules.items()
        if isinstance(module, nn.Conv2d | nn.Conv3d) and module.groups == 1
    ]
    return linear or convolutions


def _lends_its_weight(name: str, modules: Mapping[str, nn.Module]) -> bool:
    """Whether timm multiplies by the weight of a layer without calling it, as BEiT, EVA and Swin V2 do."""
    attention, _, layer = name.rpartition(".")
    return layer == "qkv" and getattr(modules[attention], "q_bias", None) is not None


def _normalises_weights(network: nn.Module) -> bool:
    """Whether convolutions normalise their weights in every step: the outputs of two of them have no sum of weights."""
    from timm.layers import std_conv

    normalising = (
        std_conv.StdConv2d,
        std_conv.StdConv2dSame,
        std_conv.ScaledStdConv2d,
        std_conv.ScaledStdConv2dSame,
    )
    return any(isinstance(module, normalising) for module in network.modules())


def merge_low_rank(weights: Mapping[str, Tensor], settings: LowRankSettings) -> dict[str, Tensor]:
    """Return the weights of a network without adapters that computes what the adapted one does.

    Prediction then needs neither peft nor any knowledge of adapters.

    Args:
        weights: Those of a checkpoint, by name.
        settings: Those it was trained with.
    """
    merged: dict[str, Tensor] = {}
    for name, value in weights.items():
        if f".{_DOWN}." in name or f".{_UP}." in name:
            continue
        layer, _, kind = name.rpartition(f".{_BASE}.")
        down, up = (weights.get(f"{layer}.{factor}.weight") for factor in (_DOWN, _UP))
        if kind == "weight" and down is not None and up is not None:
            # The second factor of a convolution is a convolution of single pixels.
            value = value + settings.alpha / settings.rank * torch.tensordot(up.flatten(1), down, dims=1)
        merged[f"{layer}.{kind}" if layer else name] = value
    return merged
