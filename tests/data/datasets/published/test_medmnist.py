"""Names of MedMNIST are resolved by the package, downloaded once, and refused in one sentence."""

import hashlib
import shutil
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medtail.data import open_collection

medmnist = pytest.importorskip("medmnist")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Where the package keeps its files; nothing is downloaded."""
    import torchvision.datasets.utils as downloads

    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(medmnist.info, "DEFAULT_ROOT", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "download_url", refuse)
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def published(folder: Path, write_npz: Callable[..., Path], monkeypatch) -> Path:
    """An archive in the cache, whose checksum is the published one of breastmnist."""
    path = shutil.copy(write_npz(), folder / "breastmnist.npz")
    info = {**medmnist.INFO["breastmnist"], "MD5": hashlib.md5(path.read_bytes()).hexdigest()}
    monkeypatch.setitem(medmnist.INFO, "breastmnist", info)
    return path


def test_a_name_opens_the_archive_with_the_names_of_its_classes(published: Path) -> None:
    collection = open_collection("breastmnist")
    assert collection.class_names == ("malignant", "normal, benign")
    assert (collection.name, collection.data) == ("breastmnist", "breastmnist")
    assert collection.class_counts("train").tolist() == [6, 6]
    with np.load(published) as archive:
        np.testing.assert_array_equal(collection.source.read(0), archive["train_images"][0])
    assert open_collection(published).class_names == ("0", "1")  # a path does not say where it is from


def test_the_real_volumes_by_name(shared_data: Path, folder: Path) -> None:
    shutil.copy(shared_data / "adrenalmnist3d.npz", folder)
    collection = open_collection("adrenalmnist3d")
    assert collection.class_names == ("normal", "hyperplasia")
    assert collection.dimensions == 3


def test_a_path_that_exists_wins(published: Path, class_folders: Path, monkeypatch) -> None:
    class_folders.rename(class_folders.with_name("breastmnist"))
    monkeypatch.chdir(class_folders.parent)
    assert open_collection("breastmnist").class_names == ("melanoma", "nevus")


def test_a_failed_download_says_what_to_do(folder: Path, refuses) -> None:
    sentence = refuses(open_collection, "dermamnist_64")
    assert "dermamnist_64.npz cannot be downloaded from https://" in sentence
    assert "(<urlopen error no network>)" in sentence
    assert "give the path of the .npz file" in sentence


def test_a_damaged_archive_is_not_opened(published: Path, refuses) -> None:
    published.write_bytes(published.read_bytes()[:-9])
    assert "cannot be downloaded" in refuses(open_collection, "breastmnist")


def test_unknown_names_and_sizes_are_refused(folder: Path, refuses) -> None:
    assert "no data set 'dermmnist'; did you mean dermamnist?" in refuses(open_collection, "dermmnist")
    assert "comes in 28 (no ending) and 64 pixels, got 'adrenalmnist3d_128'" in refuses(
        open_collection, "adrenalmnist3d_128"
    )


def test_a_missing_package_is_named(monkeypatch, refuses) -> None:
    monkeypatch.setitem(sys.modules, "medmnist", None)
    sentence = refuses(open_collection, "dermamnist")
    assert "pip install 'medtail[medmnist]', or give the path of the .npz file" in sentence
