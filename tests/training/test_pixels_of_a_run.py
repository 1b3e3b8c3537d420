"""Where a run keeps its pixels, and what it tells of repeated ones."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from training.stripes import recipe, stripes

from medtail.data import ImageArray, ImageCollection, ImageFiles, open_collection
from medtail.data.decoded.cache import PixelCache
from medtail.inspection.look_alikes import find_look_alikes
from medtail.runs.run import Run
from medtail.training.batches.loaders import RunData
from medtail.training.devices import has_room
from medtail.training.fit import train
from medtail.training.prepare import prepare, repeated_images


@pytest.fixture
def striped_files(tmp_path: Path) -> ImageCollection:
    """Horizontal and vertical stripes as files."""
    generator = np.random.default_rng(0)
    for label in ("across", "down"):
        folder = tmp_path / "stripes" / label
        folder.mkdir(parents=True)
        for number in range(30):
            image = generator.integers(0, 120, (16, 16), dtype=np.uint8)
            image[:: 2 + number % 3] += 120
            Image.fromarray(image if label == "across" else image.T.copy()).save(folder / f"{number}.png")
    return open_collection(tmp_path / "stripes")


def test_a_run_from_the_cache_is_the_run_from_memory(striped_files, tmp_path: Path, monkeypatch) -> None:
    def metrics(name: str, *settings: str) -> str:
        run = Run(tmp_path / name)
        train(
            striped_files,
            recipe("ce", "data.channels=1", *settings),
            run,
            cache=PixelCache(tmp_path / "cache"),
        )
        return run.metrics.read_text()

    from_memory = metrics("memory")
    assert not (tmp_path / "cache").exists()
    decoded: list[int] = []
    read = ImageFiles.read
    monkeypatch.setattr(
        ImageFiles, "read", lambda self, row, **options: (decoded.append(row), read(self, row, **options))[1]
    )
    assert metrics("first", "data.cache=always") == from_memory
    assert len(set(decoded)) == 60
    training = len(decoded)
    assert metrics("second", "data.cache=always") == from_memory
    assert len(decoded) - training < 20  # the gallery of the report; training decoded nothing
    # Larger than memory: read from the file, in worker processes.
    monkeypatch.setattr("medtail.training.prepare.load_pixels", _small_memory)
    assert metrics("mapped", "data.cache=auto") == from_memory
    assert metrics("on_request", "data.cache=never") == from_memory


def _small_memory(*arguments: object, **options: object) -> object:
    from medtail.data import load_pixels

    pixels = load_pixels(*arguments, **options, memory_limit=0)
    assert not pixels.resident
    assert pixels.decoded == (options["cache"] is not None)
    return pixels


def test_pixels_are_moved_to_the_device_once_where_they_fit(monkeypatch) -> None:
    settings = recipe("ce")
    data = prepare(stripes(), settings)
    module = RunData(data, settings)
    module.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))  # type: ignore[assignment]
    module.setup("fit")
    assert module.data.pixels is data.pixels  # no room
    asked: list[int] = []
    monkeypatch.setattr(
        "medtail.training.batches.loaders.has_room",
        lambda place, size: asked.append(size) or place.type == "meta",
    )
    module.setup("fit")
    assert asked == [data.pixels.size_in_bytes]
    assert module.data.pixels.device.type == "meta"
    batch = module.data.pixels.without(np.array([0])).read([1, 2, 3])
    assert batch.device.type == "meta" and batch.shape == data.pixels.read([1, 2, 3]).shape
    assert data.pixels.device.type == "cpu"
    assert not has_room(torch.device("cpu"), 1)


def test_repeated_images_are_counted_and_the_report_tells_them(tmp_path: Path) -> None:
    clean = stripes()
    splits = clean.table["split"].to_numpy() if "split" in clean.table else None
    assert splits is not None
    images = np.stack([clean.source.read(row) for row in range(len(clean))])
    train_row, test_row = np.flatnonzero(splits == "train")[0], np.flatnonzero(splits == "test")[0]
    other = np.flatnonzero((splits == "train") & (clean.targets != clean.targets[train_row]))[0]
    images[[test_row, other]] = images[train_row]
    leaky = ImageCollection.build(
        name="leaky",
        data="leaky",
        ids=clean.table["id"].tolist(),
        labels=clean.table["label"].tolist(),
        source=ImageArray(images),
        splits=splits.tolist(),
    )
    run = Run(tmp_path / "run")
    train(leaky, recipe("ce", "training.epochs=1"), run)
    repeated = json.loads(run.dataset.read_text())["repeated"]
    assert (repeated["across_splits"], repeated["different_labels"]) == (1, 1)
    assert repeated["test_images_with_copy_in_training"] == [leaky.table["id"][test_row]]
    [example] = repeated["examples"]
    assert str(leaky.table["id"][test_row]) + " (test)" in example
    page = run.report.read_text()
    assert "1 image with the same pixels stands in several splits" in page
    assert "1 image occurs with different labels" in page
    count = len(leaky.rows("test"))
    assert f"1 of {count} test images" in page
    assert f"{count - 1} without a copy in training" in page
    data = prepare(clean, recipe("ce"))
    assert repeated_images(data.collection, find_look_alikes(data.pixels)) == {
        "across_splits": 0,
        "look_alikes_across_splits": 0,
        "different_labels": 0,
        "examples": [],
        "test_images_with_copy_in_training": [],
    }
