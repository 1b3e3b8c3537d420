"""Heat maps point at what tells the class, and depend on what was learned."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from timm.models.swin_transformer import SwinTransformer
from training.explanation.blobs import (
    BLOB,
    CHANNELS,
    DEPTH,
    NETWORKS,
    SIDE,
    blobs,
    trained,
    transformer,
    untrained,
)

from medtail.backbones import create_backbone
from medtail.errors import InputError
from medtail.heads import LinearHead
from medtail.losses import CrossEntropyLoss
from medtail.methods import Expert, NestedCollaborative, Supervised
from medtail.training.explanation.heat_maps import HEAT_MAPS, heat_maps
from medtail.training.explanation.layers import map_layer

pytest.importorskip("pytorch_grad_cam", reason="grad-cam is not installed: pip install 'medtail[explain]'")


def hits(maps: np.ndarray, starts: torch.Tensor) -> np.ndarray:
    """Whether the hottest place of each map lies in the blob that tells the class, or at most two pixels beside it."""
    hottest = np.stack([np.unravel_index(int(one.argmax()), one.shape) for one in maps])
    return np.all(abs(hottest - (starts.numpy() + BLOB / 2)) <= BLOB / 2 + 2, axis=1)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_map_points_at_what_tells_the_class(name: str) -> None:
    images, classes, starts = blobs(24, NETWORKS[name][1], seed=1)
    assert (trained(name).predict(images).argmax(dim=1) == classes).float().mean() > 0.9
    maps = heat_maps(trained(name), images, classes.numpy())
    assert maps.shape == (24, *images.shape[2:])
    assert maps.min() == 0 and maps.max() <= 1
    # At random, a tenth of the maps would hit; half, if the other blob were taken for this one.
    assert hits(maps, starts).mean() > 0.75


@pytest.mark.parametrize("name", NETWORKS)
def test_random_weights_change_the_map(name: str) -> None:
    """The sanity check of Adebayo et al., 2018: a map that survives random weights shows edges, not a decision."""
    images, classes, starts = blobs(24, NETWORKS[name][1], seed=2)
    maps = heat_maps(trained(name), images, classes.numpy())
    others = heat_maps(untrained(name), images, classes.numpy())
    varied = [k for k in range(24) if maps[k].std() > 0 and others[k].std() > 0]
    agreement = [spearmanr(maps[k].ravel(), others[k].ravel()).statistic for k in varied]
    assert np.mean(agreement) < 0.5
    assert hits(others, starts).mean() < hits(maps, starts).mean() - 0.25


@pytest.mark.parametrize("heat_map", HEAT_MAPS)
def test_every_kind_points_at_what_tells_the_class(heat_map: str) -> None:
    images, classes, starts = blobs(12, 2, seed=3)
    maps = heat_maps(trained("convolutional"), images, classes.numpy(), heat_map=heat_map)
    assert hits(maps, starts).mean() > 0.7


def test_the_map_of_the_other_class_differs() -> None:
    images, classes, starts = blobs(24, 2, seed=4)
    against = heat_maps(trained("convolutional"), images, 1 - classes.numpy())
    assert hits(against, starts).mean() < 0.5


def test_a_frozen_network_has_maps_and_keeps_no_gradients() -> None:
    method = trained("convolutional")
    method.freeze_backbone(True)
    try:
        images, classes, starts = blobs(12, 2, seed=5)
        assert hits(heat_maps(method, images, classes.numpy()), starts).mean() > 0.7
        assert all(parameter.grad is None for parameter in method.parameters())
    finally:
        method.freeze_backbone(False)


def test_an_ensemble_gives_the_mean_over_its_networks() -> None:
    torch.manual_seed(0)
    experts = [Expert(create_backbone("resnet8", channels=CHANNELS), LinearHead(64, 2)) for _ in range(2)]
    ensemble = NestedCollaborative(experts, CrossEntropyLoss(), [3, 2], contrast_weight=0).eval()
    images = blobs(2, 2, seed=6)[0]
    each = [
        heat_maps(Supervised(expert.backbone, expert.head, CrossEntropyLoss()).eval(), images, [0, 1])
        for expert in experts
    ]
    # Outputs are the mean over experts, which a map scaled by its own maximum does not notice.
    np.testing.assert_allclose(heat_maps(ensemble, images, [0, 1]), np.mean(each, axis=0), atol=1e-5)


def test_the_layer_of_a_transformer_is_read_before_the_last_attention() -> None:
    network = transformer().eval()
    layer = map_layer(network, torch.zeros(1, CHANNELS, SIDE, SIDE))
    assert layer.module is network.blocks[-1].norm1
    tokens = torch.arange(65.0).reshape(1, 65, 1)
    np.testing.assert_array_equal(layer.as_maps(tokens)[0, 0], np.arange(1, 65).reshape(8, 8))


def test_the_layer_of_a_transformer_that_averages_its_patches_comes_last() -> None:
    network = transformer("avg").eval()
    layer = map_layer(network, torch.zeros(1, CHANNELS, SIDE, SIDE))
    assert layer.module is not network.blocks[-1].norm1
    method = Supervised(network, LinearHead(48, 2), CrossEntropyLoss()).eval()
    assert heat_maps(method, blobs(4, 2, seed=8)[0], [0, 1, 0, 1]).max() > 0


def test_the_layer_of_a_window_transformer_has_its_channels_last() -> None:
    network = SwinTransformer(
        img_size=32, patch_size=2, window_size=4, embed_dim=12, depths=(1, 1), num_heads=(2, 2), num_classes=0
    )
    layer = map_layer(network, torch.zeros(1, 3, 32, 32))
    assert layer.as_maps(torch.zeros(1, 8, 8, 24)).shape == (1, 24, 8, 8)


@pytest.mark.parametrize(
    ("name", "side", "cells"), [("resnet18", 128, 4), ("resnet18", 28, 4), ("resnet8", 12, 6)]
)
def test_the_last_layer_that_tells_places_apart_is_taken(name: str, side: int, cells: int) -> None:
    network = create_backbone(name).eval()
    layer = map_layer(network, torch.zeros(1, 3, side, side))
    shapes = []
    layer.module.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape))
    network.eval()(torch.zeros(1, 3, side, side))
    assert tuple(shapes[0][2:]) == (cells, cells)


def test_volumes_of_a_network_of_monai_have_maps() -> None:
    pytest.importorskip("monai")
    method = Supervised(
        create_backbone("resnet18_3d", channels=1, dimensions=3), LinearHead(512, 2), CrossEntropyLoss()
    )
    assert heat_maps(method.eval(), torch.randn(1, 1, DEPTH, DEPTH, DEPTH), [0]).shape == (
        1,
        DEPTH,
        DEPTH,
        DEPTH,
    )


def test_wrong_arguments_are_refused() -> None:
    images, classes, _ = blobs(1, 2, seed=7)
    with pytest.raises(InputError, match="`heat_map` must be one of grad-cam"):
        heat_maps(trained("convolutional"), images, classes.numpy(), heat_map="gradcam")
    with pytest.raises(InputError, match="classes must"):
        heat_maps(trained("convolutional"), images, [2])
    flat = Supervised(Flat(), LinearHead(8, 2), CrossEntropyLoss())
    with pytest.raises(InputError, match="Flat has none"):
        heat_maps(flat, images, [0])


class Flat(torch.nn.Module):
    """A network without maps."""

    num_features = 8

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(CHANNELS * SIDE * SIDE, 8)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1))
