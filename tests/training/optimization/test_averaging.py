"""The moving average of the weights: its equation, what is validated, and what is saved."""

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from training.stripes import SIZES, recipe, stripes

from medtail.runs.label_predictions import read_predictions
from medtail.runs.run import Run
from medtail.training import finishing, fit
from medtail.training.optimization.averaging import MovingAverage

DECAY = 0.9


class Weights(Callback):
    """Notes the weights after every step, in float64."""

    def __init__(self) -> None:
        self.noted: list[dict[str, torch.Tensor]] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        state = pl_module.state_dict()
        self.noted.append({name: value.double().clone() for name, value in state.items()})


@pytest.fixture(scope="module")
def averaged(tmp_path_factory) -> tuple[Run, Weights]:
    """A run of two epochs of AdaCos, whose scale is a buffer, and its weights after every step."""
    run, weights = Run(tmp_path_factory.mktemp("averaged") / "run"), Weights()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finishing, "write_report", lambda *arguments, **keywords: None)
        settings = ("training.epochs=2", "training.monitor=last_epoch", f"training.average_decay={DECAY}")
        fit.train(stripes(), recipe("adacos", *settings), run, callbacks=[weights])
    return run, weights


def test_the_saved_weights_are_the_average(averaged) -> None:
    run, weights = averaged
    assert len(weights.noted) == 2 * -(-sum(SIZES["train"]) // 16)
    expected = dict(weights.noted[0])
    for step, noted in enumerate(weights.noted[1:], start=1):
        decay = min(DECAY, (1 + step) / (10 + step))
        for name, value in noted.items():
            expected[name] = decay * expected[name] + (1 - decay) * value
    saved = torch.load(run.best_checkpoint, weights_only=True)
    for name, value in saved["state_dict"].items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), expected[name], rtol=1e-4, atol=1e-6)
    current, name = saved["current_model_state"], "method.backbone.stem.0.weight"
    assert not current[name].equal(saved["state_dict"][name])
    torch.testing.assert_close(current[name].double(), weights.noted[-1][name], rtol=0, atol=0)


def test_what_is_validated_is_what_is_saved(averaged) -> None:
    run, _ = averaged
    last = pd.read_csv(run.metrics).iloc[-1]
    predicted = read_predictions(run.predictions("validation"))
    chosen = predicted.probabilities.argmax(axis=1)
    recalls = [np.mean(chosen[predicted.targets == target] == target) for target in range(3)]
    assert last["validation_balanced_accuracy"] == pytest.approx(np.mean(recalls), abs=1e-6)
    likelihood = predicted.probabilities[np.arange(len(chosen)), predicted.targets]
    # AdaCos has no margin, so its loss is the mean log-loss of the probabilities at its scale, which is a buffer.
    assert last["validation_loss"] == pytest.approx(-np.log(likelihood).mean(), rel=1e-3)


def test_other_methods_of_epochs_have_no_average(refuses) -> None:
    message = refuses(recipe, "tau_normalized", "training.average_decay=0.9", "backbone.from_run=run")
    assert "training.average_decay must be null with method.name=tau_normalized, got 0.9" in message


def test_the_decay_warms_up() -> None:
    average = MovingAverage(0.5)
    averages, values = [torch.zeros(2)], [torch.ones(2)]
    average._follow(averages, values, 0)
    assert averages[0].tolist() == pytest.approx([0.9, 0.9])
    average._follow(averages, [torch.zeros(2)], 1000)
    assert averages[0].tolist() == pytest.approx([0.45, 0.45])
