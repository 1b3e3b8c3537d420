"""Fixtures every test may use."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

# Imported for the tests to use: small data sets, and the check of a refusal.
from references.data_sets import class_folders, draw, edit, refuses, table_folder, write_npz  # noqa: F401

if TYPE_CHECKING:
    from medtail.runs.run import Run

# On a machine with other work, an example takes longer without being wrong.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Data and parity vectors that are too large or too restricted to commit.
SHARED = Path(os.environ.get("MEDTAIL_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def _folder_or_skip(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"shared/{name} is absent: set MEDTAIL_SHARED to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images."""
    return _folder_or_skip("data")


@pytest.fixture(scope="session")
def oracles() -> Path:
    """The folder of the authors' own values."""
    return _folder_or_skip("oracles")


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple["Run", "Run"]:
    """Two finished runs on the built-in digits, of one epoch, at 12 and at 16 pixels."""
    from training.stripes import recipe

    from medtail.data import open_collection
    from medtail.runs.run import Run
    from medtail.training import train

    folder = tmp_path_factory.mktemp("two_runs")
    runs = Run(folder / "first"), Run(folder / "second")
    for seed, (run, size) in enumerate(zip(runs, (12, 16), strict=True)):
        settings = ("training.epochs=1", f"training.seed={seed}", f"data.image_size={size}")
        train(open_collection("digits-lt"), recipe("ce", *settings), run)
    return runs


@pytest.fixture
def two_run_copies(two_runs: tuple["Run", "Run"], tmp_path: Path) -> tuple["Run", "Run"]:
    """Both runs, to be changed."""
    from medtail.runs.run import Run

    for run in two_runs:
        shutil.copytree(run.folder, tmp_path / run.folder.name)
    return Run(tmp_path / "first"), Run(tmp_path / "second")
