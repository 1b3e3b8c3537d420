"""Every way of fine-tuning continues bit by bit: interrupted and resumed is as if never stopped."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from training.stripes import recipe, stripes

from medtail.data import ImageCollection
from medtail.runs.run import Run
from medtail.training import finishing, fit

AVERAGE = "training.average_decay=0.9"


@pytest.fixture(scope="module")
def collection() -> ImageCollection:
    return stripes()


class Stops(Callback):
    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == 1:
            raise RuntimeError("power cut")


LAYERS = (
    "optimizer.layer_decay=0.7",
    "optimizer.head_learning_rate=0.5",
    "optimizer.decay_weights_only=true",
)
STEPS = (
    "schedule.interval=step",
    "schedule.warmup_epochs=1",
    "optimizer.name=nadamw",
    "optimizer.learning_rate=0.01",
)


@pytest.mark.parametrize(
    ("method", "settings"),
    [("vs_sam", (*LAYERS, AVERAGE)), ("adacos", (*STEPS, AVERAGE))],
    ids=lambda value: value if isinstance(value, str) else value[0].split("=")[0],
)
def test_interrupted_is_unbroken(
    collection, tmp_path: Path, monkeypatch, method: str, settings: tuple[str, ...]
) -> None:
    # A report is no part of what is compared, and takes longer than the training.
    monkeypatch.setattr(finishing, "write_report", lambda *arguments, **keywords: None)
    settings = recipe(method, "training.epochs=2", *settings)
    whole, stopped = Run(tmp_path / "whole"), Run(tmp_path / "stopped")
    fit.train(collection, settings, whole)
    with pytest.raises(RuntimeError, match="power cut"):
        fit.train(collection, settings, stopped, callbacks=[Stops()])
    fit.train(collection, settings, stopped, resume=True)
    assert stopped.metrics.read_bytes() == whole.metrics.read_bytes()
    assert stopped.predictions("test").read_bytes() == whole.predictions("test").read_bytes()
    first, second = (torch.load(run.last_checkpoint, weights_only=True) for run in (whole, stopped))
    assert first.keys() == second.keys()
    for part in ("state_dict", "optimizer_states", "current_model_state"):
        torch.testing.assert_close(second[part], first[part], rtol=0, atol=0)
