"""LoRA: what is adapted, that it starts as the network and merges into one, and a run from beginning to end."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from training.stripes import recipe, stripes

from medtail.backbones import create_backbone
from medtail.recipes.schema import LowRankSettings
from medtail.runs.label_predictions import read_predictions
from medtail.runs.run import Run
from medtail.training import finishing, fit
from medtail.training.inference import TrainedModel
from medtail.training.optimization.low_rank import add_low_rank, merge_low_rank

pytest.importorskip("peft", reason="LoRA needs peft: pip install 'medtail[adapters]'")

SETTINGS = LowRankSettings(rank=2, alpha=3.0)


def beit() -> torch.nn.Module:
    from timm.models.beit import Beit

    return Beit(img_size=32, patch_size=8, num_classes=0, embed_dim=32, depth=2, num_heads=2)


def volume() -> torch.nn.Module:
    pytest.importorskip("monai", reason="networks for volumes need monai")
    return create_backbone("resnet18_3d", channels=3, dimensions=3)


def vit() -> torch.nn.Module:
    return timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=32, patch_size=8, depth=2, embed_dim=48
    )


#: A network, the size of its images, layers that are adapted, and layers that are not.
NETWORKS: dict[str, tuple[Callable[[], torch.nn.Module], tuple[int, ...], set[str], set[str]]] = {
    "vit": (
        vit,
        (32, 32),
        {"blocks.0.attn.qkv", "blocks.0.attn.proj", "blocks.0.mlp.fc1", "blocks.0.mlp.fc2"},
        {"patch_embed.proj"},
    ),
    "beit": (beit, (32, 32), {"blocks.0.attn.proj"}, {"blocks.0.attn.qkv"}),
    "efficientnet": (
        lambda: create_backbone("test_efficientnet"),
        (32, 32),
        {"conv_stem", "blocks.1.0.conv_exp"},
        {"bn1"},
    ),
    "cifar": (lambda: create_backbone("resnet8"), (12, 12), {"stem.0", "blocks.2.layers.3"}, {"stem.1"}),
    "volume": (volume, (16, 16, 16), {"conv1", "layer4.1.conv2"}, {"bn1"}),
}


@pytest.mark.parametrize("key", NETWORKS)
def test_it_starts_as_the_network_and_merges_into_one(key: str) -> None:
    create, size, adapted, left = NETWORKS[key]
    torch.manual_seed(0)
    network, images = create().eval(), torch.randn(2, 3, *size)
    before, names = network(images), dict(network.named_parameters()).keys()
    add_low_rank(network, SETTINGS)
    network.eval()
    torch.testing.assert_close(network(images), before, rtol=1e-5, atol=1e-6)
    trained = {name for name, value in network.named_parameters() if value.requires_grad}
    layers = {name.partition(".lora_")[0] for name in trained}
    assert trained and all(".lora_" in name for name in trained)
    assert adapted <= layers and not left & layers
    for name, value in network.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(value, std=0.05)
    after = network(images)
    assert (after - before).abs().max() > 1e-4
    plain = create().eval()
    assert dict(plain.named_parameters()).keys() == names
    plain.load_state_dict(merge_low_rank(network.state_dict(), SETTINGS))
    torch.testing.assert_close(plain(images), after, rtol=1e-4, atol=1e-5)


def test_less_than_a_hundredth_of_a_vit_is_trained() -> None:
    with torch.device("meta"):
        network = timm.create_model("vit_base_patch16_224", num_classes=0)
        everything = sum(value.numel() for value in network.parameters())
        add_low_rank(network, LowRankSettings())
    trained = sum(value.numel() for value in network.parameters() if value.requires_grad)
    # Rank 4 in 12 blocks: 4 · (768 + 2304 + 768 + 768 + 768 + 3072 + 3072 + 768).
    assert trained == 12 * 4 * 12_288 < 0.01 * everything


def test_layers_that_normalise_their_weights_are_refused(refuses) -> None:
    message = refuses(add_low_rank, create_backbone("test_nfnet"), SETTINGS)
    assert "backbone.lora must be null for NormFreeNet: its convolutions normalise their weights" in message


def test_a_missing_package_is_named(refuses, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    message = refuses(add_low_rank, create_backbone("resnet8"), SETTINGS)
    assert message == "backbone.lora needs the package peft; pip install 'medtail[adapters]'"


def test_it_wants_a_trained_network(refuses, tmp_path: Path) -> None:
    message = refuses(fit.train, stripes(), recipe("ce", "backbone.lora.rank=2"), Run(tmp_path / "run"))
    assert "backbone.lora adapts a trained network, got a new one" in message
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def test_cached_features_have_nothing_to_adapt(refuses) -> None:
    message = refuses(recipe, "probe", "backbone.lora.rank=2", "backbone.from_run=run")
    assert "backbone.lora must be null with backbone.cached_features=true" in message


class Stops(fit.Callback):
    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == 1:
            raise RuntimeError("power cut")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Run, Run, Run]:
    """A first stage, and from it a run of LoRA under SAM with an average, unbroken and interrupted."""
    folder, collection = tmp_path_factory.mktemp("lora"), stripes()
    first, whole, stopped = (Run(folder / name) for name in ("first", "whole", "stopped"))
    from_first = ("training.epochs=2", f"backbone.from_run={first.folder}", "backbone.lora.rank=2")
    others = ("optimizer.layer_decay=0.8", "training.average_decay=0.5", "backbone.lora.dropout=0.1")
    settings = recipe("vs_sam", *from_first, *others)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finishing, "write_report", lambda *arguments, **keywords: None)
        fit.train(collection, recipe("ce", "training.epochs=1"), first)
        fit.train(collection, settings, whole)
        with pytest.raises(RuntimeError, match="power cut"):
            fit.train(collection, settings, stopped, callbacks=[Stops()])
        fit.train(collection, settings, stopped, resume=True)
    return first, whole, stopped


def test_only_the_adapters_and_the_head_move(runs) -> None:
    first, whole, _ = runs
    before, after = (
        torch.load(run.last_checkpoint, weights_only=True)["state_dict"] for run in (first, whole)
    )
    weights = [name for name in after if ".backbone." in name and name.endswith("base_layer.weight")]
    assert len(weights) == 7
    for name in weights:
        assert after[name].equal(before[name.replace(".base_layer", "")])
    assert any(".lora_B." in name and value.any() for name, value in after.items())
    facts = json.loads(whole.environment.read_text())
    lora = sum(value.numel() for name, value in after.items() if ".lora_" in name)
    head = sum(value.numel() for name, value in after.items() if name.startswith("method.head."))
    assert facts["trained_parameters"] == lora + head < facts["parameters"]


def test_an_interrupted_run_is_unbroken(runs) -> None:
    _, whole, stopped = runs
    assert stopped.metrics.read_bytes() == whole.metrics.read_bytes()
    first, second = (torch.load(run.last_checkpoint, weights_only=True) for run in (whole, stopped))
    for part in ("state_dict", "optimizer_states", "current_model_state"):
        torch.testing.assert_close(second[part], first[part], rtol=0, atol=0)


def test_a_saved_model_is_a_plain_network(runs, monkeypatch) -> None:
    first, whole, _ = runs
    monkeypatch.setitem(sys.modules, "peft", None)
    model, plain = TrainedModel.load(whole), TrainedModel.load(first)
    assert model.method.networks[0].state_dict().keys() == plain.method.networks[0].state_dict().keys()
    collection = stripes()
    pixels = model.read_pixels(collection)
    again = model.predict(collection, pixels, collection.rows("test"))
    saved = read_predictions(whole.predictions("test"))
    assert again.probabilities == pytest.approx(saved.probabilities, abs=1e-6)
