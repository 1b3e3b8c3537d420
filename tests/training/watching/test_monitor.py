"""The epoch that is kept: a mean of epochs chooses it, and an early one is remarked on."""

import logging
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from training.stripes import recipe, stripes

from medtail.evaluation.summaries.chosen_epoch import chosen_row
from medtail.metrics import UndefinedMetricWarning
from medtail.runs.run import Run
from medtail.runs.tasks import SingleLabel
from medtail.training.fit import train

#: High by chance in the second epoch, then rising.
NOISY = [0.4, 0.8, 0.5, 0.6, 0.65, 0.7, 0.69, 0.71]
FALLING = [0.5, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]


@pytest.fixture(scope="module")
def collection():
    return stripes()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch):
    """Lets epochs say one balanced accuracy after the other."""

    judge = SingleLabel.validation_metrics

    def say(values: list[float]) -> None:
        remaining = iter(values)

        def staged(self, *arguments) -> dict[str, float]:
            return {**judge(self, *arguments), "validation_balanced_accuracy": next(remaining)}

        monkeypatch.setattr(SingleLabel, "validation_metrics", staged)

    return say


class StopAfter(Callback):
    """Ends a training as a killed process does."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == self.epoch:
            raise RuntimeError("killed")


def kept(run: Run) -> int:
    return int(torch.load(run.best_checkpoint, weights_only=True)["epoch"])


@pytest.mark.parametrize("stopped_after", [None, 3])
def test_a_single_high_epoch_does_not_choose_also_when_continued(
    collection, said, tmp_path: Path, stopped_after: int | None
) -> None:
    run, settings = Run(tmp_path / "run"), recipe("ce", f"training.epochs={len(NOISY)}")
    said(NOISY)
    if stopped_after is not None:
        with pytest.raises(RuntimeError, match="killed"):
            train(collection, settings, run, callbacks=[StopAfter(stopped_after)])
    train(collection, settings, run, resume=stopped_after is not None)
    table = pd.read_csv(run.metrics)
    means = [np.mean(NOISY[max(0, row - 2) : row + 1]) for row in range(len(NOISY))]
    np.testing.assert_allclose(table["validation_balanced_accuracy_mean"], means, atol=1e-5)
    assert kept(run) == chosen_row(table, "balanced_accuracy", 3) == 7


def test_an_early_peak_is_remarked_on(collection, said, tmp_path: Path, caplog) -> None:
    for name, values, window, early in (("falling", FALLING, 1, 2), ("noisy", NOISY, 3, None)):
        said(values)
        caplog.clear()
        settings = recipe("ce", f"training.epochs={len(values)}", f"training.monitor_window={window}")
        with caplog.at_level(logging.INFO, logger="medtail"):
            train(collection, settings, Run(tmp_path / name))
        remarks = [text for text in caplog.messages if "is kept" in text]
        assert len(remarks) == (early is not None)
        assert all(text.startswith(f"epoch {early} of 8 is kept") for text in remarks)


def test_of_equal_epochs_single_ones_keep_the_first_and_means_the_last() -> None:
    equal = pd.DataFrame({"validation_auc": [0.5] * 4, "validation_auc_mean": [0.5] * 4})
    assert chosen_row(equal, "auc", 1) == 0 and chosen_row(equal, "auc", 3) == 3
    assert chosen_row(equal, "last_epoch", 3) == 3
    assert chosen_row(pd.DataFrame({"validation_accuracy": [0.5, 0.9, 0.6]}), "best_test", 3) == 1


class WarningsOfFit(Callback):
    """Keeps the texts of the warnings that were shown while a training ran."""

    def __init__(self, caught: list[warnings.WarningMessage]) -> None:
        self.caught = caught
        self.texts: list[str] = []

    def on_train_end(self, trainer, pl_module) -> None:
        self.texts = [str(one.message) for one in self.caught if one.category is UndefinedMetricWarning]


def test_a_warning_of_every_epoch_is_shown_once_in_every_training(collection, tmp_path: Path) -> None:
    validation = collection.rows("validation")
    lacking = collection.without(validation[collection.table["target"].to_numpy()[validation] == 2])
    for name in ("first", "second"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            watch = WarningsOfFit(caught)
            train(lacking, recipe("ce", "training.epochs=3"), Run(tmp_path / name), callbacks=[watch])
        assert any("left out" in text for text in watch.texts)
        assert len(watch.texts) == len(set(watch.texts))
