"""A run that was trained in bfloat16 is judged in float32: whoever computes its probabilities again gets the same."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from serving.runs_to_serve import trained, write_stripes
from training.stripes import recipe, stripes

from medtail.data import open_collection
from medtail.recipes.schema import Recipe
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from medtail.serving.export import export
from medtail.training.frozen.features import FrozenFeatures
from medtail.training.inference import TrainedModel
from medtail.training.prepare import prepare

_BFLOAT16 = "training.precision=bf16-mixed"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stripes(tmp_path_factory.mktemp("data") / "stripes.npz")


@pytest.fixture(scope="module", params=["ce", "vs_lct"])
def run(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("runs") / request.param, data, request.param, _BFLOAT16)


def _plain_pass(run: Run, pixels: torch.Tensor) -> np.ndarray:
    """What the method gives in the precision of the context around it."""
    model = TrainedModel.load(run)
    with torch.inference_mode():
        outputs = model.method.predict(model.preparation(pixels))
    return model.method.probabilities(outputs.double()).numpy()


@pytest.fixture(scope="module")
def pixels(data: Path) -> torch.Tensor:
    collection = open_collection(str(data))
    images = [collection.source.read(row) for row in collection.rows("test")]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def test_saved_predictions_are_those_of_a_float32_pass(run: Run, pixels: torch.Tensor) -> None:
    saved = Predictions.read(run.predictions("test")).probabilities
    np.testing.assert_allclose(saved, _plain_pass(run, pixels), atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = _plain_pass(run, pixels)
    # It matters, or nothing was tested.
    assert np.abs(saved - rounded).max() > 1e-4


def test_an_exported_file_gives_the_saved_predictions(run: Run, pixels: torch.Tensor, tmp_path: Path) -> None:
    written = export([run], tmp_path / "model.pt2", format="torch")
    assert written.agreement.saved_difference < 1e-5
    condition = TrainedModel.load(run).method.conditional
    more = [] if condition is None else [torch.tensor(list(condition.condition.values()))]
    probabilities = torch.export.load(written.path).module()(pixels, *more)[0]
    saved = Predictions.read(run.predictions("test")).probabilities
    np.testing.assert_allclose(probabilities.numpy(), saved, atol=1e-5)


@torch.inference_mode()
def test_the_epoch_is_chosen_by_what_is_saved(run: Run) -> None:
    model = TrainedModel.load(run)
    collection = open_collection(model.facts.data)
    rows = collection.rows("validation")
    outputs = model.method.predict_features(model.features(model.read_pixels(collection), rows))
    targets = torch.tensor(Predictions.read(run.predictions("validation")).targets)
    (logged,) = pd.read_csv(run.metrics)["validation_loss"]
    assert logged == pytest.approx(float(model.method.evaluate(outputs, targets)), rel=1e-5)


def test_kept_features_do_not_depend_on_the_precision_of_training(run: Run) -> None:
    def features(settings: Recipe) -> torch.Tensor:
        known = FrozenFeatures.of(TrainedModel.load(run).method, settings, prepare(stripes(), settings))
        assert known is not None
        return known.values

    cached = ("data.cache=never", "backbone.cached_features=true")
    wide, narrow = (
        features(recipe("ce", *cached, precision)) for precision in ("training.precision=32-true", _BFLOAT16)
    )
    assert torch.equal(wide, narrow)


def test_a_context_of_autocast_changes_nothing(run: Run, pixels: torch.Tensor) -> None:
    model = TrainedModel.load(run)
    collection = open_collection(model.facts.data)
    rows = collection.rows("test")
    read = model.read_pixels(collection)
    plain = model.probabilities(read, rows)
    with torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_array_equal(model.probabilities(read, rows), plain)
    assert torch.backends.cudnn.allow_tf32
