"""SAM inside the trainer: two passes of one step, told apart from two steps."""

from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.precision import MixedPrecision
from training.stripes import SIZES, recipe, stripes

from medtail.data import ImageCollection
from medtail.runs.run import Run
from medtail.training.batches.loaders import RunData
from medtail.training.build import BuildContext, build_method
from medtail.training.fit import train
from medtail.training.module import MethodModule
from medtail.training.prepare import prepare

STEPS = -(-sum(SIZES["train"]) // 16)


@pytest.fixture(scope="module")
def collection() -> ImageCollection:
    return stripes()


def weights_of(method: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in method.parameters()])


class Passes(Callback):
    """Notes what every forward pass in training saw, and the weights after every step."""

    def __init__(self) -> None:
        self.images: list[torch.Tensor] = []
        self.weights: list[torch.Tensor] = []
        self.after: list[torch.Tensor] = []
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.terms: list[dict[str, float]] = []

    def on_fit_start(self, trainer, pl_module) -> None:
        def note(method, arguments, output) -> None:
            if method.training:
                self.images.append(arguments[0]["image"].detach().clone())
                self.weights.append(weights_of(method))
                self.steps.append(trainer.global_step)
                self.losses.append(float(output.loss.detach()))
                self.terms.append({name: float(value) for name, value in output.terms.items()})

        pl_module.method.register_forward_hook(note)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.after.append(weights_of(pl_module.method))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("method", ["vs_sam", "vs_sam_lct"])
def test_both_passes_are_of_one_step(collection, tmp_path: Path, method: str, precision: str) -> None:
    passes = Passes()
    settings = recipe(
        method,
        "training.epochs=1",
        f"training.precision={precision}",
        "training.gradient_clip_norm=0.001",
        "optimizer.momentum=0",
        "optimizer.weight_decay=0",
    )
    run = Run(tmp_path / "run")
    train(collection, settings, run, callbacks=[passes])
    assert len(passes.images) == 2 * STEPS
    assert passes.steps == [step for step in range(STEPS) for _ in range(2)]
    for first in range(0, 2 * STEPS, 2):
        assert passes.images[first].equal(passes.images[first + 1])  # the same images, augmented alike
        assert passes.terms[first] == passes.terms[first + 1]  # the same λ
        before, perturbed, after = (
            passes.weights[first],
            passes.weights[first + 1],
            passes.after[first // 2],
        )
        assert (perturbed - before).norm() == pytest.approx(0.1, rel=1e-3)
        # The gradient that was used is the clipped one.
        assert (after - before).norm() == pytest.approx(0.05 * 0.001, rel=0.02)
    assert passes.terms[0] != passes.terms[2] or method == "vs_sam"

    state = torch.load(run.last_checkpoint, weights_only=True)["state_dict"]
    counted = {int(value) for name, value in state.items() if name.endswith("num_batches_tracked")}
    assert counted == {STEPS}
    sizes = [len(images) for images in passes.images[::2]]
    expected = np.average(passes.losses[::2], weights=sizes)
    assert pd.read_csv(run.metrics)["train_loss"][0] == pytest.approx(expected, rel=1e-4)


def test_it_learns_with_every_optimizer(collection, tmp_path: Path) -> None:
    for optimizer in ("sgd", "adamw"):
        settings = recipe("vs_sam", f"optimizer.name={optimizer}", "optimizer.learning_rate=0.01")
        summary = train(collection, settings, Run(tmp_path / optimizer))
        assert summary["balanced_accuracy"] > 0.6


class Stops(Callback):
    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == 2:
            raise RuntimeError("power cut")


def test_a_resumed_training_ends_as_if_never_stopped(collection, tmp_path: Path) -> None:
    settings = recipe("vs_sam_lct", "training.epochs=4")
    whole, stopped = Run(tmp_path / "whole"), Run(tmp_path / "stopped")
    train(collection, settings, whole)
    with pytest.raises(RuntimeError, match="power cut"):
        train(collection, settings, stopped, callbacks=[Stops()])
    train(collection, settings, stopped, resume=True)
    assert stopped.metrics.read_bytes() == whole.metrics.read_bytes()
    first, second = (torch.load(run.last_checkpoint, weights_only=True) for run in (whole, stopped))
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(second[part], first[part], rtol=0, atol=0)


def test_half_precision_takes_both_passes_under_the_scaler(collection, tmp_path: Path) -> None:
    settings = recipe(
        "vs_sam", "training.gradient_clip_norm=0.001", "optimizer.momentum=0", "optimizer.weight_decay=0"
    )
    data = prepare(collection, settings)
    module = MethodModule(build_method(BuildContext.of(settings, data.facts)), settings, data.facts)
    passes, scaler = Passes(), torch.amp.GradScaler("cpu", init_scale=256.0)
    lightning.Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        max_epochs=1,
        gradient_clip_val=settings.training.gradient_clip_norm,
        plugins=[MixedPrecision("16-mixed", "cpu", scaler)],
        callbacks=[passes],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    ).fit(module, datamodule=RunData(data, settings))
    assert len(passes.images) == 2 * STEPS
    for step in range(STEPS):
        before, perturbed = passes.weights[2 * step : 2 * step + 2]
        assert (perturbed - before).norm() == pytest.approx(0.1, rel=1e-3)
        assert (passes.after[step] - before).norm() == pytest.approx(0.05 * 0.001, rel=0.02)
