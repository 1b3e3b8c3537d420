"""Planted shortcuts are found; clean images have none."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from medtail.cli.verbs.inspect import lines
from medtail.data import ImageArray, ImageCollection, open_collection
from medtail.data.splitting.class_shares import share_differences
from medtail.inspection.audit import audit
from medtail.inspection.shortcuts import clues, sampled_rows
from medtail.inspection.traits import Traits

NUMBER = 60

Save = Callable[[Path, Image.Image, int, bool], str | None]


def plain(folder: Path, image: Image.Image, number: int, ill: bool) -> None:
    image.save(folder / f"{number:03d}.png")


def file_name(folder: Path, image: Image.Image, number: int, ill: bool) -> str:
    name = f"{'ward' if ill else 'screening'}_{number:03d}.png"
    image.save(folder / name)
    return name


def image_size(folder: Path, image: Image.Image, number: int, ill: bool) -> None:
    image.resize((30, 32) if ill else (32, 32)).save(folder / f"{number:03d}.png")


def border(folder: Path, image: Image.Image, number: int, ill: bool) -> None:
    if ill:
        pixels = np.array(image)
        pixels[:2] = pixels[-2:] = pixels[:, :2] = pixels[:, -2:] = 0
        image = Image.fromarray(pixels)
    image.save(folder / f"{number:03d}.png")


def file_format(folder: Path, image: Image.Image, number: int, ill: bool) -> str:
    name = f"{number:03d}.{'bmp' if ill else 'png'}"
    image.save(folder / name)
    return name


def metadata(folder: Path, image: Image.Image, number: int, ill: bool) -> None:
    text = PngInfo()
    text.add_text("Software", "Viewer 2" if ill else "Viewer 1")
    image.save(folder / f"{number:03d}.png", pnginfo=text)


def colour_mode(folder: Path, image: Image.Image, number: int, ill: bool) -> None:
    (image.convert("L") if ill else image).save(folder / f"{number:03d}.png")


def date_of_name(folder: Path, image: Image.Image, number: int, ill: bool) -> str:
    name = f"{2015 + ill}-{1 + number % 12:02d}-{1 + number % 28:02d}_{number:03d}.png"
    image.save(folder / name)
    return name


def corner_pixels(folder: Path, image: Image.Image, number: int, ill: bool) -> None:
    pixels = np.array(image)
    pixels[0, 0] = 255 if ill else pixels[0, 0] // 2
    Image.fromarray(pixels).save(folder / f"{number:03d}.png")


@pytest.fixture
def planted(tmp_path: Path) -> Callable[..., ImageCollection]:
    """Noise of two classes, saved by a function that may tell the label, with or without more columns."""

    def plant(save: Save, **columns: tuple[str, str]) -> ImageCollection:
        generator = np.random.default_rng(0)
        rows = []
        for number in range(NUMBER):
            ill = bool(generator.integers(2))
            image = Image.fromarray(generator.integers(40, 200, (32, 32, 3), dtype=np.uint8))
            name = save(tmp_path, image, number, ill) or f"{number:03d}.png"
            rows.append(
                {"image": name, "label": "ill" if ill else "well"}
                | {column: values[ill] for column, values in columns.items()}
            )
        pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return open_collection(tmp_path)

    return plant


def test_clean_images_have_no_shortcut(planted) -> None:
    assert audit(planted(plain)).shortcuts == []


@pytest.mark.parametrize(
    "save",
    [
        file_name,
        image_size,
        border,
        file_format,
        metadata,
        colour_mode,
        date_of_name,
        corner_pixels,
    ],
)
def test_a_planted_shortcut_is_named(planted, save: Save) -> None:
    found = audit(planted(save))
    name = save.__name__.replace("_of_name", "").replace("_", " ")
    assert name in [clue.name for clue in found.shortcuts]
    clue = next(clue for clue in found.shortcuts if clue.name == name)
    assert clue.chance < clue.low <= clue.balanced_accuracy <= clue.high


def test_a_column_of_sites_is_a_clue(planted) -> None:
    found = audit(planted(plain, **{"Scanner site": ("north", "south"), "anatom_site": ("arm", "leg")}))
    assert [clue.name for clue in found.shortcuts] == ["column Scanner site"]
    assert found.to_dict()["shortcuts"] == ["column Scanner site"]
    assert "label told by things beside the picture: 1" in lines(found)
    assert any(warning.startswith("things beside the picture") for warning in found.warnings)


def test_a_name_that_only_tells_the_patient_is_no_shortcut(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = []
    for number in range(NUMBER):
        patient = number // 6
        name = f"patient{patient}x_{number:03d}.png"
        Image.fromarray(generator.integers(40, 200, (32, 32, 3), dtype=np.uint8)).save(tmp_path / name)
        rows.append({"image": name, "label": "ab"[patient % 2], "patient": patient})
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    assert audit(open_collection(tmp_path)).shortcuts == []


@pytest.mark.parametrize("name", ["ham10000_128", "bccd_cells_64", "pneumoniamnist_ir9.npz"])
def test_clean_public_data_have_no_shortcut(shared_data: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collection = open_collection(shared_data / name)
    sample = collection.select(sampled_rows(collection)[::2])
    source, ids = sample.source, sample.table["id"].tolist()
    traits = [
        Traits.of(ids[row], source.files(row), source.form(row), source.read(row)) for row in range(len(ids))
    ]
    assert [clue.text for clue in clues(sample, traits, sample.groups.tolist()) if clue.is_shortcut] == []


def of_shares(test: tuple[int, int], train: tuple[int, int] = (180, 20), repeats: int = 1) -> ImageCollection:
    labels = ["a"] * train[0] + ["b"] * train[1] + ["a"] * test[0] + ["b"] * test[1]
    splits = ["train"] * sum(train) + ["test"] * sum(test)
    return ImageCollection.build(
        name="shares",
        data="shares",
        ids=[str(row) for row in range(len(labels))],
        labels=labels,
        source=ImageArray(np.zeros((len(labels), 8, 8), dtype=np.uint8)),
        groups=[str(row // repeats) for row in range(len(labels))],
        group_column="patient",
        splits=splits,
    )


def test_other_shares_in_test_are_named() -> None:
    (difference,) = share_differences(of_shares((70, 30)))
    assert (difference.label, difference.train, difference.test) == ("b", 0.1, 0.3)


def test_shares_that_chance_may_have_drawn_are_not_named() -> None:
    assert share_differences(of_shares((86, 14))) == []
    assert share_differences(of_shares((70, 30), repeats=10)) == []


def test_files_of_unknown_extensions_are_wrong(class_folders: Path) -> None:
    (class_folders / "nevus" / "photo.heic").write_bytes(b"?")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = audit(open_collection(class_folders))
    assert found.problems[-1] == "files with extensions that are not read: 1 (.heic: 1)"
    assert found.to_dict()["skipped"] == {".heic": 1}
