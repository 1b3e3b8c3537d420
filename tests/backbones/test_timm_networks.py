"""Networks of timm: sizes, statistics, and names of the Hub."""

import json
import time
from pathlib import Path

import pytest
import timm
import torch

from medtail.backbones import TimmNetwork, check_image_size, create_backbone, weights_of
from medtail.errors import InputError


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub's cache, empty, of a machine that cannot reach the Hub."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://localhost:9")
    return tmp_path


def put_into_cache(cache: Path, repository: str, **files: str | bytes) -> None:
    """Lay files of a repository where the Hub's client keeps what it has fetched."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for name, content in files.items():
        path = snapshot / name.replace("__", ".")
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("vit_tiny_patch16_224", (32, 64)),
        ("vit_small_patch14_dinov2", (28, 70)),
        ("swin_tiny_patch4_window7_224", (32, 64)),
        ("vit_small_patch16_dinov3", (48,)),
    ],
)
def test_transformers_are_built_for_the_size_of_the_images(name: str, sizes: tuple[int, ...]) -> None:
    for size in sizes:
        backbone = create_backbone(name, image_size=size)
        check_image_size(backbone, name, 3, size)
        features = backbone(torch.randn(2, 3, size, size))
        assert features.shape == (2, backbone.num_features) and features.isfinite().all()


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vit_tiny_patch16_224", 70, r"must be a multiple of 16 for .*, got 70; use 64 or 80"),
        ("vit_tiny_patch16_224", 8, r"must be a multiple of 16 .*, got 8; use 16"),
        ("convnext_atto", 28, r"must be a size that convnext_atto takes, got 28 .*; use 224, the size its"),
        ("levit_128s", 70, r"must be a size that levit_128s takes, got 70 .*; use 224"),
    ],
)
def test_other_sizes_are_one_sentence(name: str, size: int, message: str) -> None:
    backbone = create_backbone(name, image_size=size)
    with pytest.raises(InputError, match=f"^data.image_size {message}") as failure:
        check_image_size(backbone, name, 3, size)
    assert "\n" not in str(failure.value)


def test_a_size_that_a_network_cannot_be_built_for_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"must be a size that gcvit_xxtiny takes, got 28 .*; use 224"):
        create_backbone("gcvit_xxtiny", image_size=28)


def test_looking_at_a_size_leaves_the_network_as_it_was() -> None:
    backbone = create_backbone("resnet18", image_size=32)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    state = torch.get_rng_state()
    check_image_size(backbone, "resnet18", 3, 32)
    assert backbone.training and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_statistics_are_those_of_the_weights() -> None:
    assert TimmNetwork.of("tf_efficientnet_lite0").statistics(3) == ([0.5] * 3, [0.5] * 3)
    assert TimmNetwork.of("resnet18").statistics(3) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert TimmNetwork.of("vit_base_patch32_clip_224").statistics(3)[0][0] == pytest.approx(0.4815, abs=1e-4)
    grey, deviation = TimmNetwork.of("resnet18").statistics(1)
    assert grey == pytest.approx([0.449]) and deviation == pytest.approx([0.226])
    assert TimmNetwork.of("resnet18").statistics(4) is None


def test_an_unknown_tag_is_answered_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"knows resnet18.a1_in1k.*; take one of them"):
        create_backbone("resnet18.nonsense")


def test_without_a_network_published_weights_fail_once_and_quickly(hub: Path) -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match="published weights of resnet18 cannot be loaded") as failure:
        create_backbone("resnet18", weights="published")
    assert "\n" not in str(failure.value)
    # The Hub's own client tries for three quarters of a minute.
    assert time.monotonic() - started < 20


def test_without_a_network_weights_are_read_from_the_cache(hub: Path) -> None:
    from safetensors.torch import save

    published = timm.create_model("vit_tiny_patch16_224").state_dict()
    put_into_cache(hub, "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k", model__safetensors=save(published))
    backbone = create_backbone("vit_tiny_patch16_224", weights="published", image_size=32)
    assert torch.equal(backbone.norm.weight, published["norm.weight"])
    assert backbone.pos_embed.shape == (1, 5, 192)
    assert weights_of(backbone).source == "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k, published"


def test_an_unknown_size_is_not_blamed_on_the_network(hub: Path) -> None:
    with pytest.raises(InputError, match="must be a size that gcvit_xxtiny takes"):
        create_backbone("gcvit_xxtiny", image_size=28, weights="published")


def test_networks_of_the_hub_are_rebuilt_without_it(hub: Path) -> None:
    with pytest.raises(InputError, match="hf_hub:clinic/retina cannot be read from the Hugging Face Hub"):
        create_backbone("hf_hub:clinic/retina")
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 4,
        "model_args": {"embed_dim": 96, "depth": 2},
        "pretrained_cfg": {
            "mean": [0.4, 0.3, 0.2],
            "std": [0.2, 0.2, 0.1],
            "input_size": [3, 224, 224],
            "fixed_input_size": True,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
            "num_classes": 4,
        },
    }
    put_into_cache(hub, "clinic/retina", config__json=json.dumps(config))
    network = TimmNetwork.of("hf_hub:clinic/retina")
    assert network.statistics(3) == ([0.4, 0.3, 0.2], [0.2, 0.2, 0.1])
    saved = json.loads(json.dumps(network.saved()))
    (hub / "models--clinic--retina").rename(hub / "gone")
    again = create_backbone("hf_hub:clinic/retina", image_size=32, network=TimmNetwork(**saved))
    assert again(torch.zeros(1, 3, 32, 32)).shape == (1, 96) and len(again.blocks) == 2
