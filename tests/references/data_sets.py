"""Small data sets of every kind, written anew for each test."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtail.errors import InputError

Refuses = Callable[..., str]


def picture(seed: int, size: int = 16, mode: str = "RGB") -> Image.Image:
    """Smooth random colours, as different from each other as photographs are."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC).convert(mode)


@pytest.fixture
def draw() -> Callable[..., Image.Image]:
    return picture


@pytest.fixture
def refuses() -> Refuses:
    """Call a function that must refuse; return its sentence."""

    def run(function: Callable, *arguments: object, **settings: object) -> str:
        with pytest.raises(InputError) as refusal:
            function(*arguments, **settings)
        sentence = str(refusal.value)
        assert "\n" not in sentence
        return sentence

    return run


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """40 images of nevus, 12 of melanoma."""
    folder = tmp_path / "skin"
    seed = 0
    for label, count in (("nevus", 40), ("melanoma", 12)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            picture(seed).save(folder / label / f"{label}_{number:02d}.png")
            seed += 1
    return folder


@pytest.fixture
def table_folder(tmp_path: Path) -> Path:
    """30 images in images/, named without extension; two images a patient; 20 of nv, 10 of mel."""
    folder = tmp_path / "clinic"
    (folder / "images").mkdir(parents=True)
    for number in range(30):
        picture(number).save(folder / "images" / f"{number:05d}.jpg")
    pd.DataFrame(
        {
            "image": [f"{number:05d}" for number in range(30)],
            "dx": ["nv"] * 20 + ["mel"] * 10,
            "patient_id": [f"p{number // 2:02d}" for number in range(30)],
        }
    ).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture
def edit(table_folder: Path) -> Callable[..., Path]:
    """Change columns of the table and return its folder; None drops a column."""

    def change(**columns: object) -> Path:
        table = pd.read_csv(table_folder / "labels.csv", dtype=str, keep_default_na=False)
        for name, values in columns.items():
            table = table.drop(columns=name) if values is None else table.assign(**{name: values})
        table.to_csv(table_folder / "labels.csv", index=False)
        return table_folder

    return change


@pytest.fixture
def write_npz(tmp_path: Path) -> Callable[..., Path]:
    """Write an archive in MedMNIST's form; keyword arguments replace or (None) remove arrays."""

    def write(**arrays: np.ndarray | None) -> Path:
        generator = np.random.default_rng(0)
        content: dict[str, np.ndarray | None] = {}
        for prefix, count in (("train", 12), ("val", 4), ("test", 4)):
            content[f"{prefix}_images"] = generator.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
            content[f"{prefix}_labels"] = (np.arange(count, dtype=np.uint8) % 2)[:, None]
        content |= arrays
        path = tmp_path / "small.npz"
        np.savez(path, **{name: array for name, array in content.items() if array is not None})
        return path

    return write
