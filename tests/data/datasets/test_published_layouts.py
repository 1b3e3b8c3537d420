"""Public data sets open as they are downloaded; docs/data.md says what comes of each."""

import logging
import re
import warnings
from pathlib import Path

import pytest

from medtail.data import DataWarning, ImageCollection, open_collection
from references.layouts import LAYOUTS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "data.md"


def opened(folder: Path, name: str) -> ImageCollection:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return open_collection(LAYOUTS[name](folder))


def row(folder: Path, name: str, caplog: pytest.LogCaptureFixture) -> str:
    """The row of the page: what one line of the log says, and which classes there are."""
    with caplog.at_level(logging.INFO, "medtail"):
        collection = opened(folder, name)
    origin = re.search(
        r"labels from (.*); groups (unknown|from .*); (no splits given|splits from .*?)(;|$)",
        caplog.messages[-1],
    )
    assert origin is not None
    groups = "unknown" if origin[2] == "unknown" else origin[2].removeprefix("from ")
    splits = "drawn" if origin[3] == "no splits given" else origin[3].removeprefix("splits from ")
    kind = "labels" if collection.multi_label else "classes"
    return f"| {name} | {origin[1]} | {len(collection.class_names)} {kind} | {groups} | {splits} |"


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_page_says_what_a_layout_gives(tmp_path: Path, name: str, caplog) -> None:
    assert row(tmp_path, name, caplog) in PAGE.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_image_of_a_layout_can_be_read(tmp_path: Path, name: str) -> None:
    collection = opened(tmp_path, name)
    assert {collection.source.form(position).depth for position in range(len(collection))} == {None}


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("HAM10000", 12),
        ("ISIC 2018", 12),
        ("ISIC 2019", 17),
        ("ISIC 2020", 12),
        ("PAD-UFES-20", 6),
        ("CheXpert", 12),
        ("ODIR-5K", 12),
        ("ODIR-5K per eye", 12),
        ("ChestX-ray14", 12),
    ],
)
def test_images_of_one_patient_or_lesion_are_one_group(tmp_path: Path, name: str, groups: int) -> None:
    assert opened(tmp_path, name).table["group"].nunique() == groups
