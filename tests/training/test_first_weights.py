"""Training from weights of a file: what is recorded, and what continuing and predicting take."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from training.stripes import recipe, stripes

from medtail.backbones import create_backbone
from medtail.data import load_pixels
from medtail.errors import InputError
from medtail.files import write_json
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from medtail.training.fit import train
from medtail.training.inference import TrainedModel

COLLECTION = stripes()


class StopAfter(Callback):
    """Ends a training as a killed process does."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == self.epoch:
            raise RuntimeError("killed")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(7)
    path = tmp_path / "first.pth"
    torch.save(
        {
            "teacher": {
                f"backbone.{k}": v for k, v in create_backbone("resnet8", channels=1).state_dict().items()
            }
        },
        path,
    )
    return path


def from_file(path: Path, *changes: str):
    return recipe("ce", f"backbone.weights={path}", *changes)


def test_a_run_starts_from_the_file_records_it_and_needs_it_no_longer(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = create_backbone("resnet8", channels=1, weights=str(weights)).state_dict()
    seen: list[torch.Tensor] = []

    class Look(Callback):
        def on_train_start(self, trainer, pl_module) -> None:
            seen.append(pl_module.method.backbone.stem[0].weight.detach().clone())

    run = Run(tmp_path / "run")
    with caplog.at_level(logging.INFO, logger="medtail"):
        train(COLLECTION, from_file(weights, "training.epochs=1"), run, callbacks=[Look()])
    assert torch.equal(seen[0], first["stem.0.weight"])
    said = [record.getMessage() for record in caplog.records if "first.pth" in record.getMessage()]
    assert said == ["weights: first.pth, 35 of 35 tensors loaded"]
    facts = json.loads(run.dataset.read_text())
    assert facts["weights"]["source"] == "first.pth" and len(facts["weights"]["sha256"]) == 64
    assert "from the weights in first.pth" in run.report.read_text()
    weights.unlink()
    again = TrainedModel.load(run).predict(
        COLLECTION, load_pixels(COLLECTION, image_size=12, channels=1), COLLECTION.rows("test")
    )
    np.testing.assert_array_equal(
        again.probabilities, Predictions.read(run.predictions("test")).probabilities
    )


def test_continuing_after_an_epoch_takes_the_checkpoint_and_not_the_file(
    weights: Path, tmp_path: Path
) -> None:
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    settings = from_file(weights, "training.epochs=2")
    train(COLLECTION, settings, whole)
    with pytest.raises(RuntimeError, match="killed"):
        train(COLLECTION, settings, broken, callbacks=[StopAfter(1)])
    weights.unlink()
    train(COLLECTION, settings, broken, resume=True)
    assert broken.metrics.read_text() == whole.metrics.read_text()
    assert (
        json.loads(broken.dataset.read_text())["weights"] == json.loads(whole.dataset.read_text())["weights"]
    )


def test_continuing_in_the_first_epoch_takes_the_same_file_alone(weights: Path, tmp_path: Path) -> None:
    run, settings = Run(tmp_path / "run"), from_file(weights, "training.epochs=1")
    with pytest.raises(RuntimeError, match="killed"):
        train(COLLECTION, settings, run, callbacks=[StopAfter(0)])
    original = weights.read_bytes()
    torch.save(create_backbone("resnet8", channels=1).state_dict(), weights)
    with pytest.raises(InputError, match="`resume=True` needs the weights the run was started with"):
        train(COLLECTION, settings, run, resume=True)
    weights.write_bytes(original)
    assert train(COLLECTION, settings, run, resume=True)["n"] > 0


def test_images_are_normalised_as_those_that_the_weights_were_trained_on(tmp_path: Path) -> None:
    torch.save(create_backbone("tf_efficientnet_lite0", channels=1).state_dict(), tmp_path / "lite.pth")
    settings = from_file(tmp_path / "lite.pth", "backbone.name=tf_efficientnet_lite0", "training.epochs=1")
    run = Run(tmp_path / "run")
    train(COLLECTION, settings, run)
    facts = json.loads(run.dataset.read_text())
    assert (facts["mean"], facts["standard_deviation"]) == ([0.5], [0.5])
    preparation = TrainedModel.load(run).preparation
    assert preparation(torch.full((1, 1, 12, 12), 255, dtype=torch.uint8)).unique().tolist() == [1.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("backbone.weights=nowhere.pth",), "must be none, published or a file, got 'nowhere.pth'"),
        (("backbone.name=vit_tiny_patch16_224",), "data.image_size must be a multiple of 16"),
        (
            ("backbone.name=vit_tiny_patch16_224", "data.image_size=32", "augmentation.crop=24"),
            "augmentation.crop must be a multiple of 16",
        ),
        (("backbone.name=convnext_atto",), "data.image_size must be a size that convnext_atto takes, got 12"),
    ],
)
def test_what_cannot_start_is_refused_before_the_folder_is_made(
    refuses, changes: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "mkdir", lambda *arguments, **settings: pytest.fail("a folder was made"))
    assert message in refuses(train, COLLECTION, recipe("ce", *changes), Run(tmp_path / "run"))


def test_a_run_that_an_earlier_version_began_keeps_its_normalisation(weights: Path, tmp_path: Path) -> None:
    run, settings = Run(tmp_path / "run"), recipe("ce", "training.epochs=2")
    with pytest.raises(RuntimeError, match="killed"):
        train(COLLECTION, settings, run, callbacks=[StopAfter(1)])
    facts = json.loads(run.dataset.read_text())
    del facts["digest"]
    write_json(run.dataset, facts | {"mean": [0.449], "standard_deviation": [0.226]})
    train(COLLECTION, settings, run, resume=True)
    assert json.loads(run.dataset.read_text())["mean"] == [0.449]


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 224])
def test_a_vision_transformer_trains_at_any_size(size: int, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    settings = recipe(
        "balanced_softmax",
        "backbone.name=vit_tiny_patch16_224",
        f"data.image_size={size}",
        "training.epochs=1",
    )
    train(COLLECTION, settings, run)
    predictions = Predictions.read(run.predictions("test"))
    assert np.isfinite(predictions.probabilities).all()
    assert TrainedModel.load(run).method.backbone.patch_embed.grid_size == (size // 16, size // 16)
