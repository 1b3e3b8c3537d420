"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest

# Imported for the tests to use: small data sets, and the check of a refusal.
from references.data_sets import class_folders, draw, edit, refuses, table_folder, write_npz  # noqa: F401

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
