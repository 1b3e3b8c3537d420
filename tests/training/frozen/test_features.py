"""Features of a frozen network: looked at once, by whoever comes first."""

import json
import logging
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from training.stripes import recipe, stripes

from medtail.data import ImageCollection
from medtail.data.decoded.cache import PixelCache
from medtail.errors import InputError
from medtail.recipes.choose_recipe import choose_recipe
from medtail.runs.run import Run
from medtail.training.checkpoint_reading import read_checkpoint
from medtail.training.fit import train, train_trial
from medtail.training.frozen.cache import FeatureCache, feature_key
from medtail.training.frozen.views import DrawnView, EveryView, PlainView
from medtail.training.inference import TrainedModel


@pytest.fixture(scope="module")
def collection() -> ImageCollection:
    return stripes()


@pytest.fixture(scope="module")
def first(collection, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("runs") / "first")
    train(collection, recipe("ce", "training.epochs=1"), run)
    return run


@pytest.fixture
def cache(tmp_path: Path) -> PixelCache:
    return PixelCache(tmp_path / "cache")


@pytest.fixture
def probe(collection, first: Run, cache: PixelCache, tmp_path: Path) -> Callable[..., Run]:
    """Train a head on the features of the first run."""

    def start(name: str, fit=train, **changes) -> Run:
        backbone = {"from_run": str(first.folder), **changes.pop("backbone", {})}
        settings = {"backbone": backbone, "training": {"epochs": 2, **changes.pop("training", {})}, **changes}
        run = Run(tmp_path / name)
        fit(collection, choose_recipe(collection, "probe", None, [settings]), run, cache=cache)
        return run

    return start


def _entries(cache: PixelCache) -> list[Path]:
    return sorted((cache.folder / "features").glob("*.npy"))


def _head(run: Run) -> torch.Tensor:
    weight: torch.Tensor = read_checkpoint(run.last_checkpoint)["state_dict"]["method.head.linear.weight"]
    return weight


def test_runs_that_differ_in_what_follows_the_network_share_its_features(
    probe, cache: PixelCache, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "medtail.training.frozen"):
        probe("one")
        [entry] = _entries(cache)
        monkeypatch.setattr(
            "medtail.training.frozen.features._look", lambda *_: pytest.fail("the network looked again")
        )
        monkeypatch.setattr(
            "medtail.training.inference.TrainedModel.features", lambda *_: pytest.fail("the run looked again")
        )
        probe("two", loss={"name": "dbm_bs"}, training={"seed": 1, "epochs": 1})
        probe("three", fit=train_trial, sampling={"name": "class_balanced"})
    assert _entries(cache) == [entry]
    [line] = [record.getMessage() for record in caplog.records if "looks at" in record.getMessage()]
    assert line.startswith("the frozen network looks at 148 images once") and "MiB)" in line
    assert not list(entry.parent.glob("*.tmp"))


def test_what_is_saved_is_what_the_run_predicts(probe, collection, first: Run) -> None:
    """Predictions come from cached features; the run itself looks at images."""
    run = probe("run")
    model, rows = TrainedModel.load(run), collection.rows("test")
    saved = model.facts.task.read_predictions(run.predictions("test"))
    assert saved is not None
    pixels = model.read_pixels(collection)
    np.testing.assert_allclose(saved.probabilities, model.probabilities(pixels, rows), atol=1e-5)
    assert run.report.is_file() and pd.read_csv(run.metrics)["epoch"].tolist() == [1, 2]


def test_a_convex_loss_is_fitted_by_l_bfgs_and_the_choice_is_recorded(probe, collection, cache) -> None:
    run = probe("run", loss={"name": "balanced_softmax"})
    assert run.read_recipe()["optimizer"]["name"] == "lbfgs"
    assert probe("cosines", loss={"name": "dal"}).read_recipe()["optimizer"]["name"] == "sgd"
    drawn = probe("drawn", sampling={"name": "class_balanced"})
    assert drawn.read_recipe()["optimizer"]["name"] == "sgd"
    # A finished run of the same settings is taken as it is.
    settings = choose_recipe(
        collection,
        "probe",
        None,
        [{**run.read_recipe(), "optimizer": {"name": "auto", "learning_rate": 0.1}}],
    )
    train(collection, settings, run, resume=True, cache=cache)


def test_l_bfgs_is_refused_where_it_finds_no_minimum(probe, collection, refuses) -> None:
    with pytest.raises(InputError, match=r"optimizer\.name=lbfgs needs a loss that is convex"):
        probe("a", loss={"name": "focal"}, optimizer={"name": "lbfgs"})
    with pytest.raises(
        InputError, match=r"needs sampling\.name=uniform, training\.devices=1 .* got class_balanced"
    ):
        probe("b", sampling={"name": "class_balanced"}, optimizer={"name": "lbfgs"})
    with pytest.raises(InputError, match=r"optimizer\.name=lbfgs needs backbone\.cached_features=true"):
        recipe("ce", "optimizer.name=lbfgs")
    with pytest.raises(InputError, match=r"backbone\.cached_views must be 0 without"):
        recipe("ce", "backbone.cached_views=2")


