"""Two stages: a head trained on the cached features of a finished run."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from training.stripes import recipe, stripes

from medtail.data import ImageCollection
from medtail.data.decoded.cache import PixelCache
from medtail.errors import InputError
from medtail.recipes.choose_recipe import choose_recipe
from medtail.runs.run import Run
from medtail.training.checkpoint_reading import read_checkpoint
from medtail.training.fit import train
from medtail.training.inference import TrainedModel


@pytest.fixture(scope="module")
def collection() -> ImageCollection:
    return stripes()


@pytest.fixture(scope="module")
def first(collection, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("runs") / "first")
    train(collection, recipe("ce"), run)
    return run


@pytest.fixture
def second(collection, first: Run, tmp_path: Path) -> Callable[..., Run]:
    """Train a second stage on the first one."""

    def start(method: str, *, epochs: int | None = 3, name: str = "second", **changes) -> Run:
        backbone = {"from_run": str(first.folder), **changes.pop("backbone", {})}
        training = {} if epochs is None else {"epochs": epochs}
        settings = {"backbone": backbone, "training": training, **changes}
        run = Run(tmp_path / name)
        train(
            collection,
            choose_recipe(collection, method, None, [settings]),
            run,
            cache=PixelCache(tmp_path / "cache"),
        )
        return run

    return start


def _weights(run: Run, part: str) -> dict[str, torch.Tensor]:
    state = read_checkpoint(run.best_checkpoint)["state_dict"]
    return {name: value for name, value in state.items() if name.startswith(f"method.{part}.")}


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_classifier_is_trained_again_and_the_network_stays(first: Run, second) -> None:
    run = second("crt")
    assert _same(_weights(run, "backbone"), _weights(first, "backbone"))
    assert not torch.equal(*(_weights(each, "head")["method.head.linear.weight"] for each in (run, first)))
    settings = run.read_recipe()
    assert settings["recipe"] == {"dataset": "small_images", "method": "crt"}
    assert settings["data"] == first.read_recipe()["data"]
    assert settings["sampling"]["name"] == "class_balanced"
    assert run.report.is_file()
    assert TrainedModel.load(run).facts.mean == first.read_dataset()["mean"]


def test_cached_features_give_what_a_frozen_network_gives(second) -> None:
    """Without augmentation, a frozen network sees the same images in every epoch."""
    still = {"horizontal_flip": 0.0, "shift": 0, "affine": None}
    cached = second("crt", name="cached", augmentation=still)
    frozen = {"cached_features": False, "frozen_epochs": 3}
    passed = second("crt", name="passed", augmentation=still, backbone=frozen)
    one, other = (
        read_checkpoint(run.last_checkpoint)["state_dict"]["method.head.linear.weight"]
        for run in (cached, passed)
    )
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_head_on_cached_features_is_trained_in_seconds(second) -> None:
    started = time.perf_counter()
    second("crt", epochs=10)
    # Generous, because other work shares the machine: ten epochs of the network itself take several times as long.
    assert time.perf_counter() - started < 60


def test_tau_normalisation_divides_by_lengths_and_validation_chooses_tau(first: Run, second) -> None:
    run = second("tau_normalized", epochs=None)
    table = pd.read_csv(run.metrics)
    assert table["tau"].tolist() == pytest.approx(np.linspace(0, 1, 11))
    tau = table["tau"][table["validation_balanced_accuracy"].argmax()]
    weight = _weights(first, "head")["method.head.linear.weight"].double()
    model = TrainedModel.load(run)
    expected = weight / weight.norm(dim=1, keepdim=True) ** tau
    torch.testing.assert_close(model.method.class_centres.double().cpu(), expected, rtol=1e-5, atol=1e-6)
    assert _same(_weights(run, "backbone"), _weights(first, "backbone"))


def test_learnable_scales_leave_the_directions_alone(first: Run, second) -> None:
    run = second("lws")
    own, old = _weights(run, "head"), _weights(first, "head")["method.head.linear.weight"]
    assert torch.equal(own["method.head.weight"], old)
    assert not torch.equal(own["method.head.scale"], torch.ones(3))


@pytest.mark.parametrize("loss", ["dal", "dbm_bs"])
def test_any_loss_probes_the_features(second, loss: str) -> None:
    run = second("probe", loss={"name": loss})
    assert run.read_summary()["balanced_accuracy"] > 0.4
    assert run.angles.is_file()


def test_a_second_stage_that_was_stopped_goes_on_as_if_it_had_not_been(
    collection, first: Run, second, tmp_path: Path
) -> None:
    class Stop(Callback):
        def on_train_epoch_start(self, trainer, pl_module) -> None:
            if trainer.current_epoch == 2:
                raise RuntimeError("stopped")

    whole = second("crt", name="whole")
    settings = choose_recipe(
        collection, "crt", None, [{"backbone": {"from_run": str(first.folder)}, "training": {"epochs": 3}}]
    )
    stopped = Run(tmp_path / "stopped")
    cache = PixelCache(tmp_path / "cache")
    with pytest.raises(RuntimeError, match="stopped"):
        train(collection, settings, stopped, callbacks=[Stop()], cache=cache)
    train(collection, settings, stopped, resume=True, cache=cache)
    assert _same(_weights(whole, "head"), _weights(stopped, "head"))


def test_stages_that_do_not_fit_are_refused(collection, first: Run, second, tmp_path: Path) -> None:
    for method, message in (
        ("lws", r"method lws keeps the classifier of a finished run, got none; name it with"),
        ("crt", r"method crt trains a head on the features of a trained network, got a new one"),
    ):
        with pytest.raises(InputError, match=message):
            train(collection, recipe(method), Run(tmp_path / method))
    with pytest.raises(InputError, match=r"backbone\.name must be that of"):
        second("crt", name="a", backbone={"name": "resnet20"})
    with pytest.raises(InputError, match=r"both stages must be of the same classes"):
        second("crt", name="b", data={"positive": "class 1"})
    with pytest.raises(InputError, match=r"run folder .* does not exist"):
        second("crt", name="c", backbone={"from_run": str(tmp_path / "nowhere")})
    with pytest.raises(InputError, match=r"head\.name must be rescaled with method\.name=tau_normalized"):
        second("tau_normalized", name="d", head={"name": "linear"})


def test_images_that_the_first_stage_learned_from_are_not_judged(
    collection, first: Run, tmp_path: Path
) -> None:
    table = collection.table["split"].replace({"train": "test", "test": "train"})
    settings = choose_recipe(collection, "crt", None, [{"backbone": {"from_run": str(first.folder)}}])
    with pytest.raises(InputError, match=r"88 images of validation or test are training images of"):
        train(collection.with_splits(table), settings, Run(tmp_path / "swapped"))


def test_a_classifier_of_cosines_is_not_rescaled(collection, tmp_path: Path) -> None:
    cosines = Run(tmp_path / "cosines")
    train(collection, recipe("ldam", "training.epochs=1"), cosines)
    settings = choose_recipe(collection, "lws", None, [{"backbone": {"from_run": str(cosines.folder)}}])
    with pytest.raises(InputError, match=r"must be linear, that of .* is not; train the first stage with"):
        train(collection, settings, Run(tmp_path / "second"))
