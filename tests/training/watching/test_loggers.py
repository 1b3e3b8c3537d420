"""Loggers: those that a recipe names, those that a caller brings, and packages that are missing."""

from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from lightning.pytorch.loggers import CSVLogger
from training.stripes import recipe, stripes

from medtail.recipes.schema.training import Training
from medtail.runs.run import Run
from medtail.training import train
from medtail.training.watching import loggers


@pytest.fixture(scope="module")
def collection():
    return stripes()


def test_every_name_of_a_recipe_is_a_logger() -> None:
    literal, _ = get_args(Training.model_fields["logger"].annotation)
    assert set(get_args(literal)) == set(loggers.LOGGERS)


def test_the_logger_of_the_recipe_and_that_of_the_caller_see_every_step_and_epoch(
    collection, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    settings = recipe("ce", "training.logger=csv", "training.epochs=2")
    train(collection, settings, run, logger=CSVLogger(tmp_path / "mine", name="", version=""))
    written = run.folder / "csv" / "version_0" / "metrics.csv"
    assert written.read_bytes() == (tmp_path / "mine" / "metrics.csv").read_bytes()
    values, own = pd.read_csv(written), pd.read_csv(run.metrics)
    metric = "validation_balanced_accuracy"
    assert values[metric].dropna().tolist() == pytest.approx(own[metric].tolist())


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_each_package_writes_where_the_docs_say(collection, tmp_path: Path, monkeypatch, name) -> None:
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = Run(tmp_path / "run")
    train(collection, recipe("ce", f"training.logger={name}", "training.epochs=1"), run)
    place = {"mlflow": "mlflow.db"}.get(name, f"{name}/**/*")
    assert [path for path in run.folder.glob(place) if path.is_file()]


@pytest.mark.parametrize(
    ("name", "install"),
    [
        ("tensorboard", "pip install 'medtail[tensorboard]'"),
        ("wandb", "pip install wandb"),
        ("mlflow", "pip install mlflow"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_written(
    collection, tmp_path: Path, monkeypatch, refuses, name, install
) -> None:
    monkeypatch.setattr(loggers, "find_spec", lambda package: None)
    sentence = refuses(train, collection, recipe("ce", f"training.logger={name}"), Run(tmp_path / "run"))
    assert sentence == f"training.logger={name} needs the package {name}; {install}"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("value", "logger"), [("true", "tensorboard"), ("false", None)])
def test_recipes_of_earlier_versions_are_read(value, logger) -> None:
    assert recipe("ce", f"training.tensorboard={value}").training.logger == logger
