"""Loss-conditional runs: what they leave, and that it is what one model says at every λ."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from training.stripes import SIZES, stripes
from training.stripes import recipe as recipe_of_stripes

from medtail import metrics
from medtail.data import ImageCollection, load_pixels
from medtail.errors import InputError
from medtail.methods import LossConditional
from medtail.metrics.metric import RECALLS
from medtail.recipes.compose import load_recipe
from medtail.recipes.schema import Recipe
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from medtail.training.fit import train
from medtail.training.inference import TrainedModel
from medtail.training.inference.condition_sweep import BackboneFeatures, conditions_table, sweep


@pytest.fixture(scope="module")
def collection() -> ImageCollection:
    return stripes(images_a_patient=2)


def recipe(method: str, *assignments: str) -> Recipe:
    return recipe_of_stripes(method, "training.epochs=2", *assignments)


@pytest.fixture(scope="module")
def run(collection, tmp_path_factory) -> Run:
    run = Run(tmp_path_factory.mktemp("conditions") / "run")
    train(collection, recipe("vs_lct", "method.film=plain"), run)
    return run


@pytest.mark.parametrize("method", ["focal_lct", "dal_lct", "dbm_bs_lct", "vs_lct_without_film"])
@pytest.mark.usefixtures("rendered_figures")
def test_every_recipe_trains_from_start_to_report(collection, tmp_path: Path, method: str) -> None:
    run = Run(tmp_path / "run")
    summary = train(collection, recipe(method, "training.epochs=5"), run)
    assert summary["balanced_accuracy"] > 0.6
    assert run.report.is_file() and run.conditions.is_file()


def test_conditions_have_a_row_for_each_split_and_combination(run: Run) -> None:
    table = pd.read_csv(run.conditions)
    grid = load_recipe(run.recipe).method.grid
    combinations = list(product(grid["gamma"], grid["tau"]))
    assert len(combinations) == 20
    for split in ("validation", "test"):
        rows = table[table["split"] == split]
        assert list(zip(rows["gamma"], rows["tau"], strict=True)) == combinations
    figures = ["auc", "average_precision", "brier", "max_f1", "max_balanced_accuracy", "balanced_accuracy"]
    figures += [f"precision_at_recall_{recall:g}" for recall in RECALLS]
    assert list(table.columns) == ["split", "gamma", "tau", *figures]
    assert table[figures].notna().all(axis=None)


def test_the_kept_features_are_those_of_the_splits(run: Run, collection) -> None:
    model = TrainedModel.load(run)
    pixels = load_pixels(collection, image_size=12, channels=1)
    for split in ("validation", "test"):
        kept, predictions = BackboneFeatures.read(run, split), Predictions.read(run.predictions(split))
        np.testing.assert_array_equal(kept.ids, predictions.ids)
        np.testing.assert_array_equal(kept.targets, predictions.targets)
        np.testing.assert_array_equal(kept.groups, predictions.groups)
        assert kept.features.dtype == np.float32 and kept.features.shape == (len(kept.ids), 64)
        again = model.features(pixels, collection.rows(split)).numpy()
        np.testing.assert_array_equal(kept.features, again)


def test_a_sweep_is_what_the_model_predicts_at_each_condition(run: Run, collection) -> None:
    model = TrainedModel.load(run)
    assert isinstance(model.method, LossConditional)
    kept = BackboneFeatures.read(run, "test")
    before = dict(model.method.condition)
    conditions, probabilities = sweep(model.method, kept.features, {"gamma": [0, 0.3], "tau": [0, 2, 4]})
    assert conditions == [{"gamma": gamma, "tau": tau} for gamma in (0, 0.3) for tau in (0, 2, 4)]
    assert probabilities.shape == (6, len(kept.ids), 3) and probabilities.dtype == np.float64
    assert dict(model.method.condition) == before
    pixels = load_pixels(collection, image_size=12, channels=1)
    for condition, table in zip(conditions, probabilities, strict=True):
        model.method.set_condition(condition)
        expected = model.probabilities(pixels, collection.rows("test"))
        np.testing.assert_allclose(table, expected, atol=1e-6)
    assert np.abs(probabilities[0] - probabilities[-1]).max() > 0.01


def test_the_saved_predictions_are_those_of_the_default_condition(run: Run) -> None:
    model = TrainedModel.load(run)
    assert isinstance(model.method, LossConditional)
    grid = {name: [value] for name, value in model.method.condition.items()}
    kept = BackboneFeatures.read(run, "test")
    _, probabilities = sweep(model.method, kept.features, grid)
    saved = Predictions.read(run.predictions("test"))
    np.testing.assert_allclose(probabilities[0], saved.probabilities, atol=1e-6)


def test_the_rows_are_the_metrics_of_their_probabilities(run: Run) -> None:
    model = TrainedModel.load(run)
    assert isinstance(model.method, LossConditional)
    kept = BackboneFeatures.read(run, "validation")
    _, probabilities = sweep(model.method, kept.features, {"gamma": [0.2], "tau": [3]})
    table = pd.read_csv(run.conditions).set_index(["split", "gamma", "tau"]).loc[("validation", 0.2, 3)]
    one_versus_rest = [
        metrics.precision_at_recall(kept.targets == index, probabilities[0][:, index], recall=0.9)
        for index in range(3)
    ]
    assert table["precision_at_recall_0.9"] == pytest.approx(np.mean(one_versus_rest), abs=1e-5)
    assert table["auc"] == pytest.approx(metrics.roc_auc(kept.targets, probabilities[0]), abs=1e-5)


def test_two_classes_are_judged_by_class_1() -> None:
    generator = np.random.default_rng(0)
    targets = np.repeat([0, 1], [30, 10])
    scores = np.clip(0.3 * targets + 0.7 * generator.random(40), 0, 1)
    table = conditions_table([{"tau": 1.0}], np.stack([1 - scores, scores], axis=1)[None], targets)
    row = table.iloc[0]
    assert row["tau"] == 1.0
    assert row["max_f1"] == pytest.approx(metrics.max_f1(targets, scores))
    assert row["brier"] == pytest.approx(np.mean((scores - targets) ** 2))
    assert row["precision_at_recall_0.99"] == pytest.approx(
        metrics.precision_at_recall(targets, scores, 0.99)
    )


def test_without_film_outputs_are_equal_for_all_conditions(collection, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    train(collection, recipe("vs_lct_without_film"), run)
    figures = pd.read_csv(run.conditions).drop(columns=["gamma", "tau"])
    assert (figures.groupby("split").nunique() == 1).all(axis=None)


def test_one_pass_of_the_backbone_serves_a_split(collection, tmp_path: Path, monkeypatch) -> None:
    passes: list[int] = []
    original = TrainedModel.features

    def counted(self, pixels, rows, progress=None):
        passes.append(len(rows))
        return original(self, pixels, rows, progress)

    monkeypatch.setattr(TrainedModel, "features", counted)
    train(collection, recipe("dbm_bs_lct"), Run(tmp_path / "run"))
    assert passes == [30, 30]


def test_resumed_training_draws_what_an_unbroken_one_draws(collection, tmp_path: Path) -> None:
    class Stop(Callback):
        def on_train_epoch_start(self, trainer, pl_module) -> None:
            if trainer.current_epoch == 2:
                raise KeyboardInterrupt

    settings = recipe("vs_lct", "training.epochs=3")
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    train(collection, settings, whole)
    with pytest.raises(KeyboardInterrupt):
        train(collection, settings, broken, callbacks=[Stop()])
    assert len(pd.read_csv(broken.metrics)) == 2
    train(collection, settings, broken, resume=True)
    for name in ("metrics", "conditions", "summary"):
        assert getattr(broken, name).read_bytes() == getattr(whole, name).read_bytes()
    table = pd.read_csv(whole.metrics)
    assert table["drawn_tau"].between(0, 3).all() and table["drawn_tau"].nunique() == 3


def test_batches_whose_gradients_add_up_share_their_condition(collection, tmp_path: Path) -> None:
    steps: list[int] = []

    class Watch(Callback):
        def on_before_zero_grad(self, trainer, pl_module, optimizer) -> None:
            steps.append(pl_module.method._step)

    train(
        collection,
        recipe("vs_lct", "training.accumulate_batches=3", "training.epochs=1"),
        Run(tmp_path / "run"),
        callbacks=[Watch()],
    )
    batches = -(-sum(SIZES["train"]) // 16)
    assert steps == list(range(-(-batches // 3)))


def test_a_run_without_conditions_keeps_no_features(collection, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    train(collection, recipe("ce", "training.epochs=1"), run)
    assert not run.conditions.exists()
    with pytest.raises(InputError, match="keeps no backbone features: only a method with λ does"):
        BackboneFeatures.read(run, "test")


@pytest.mark.parametrize(
    "grid", [{"gamma": [0.1]}, {"gamma": [0.1], "tau": []}, {"gamma": [0.1], "phi": [1]}]
)
def test_a_grid_must_list_every_parameter(run: Run, grid) -> None:
    method = TrainedModel.load(run).method
    assert isinstance(method, LossConditional)
    with pytest.raises(InputError, match="grid must list values of gamma, tau"):
        sweep(method, torch.zeros(2, 64), grid)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("method.distributions.tau=[1,3,2]", r"method.distributions.tau: height_at_high must be in \[0, 1\]"),
        (
            "method.distributions.tau=[1,3]",
            r"method.distributions.tau: list should have at least 3 items.*\[1, 3\]",
        ),
        ("method.distributions.alpha=[0.1,0.9,1.25]", "method.grid must list values of gamma, tau, alpha"),
        ("method.default={tua: 1}", "method.default must name parameters.*got 'tua'; did you mean tau"),
        ("method.film=nope", "method.film must be one of identity, plain, none, got 'nope'"),
        ("method.flim=none", "no key method.flim .*did you mean film"),
        (
            "method.name=lct",
            "method.name must be one of supervised, loss_conditional, balanced_contrastive, gaussian_mixture, "
            "nested_collaborative, tau_normalized, got 'lct'",
        ),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(assignment: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe("vs_lct", assignment)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "method.distributions.gamma=[-0.3,0.3,1]",
            r"got gamma=-0.3, tau=0: gamma must be a number in \[0, inf\)",
        ),
        ("loss.tau=1", "either vary or have one value, got both for tau"),
        ("training.accumulate_batches=2", "accumulate_batches must be 1 for loss dal"),
    ],
)
def test_what_the_loss_cannot_take_is_refused_before_anything_is_written(
    collection, tmp_path: Path, assignment: str, message: str
) -> None:
    method = "dal_lct" if "accumulate" in assignment else "vs_lct"
    with pytest.raises(InputError, match=message):
        train(collection, recipe(method, assignment), Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
