"""Weights from files of several makers."""

import argparse
import hashlib
import pickle
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from medtail.backbones import create_backbone, load_weights, weights_of
from medtail.errors import InputError


@pytest.fixture(scope="module")
def trained() -> dict[str, Tensor]:
    """A small vision transformer at 224 pixels, with a head for 10 classes."""
    return timm.create_model("vit_tiny_patch16_224", num_classes=10, depth=2).state_dict()


def vit(size: int = 224, channels: int = 3) -> torch.nn.Module:
    return timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=2, img_size=size, in_chans=channels)


def renamed(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in weights.items()}


def zeros(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: torch.zeros_like(value) for key, value in weights.items()}


def test_weights_of_safetensors_are_loaded_and_reported(trained: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "vit.safetensors"
    save_file(trained, path)
    network = vit()
    report = load_weights(network, path)
    assert all(torch.equal(value, trained[key]) for key, value in network.state_dict().items())
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report.missing == () and set(report.unexpected) == {"head.weight", "head.bias"}
    assert report.loaded == len(network.state_dict())
    assert weights_of(torch.nn.Sequential(torch.nn.ReLU(), network)) is report
    assert report.sentence == (
        f"weights: vit.safetensors, {report.loaded} of {report.loaded} tensors loaded; 2 unexpected and left out: "
        f"{report.unexpected[0]}, {report.unexpected[1]}"
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"model": weights},
        lambda weights: {"state_dict": renamed(weights, "module."), "epoch": 3},
        lambda weights: {"state_dict": renamed(weights, "module.encoder_q.")},
        lambda weights: {"model": renamed(weights, "encoder.") | {"decoder.blocks.0.norm.weight": torch.ones(3)}},
        lambda weights: {
            "student": renamed(zeros(weights), "module.backbone."),
            "teacher": renamed(weights, "backbone."),
            "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]},
            "args": argparse.Namespace(arch="vit_tiny", lr=0.1),
        },
        lambda weights: {"state_dict": {**renamed(zeros(weights), "net."), **renamed(weights, "net_ema.")}},
    ],
    ids=["plain", "mae", "moco_v1", "moco_v3", "mae_whole", "dino", "ema"],
)  # fmt: skip
def test_prefixes_and_nesting_of_other_trainings_are_found(
    wrap, trained: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(wrap(trained), tmp_path / "weights.pth")
    network = vit(size=64)
    report = load_weights(network, tmp_path / "weights.pth")
    assert report.missing == ()
    assert torch.equal(network.blocks[1].attn.qkv.weight, trained["blocks.1.attn.qkv.weight"])
    assert network.pos_embed.shape == (1, 17, 192)
    # The token of the class has no place that could be moved.
    assert torch.equal(network.pos_embed[:, 0], trained["pos_embed"][:, 0])


def test_a_run_of_medtail_is_a_file_of_weights_too(tmp_path: Path) -> None:
    network = create_backbone("resnet8")
    content = {"state_dict": renamed(network.state_dict(), "method.backbone."), "epoch": 1}
    torch.save(content, tmp_path / "best.ckpt")
    other = create_backbone("resnet8", weights=str(tmp_path / "best.ckpt"))
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in other.state_dict().items())


@pytest.mark.parametrize("channels", [1, 6])
def test_filters_of_colours_become_those_of_other_channels(
    channels: int, trained: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(trained, tmp_path / "vit.pth")
    network = vit(channels=channels)
    assert load_weights(network, tmp_path / "vit.pth").missing == ()
    # Images that have the same value in every channel give what they gave in colour.
    colours = trained["patch_embed.proj.weight"].sum(dim=1)
    torch.testing.assert_close(network.patch_embed.proj.weight.sum(dim=1), colours)


def test_what_is_missing_is_named_and_stays_random(trained: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({key: value for key, value in trained.items() if key != "norm.bias"}, tmp_path / "vit.pth")
    report = load_weights(vit(), tmp_path / "vit.pth")
    assert report.missing == ("norm.bias",)
    assert "1 missing and left random: norm.bias" in report.sentence


def test_weights_of_another_network_are_refused(trained: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(trained, tmp_path / "vit.pth")
    with pytest.raises(
        InputError, match=r"must be a file of resnet18, .*vit.pth has 0% of its values"
    ) as error:
        create_backbone("resnet18", weights=str(tmp_path / "vit.pth"))
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="must be a file of vit_small_patch16_224"):
        create_backbone("vit_small_patch16_224", weights=str(tmp_path / "vit.pth"))


class Harmful:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"no weights", pickle.dumps({"model": Harmful()}), b"\x93NUMPY" + bytes(200)]
)
def test_files_of_other_kinds_are_one_sentence_and_execute_nothing(
    name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    with pytest.raises(InputError, match=r"backbone.weights must be .*cannot be read") as error:
        create_backbone("resnet8", weights=name)
    assert "\n" not in str(error.value) and not Path("executed").exists()


@pytest.mark.parametrize("weights", ["publishd", ".", "nowhere/vit.pth"])
def test_what_is_no_file_is_refused(weights: str) -> None:
    with pytest.raises(InputError, match=r"must be none, published or a file, got .*, which is no file"):
        create_backbone("resnet8", weights=weights)


def test_published_imagenet_weights_give_the_published_classes(shared_data: Path) -> None:
    path = shared_data / "weights" / "tf_efficientnet_lite0_imagenet.safetensors"
    if not path.is_file():
        pytest.skip("shared/data/weights is absent")
    backbone = create_backbone("tf_efficientnet_lite0", weights=str(path), image_size=64).eval()
    whole = timm.create_model("tf_efficientnet_lite0", checkpoint_path=str(path)).eval()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        backbone(images), whole.forward_head(whole.forward_features(images), pre_logits=True)
    )
    assert weights_of(backbone).missing == ()
