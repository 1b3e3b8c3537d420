"""The loop, in this process, on a set of pictures that three epochs can learn."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from scipy.special import softmax
from training.stripes import SIZES, recipe, stripes

from medtail import metrics
from medtail.data import ImageCollection
from medtail.errors import InputError
from medtail.methods import Supervised
from medtail.recipes.compose import load_recipe
from medtail.runs.features import SavedFeatures
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from medtail.runs.tasks import SingleLabel
from medtail.training.fit import train
from medtail.training.inference import TrainedModel


@pytest.fixture(scope="module")
def collection() -> ImageCollection:
    return stripes()


class Watch(Callback):
    """Keeps what a test wants to see."""

    def __init__(self) -> None:
        self.learning_rates: list[float] = []
        self.backbone_trained: list[bool] = []
        self.gradient_norms: list[float] = []

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        self.learning_rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        self.backbone_trained.append(next(pl_module.method.backbone.parameters()).requires_grad)

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        gradients = [p.grad.flatten() for p in pl_module.parameters() if p.grad is not None]
        self.gradient_norms.append(float(torch.cat(gradients).norm()))


@pytest.mark.parametrize("method", ["ce", "dal", "dbm_bs", "ldam_drw", "soft_mcc", "asl"])
@pytest.mark.usefixtures("rendered_figures")
def test_every_kind_of_loss_trains_from_start_to_report(collection, tmp_path: Path, method: str) -> None:
    run = Run(tmp_path / "run")
    summary = train(collection, recipe(method, "training.epochs=6"), run)
    assert summary["balanced_accuracy"] > 0.6
    assert run.report.is_file()
    assert load_recipe(run.recipe).recipe.method == method


def test_the_schedule_of_the_recipe_is_followed(collection, tmp_path: Path) -> None:
    watch = Watch()
    settings = (
        "schedule.name=step",
        "schedule.milestones=[2]",
        "schedule.factor=0.5",
        "schedule.warmup_epochs=2",
    )
    train(collection, recipe("ce", *settings), Run(tmp_path / "run"), callbacks=[watch])
    assert watch.learning_rates == pytest.approx([0.025, 0.05, 0.025])
    assert pd.read_csv(tmp_path / "run" / "metrics.csv")["learning_rate"].tolist() == pytest.approx(
        [0.025, 0.05, 0.025]
    )


def test_the_backbone_stays_frozen_as_long_as_asked(collection, tmp_path: Path) -> None:
    watch = Watch()
    train(collection, recipe("ce", "backbone.frozen_epochs=2"), Run(tmp_path / "run"), callbacks=[watch])
    assert watch.backbone_trained == [False, False, True]


def test_early_stopping_is_off_by_default_and_stops_when_asked(collection, tmp_path: Path) -> None:
    hopeless = ("optimizer.learning_rate=1e-12", "training.epochs=5")
    train(collection, recipe("ce", *hopeless), Run(tmp_path / "whole"))
    train(
        collection, recipe("ce", *hopeless, "training.early_stopping_patience=1"), Run(tmp_path / "stopped")
    )
    assert len(pd.read_csv(tmp_path / "whole" / "metrics.csv")) == 5
    assert len(pd.read_csv(tmp_path / "stopped" / "metrics.csv")) < 5


@pytest.mark.parametrize(
    ("monitor", "window", "expected", "wording"),
    [
        ("balanced_accuracy", 1, 0, "had the best validation balanced accuracy (0.333) and is"),
        (
            "balanced_accuracy",
            3,
            3,
            "balanced accuracy (0.333, the mean of it and the 2 epochs before) and is",
        ),
        ("auc", 1, 1, "had the best validation area under ROC (0.900) and is"),
        ("auc", 2, 2, "area under ROC (0.850, the mean of it and the epoch before) and is"),
        ("last_epoch", 1, 3, "the last, is judged here"),
    ],
)
def test_the_epoch_that_is_kept_is_the_one_asked_for(
    collection, tmp_path: Path, monkeypatch, monitor, window, expected, wording
) -> None:
    """Where one class is decided throughout, recalls say nothing, and areas have one high value that is noise."""
    areas, judge = iter([0.6, 0.9, 0.8, 0.85]), SingleLabel.validation_metrics

    def staged(self, *arguments) -> dict[str, float]:
        said = {"validation_balanced_accuracy": 1 / 3, "validation_auc": next(areas)}
        return {**judge(self, *arguments), **said}

    monkeypatch.setattr(SingleLabel, "validation_metrics", staged)
    run = Run(tmp_path / "run")
    settings = (f"training.monitor={monitor}", f"training.monitor_window={window}", "training.epochs=4")
    train(collection, recipe("ce", *settings), run)
    assert torch.load(run.best_checkpoint, weights_only=True)["epoch"] == expected
    assert wording in " ".join(re.sub(r"<[^>]*>", "", run.report.read_text()).split())


def test_the_area_on_validation_is_that_of_the_kept_epochs_probabilities(collection, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    train(collection, recipe("ce", "training.monitor=auc", "training.monitor_window=1"), run)
    validation = Predictions.read(run.predictions("validation"))
    area = metrics.roc_auc(validation.targets, validation.probabilities)
    assert area == pytest.approx(pd.read_csv(run.metrics)["validation_auc"].max(), abs=2e-3)


def test_a_diverging_run_ends_with_one_sentence_and_keeps_the_epochs_before(
    collection, tmp_path: Path
) -> None:
    class Breaks(Callback):
        def on_train_epoch_start(self, trainer, pl_module) -> None:
            if trainer.current_epoch == 1:
                torch.nn.init.constant_(next(pl_module.method.head.parameters()), float("nan"))

    run = Run(tmp_path / "run")
    with pytest.raises(
        InputError, match=r"training diverged: .* epoch 2 .*lower it with `optimizer\.learning"
    ):
        train(collection, recipe("ce"), run, callbacks=[Breaks()])
    weights = torch.load(run.last_checkpoint, weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in weights.values())


def test_gradients_add_up_over_accumulated_batches(collection, tmp_path: Path) -> None:
    watch = Watch()
    settings = recipe("ce", "training.accumulate_batches=3", "training.epochs=1")
    train(collection, settings, Run(tmp_path / "run"), callbacks=[watch])
    batches = -(-sum(SIZES["train"]) // 16)
    assert len(watch.gradient_norms) == -(-batches // 3)


@pytest.mark.parametrize(
    ("method", "setting", "batches_per_step"),
    [("ce", "training.accumulate_batches=3", 3), ("vs_sam", "training.accumulate_batches=1", 1)],
)
def test_a_method_acts_once_after_each_optimizer_step(
    collection, tmp_path: Path, monkeypatch, method: str, setting: str, batches_per_step: int
) -> None:
    norms: list[float] = []

    def note(self) -> None:
        norms.append(float(sum(parameter.detach().norm() for parameter in self.parameters())))

    monkeypatch.setattr(Supervised, "after_step", note)
    train(collection, recipe(method, setting, "training.epochs=1"), Run(tmp_path / "run"))
    batches = -(-sum(SIZES["train"]) // 16)
    assert len(norms) == -(-batches // batches_per_step)
    assert len(set(norms)) == len(norms)


@pytest.mark.parametrize("method", ["dal", "soft_f1", "awb"])
def test_losses_of_the_batch_refuse_accumulation(collection, tmp_path: Path, method: str) -> None:
    run = Run(tmp_path / "run")
    with pytest.raises(InputError, match=f"accumulate_batches must be 1 for loss {method}, got 2"):
        train(collection, recipe(method, "training.accumulate_batches=2"), run)
    assert not run.folder.exists()


def test_gradients_are_clipped_before_they_are_used(collection, tmp_path: Path) -> None:
    biases = {}
    for clip in ("null", "1e-6"):
        settings = recipe("ce", f"training.gradient_clip_norm={clip}", "optimizer.weight_decay=0")
        train(collection, settings, Run(tmp_path / clip))
        biases[clip] = TrainedModel.load(Run(tmp_path / clip)).method.head.state_dict()["linear.bias"]
    moved = (biases["null"] - biases["1e-6"]).abs().max()
    assert (
        moved > 0.01
    )  # without clipping the weights go somewhere; with it they stay where the seed put them


@pytest.mark.parametrize("sampling", ["stratified", "square_root"])
def test_only_training_images_are_resampled(collection, tmp_path: Path, sampling: str) -> None:
    run = Run(tmp_path / "run")
    train(collection, recipe("ce", f"sampling.name={sampling}", "training.epochs=1"), run)
    for split in ("validation", "test"):
        predictions = Predictions.read(run.predictions(split))
        assert np.bincount(predictions.targets).tolist() == list(SIZES[split])


def test_a_loaded_model_predicts_what_the_run_saved(collection, tmp_path: Path) -> None:
    from medtail.data import load_pixels

    run = Run(tmp_path / "run")
    train(collection, recipe("dal"), run)
    pixels = load_pixels(collection, image_size=12, channels=1)
    again = TrainedModel.load(run).predict(collection, pixels, collection.rows("test"))
    saved = Predictions.read(run.predictions("test"))
    np.testing.assert_array_equal(again.probabilities, saved.probabilities)


def test_a_changed_image_table_is_noticed_when_resuming(collection, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    train(collection, recipe("ce", "training.epochs=1"), run)
    changed = collection.without(np.array([0]))
    with pytest.raises(InputError, match="`resume=True` needs the data the run was started with"):
        train(changed, recipe("ce", "training.epochs=1"), run, resume=True)


def test_cosine_heads_record_angles_and_features(collection, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    train(collection, recipe("dal", "loss.scale=5"), run)
    table = pd.read_csv(run.angles)
    assert table["epoch"].tolist() == [1, 2, 3]
    assert set(table["scale"]) == {5.0}
    for kind in ("negative", "target", "train_negative", "train_target"):
        quantiles = table[[f"{kind}_q{q}" for q in ("05", "25", "50", "75", "95")]].to_numpy()
        assert (np.diff(quantiles, axis=1) >= 0).all() and quantiles.min() >= 0 and quantiles.max() <= np.pi
    with np.load(run.features) as arrays:
        features, targets, centres = arrays["features"], arrays["targets"], arrays["centres"]
    cosines = (
        features @ centres.T / np.linalg.norm(features, axis=1)[:, None] / np.linalg.norm(centres, axis=1)
    )
    predictions = Predictions.read(run.predictions("test"))
    np.testing.assert_array_equal(targets, predictions.targets)
    scores = np.exp(5 * cosines)
    np.testing.assert_allclose(
        scores / scores.sum(axis=1, keepdims=True), predictions.probabilities, atol=2e-2
    )
    assert "Angles to the class centres" in run.report.read_text()


def test_every_head_records_features_and_a_head_with_logits_no_angles(collection, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    train(collection, recipe("ce", "training.epochs=1"), run)
    assert not run.angles.exists()
    saved, predictions = SavedFeatures.read(run), Predictions.read(run.predictions("test"))
    np.testing.assert_array_equal(saved.ids, predictions.ids)
    np.testing.assert_array_equal(saved.targets, predictions.targets)
    bias = TrainedModel.load(run).method.state_dict()["head.linear.bias"].cpu().numpy()
    logits = saved.features @ saved.centres.T + bias
    np.testing.assert_allclose(softmax(logits, axis=1), predictions.probabilities, atol=1e-4)
    assert "Compactness and separability" in run.report.read_text()


def test_experts_record_their_features_side_by_side(collection, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    train(collection, recipe("dbm_ncl", "training.epochs=1", "loss.scale=5"), run)
    saved, predictions = SavedFeatures.read(run), Predictions.read(run.predictions("test"))
    # The mean cosine over the experts, each of which counts alike.
    cosines = saved.features @ saved.centres.T / 3
    np.testing.assert_allclose(softmax(5 * cosines, axis=1), predictions.probabilities, atol=1e-4)
    np.testing.assert_allclose(
        np.cos(saved.own_angles()), cosines[range(len(cosines)), saved.targets], atol=1e-5
    )