def test_augmented_views_are_cached_beside_the_plain_one(probe, cache: PixelCache) -> None:
    flips = {"horizontal_flip": 1.0, "shift": 0, "affine": None}
    run = probe("flipped", backbone={"cached_views": 1}, augmentation=flips)
    [entry] = _entries(cache)
    features = np.load(entry)
    assert features.shape == (148, 2, 64)
    assert not np.allclose(features[:, 0], features[:, 1])
    other = probe("plain", augmentation=flips)
    assert len(_entries(cache)) == 2
    plain = np.load(next(path for path in _entries(cache) if path != entry))
    np.testing.assert_array_equal(features[:, 0], plain[:, 0])
    assert not torch.equal(_head(run), _head(other))


def test_views_are_drawn_for_steps_and_all_taken_for_a_fit() -> None:
    batch = {
        "image": torch.arange(12.0).view(2, 3, 2),
        "target": torch.tensor([0, 1]),
        "row": torch.tensor([7, 9]),
    }
    assert PlainView()(batch["image"]).tolist() == [[0, 1], [6, 7]]
    every = EveryView()(batch, PlainView())
    assert every["image"].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
    assert every["target"].tolist() == [0, 0, 0, 1, 1, 1]
    torch.manual_seed(0)
    drawn = [DrawnView()(batch, PlainView())["image"][:, 0].tolist() for _ in range(60)]
    assert {values[0] for values in drawn} == {0, 2, 4} and {values[1] for values in drawn} == {6, 8, 10}


@pytest.mark.parametrize("flip", [0.0, 0.5])
def test_frozen_epochs_look_once_where_nothing_is_augmented(
    collection, cache: PixelCache, tmp_path: Path, flip: float, monkeypatch
) -> None:
    still = ["augmentation.shift=0", "augmentation.affine=null", f"augmentation.horizontal_flip={flip}"]
    # Known features are of float32, whatever the precision of training.
    still.append("training.precision=32-true")
    settings = recipe("ce", "backbone.frozen_epochs=2", "training.epochs=3", *still)
    known = Run(tmp_path / "known")
    train(collection, settings, known, cache=cache)
    assert len(_entries(cache)) == (flip == 0)
    if flip == 0:
        monkeypatch.setattr("medtail.training.frozen.features._same_in_every_epoch", lambda *_: False)
        looked = Run(tmp_path / "looked")
        train(collection, settings, looked, cache=cache)
        one, other = (pd.read_csv(run.metrics)["train_loss"] for run in (known, looked))
        np.testing.assert_allclose(one, other, rtol=1e-4)
        torch.testing.assert_close(_head(known), _head(looked), rtol=1e-3, atol=1e-4)


def test_nothing_is_kept_where_the_recipe_says_so(probe, cache: PixelCache) -> None:
    probe("run", data={"cache": "never"})
    assert not _entries(cache)


def test_a_key_changes_with_weights_and_settings() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    key = feature_key(network, {"size": 12})
    assert feature_key(network, {"size": 12}) == key
    assert feature_key(network, {"size": 13}) != key
    network[1].num_batches_tracked += 1
    assert feature_key(network, {"size": 12}) != key


def test_a_damaged_entry_is_written_again(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "features", "nowhere")
    cache.features("key", (4, 1, 3), lambda features: features.fill(1.0))
    path = tmp_path / "features" / "key.npy"
    path.write_bytes(path.read_bytes()[:90])
    assert (cache.features("key", (4, 1, 3), lambda features: features.fill(2.0)) == 2).all()


def test_a_pass_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "features", "nowhere")

    def broken(features: np.ndarray) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.features("key", (4, 1, 3), broken)
    assert not [path for path in (tmp_path / "features").iterdir() if path.suffix != ".lock"]


def test_features_never_lie_in_the_folder_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"`cache` must lie outside the data folder"):
        FeatureCache(tmp_path / "features", str(tmp_path))


def _fill_slowly(folder: Path, who: int) -> None:
    import time

    def compute(features: np.ndarray) -> None:
        with (folder / "fills.txt").open("a") as log:
            log.write(f"{json.dumps(who)}\n")
        time.sleep(0.3)
        features[:] = who

    values = FeatureCache(folder / "features", "nowhere").features("key", (4, 1, 3), compute)
    (folder / f"{who}.txt").write_text(str(float(values[0, 0, 0])))


def test_of_two_processes_one_looks_and_the_other_waits(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_fill_slowly, args=(tmp_path, who)) for who in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    [who] = (tmp_path / "fills.txt").read_text().splitlines()
    assert {float((tmp_path / f"{each}.txt").read_text()) for each in (1, 2)} == {float(who)}
