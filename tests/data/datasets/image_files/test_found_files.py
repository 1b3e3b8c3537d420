"""Files that are not called, or do not lie, as a table says."""

import logging
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from medtail.data import DataWarning, open_collection

NAMES = [f"{number:05d}" for number in range(30)]


def move(folder: Path, place: Callable[[str], str]) -> None:
    """Move each image ``images/NAME.jpg`` to another path below the folder."""
    for name in NAMES:
        target = folder / place(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / "images" / f"{name}.jpg").rename(target)


@pytest.mark.parametrize(
    "place", [lambda name: f"part_{int(name) % 2}/{name}.jpg", lambda name: f"a/b/{name}.jpg"]
)
def test_images_are_found_in_sub_folders(edit, caplog, place: Callable[[str], str]) -> None:
    folder = edit()
    move(folder, place)
    with caplog.at_level(logging.INFO, "medtail"):
        collection = open_collection(folder)
    assert "30 of 30 images are in other folders: " in caplog.messages[0]
    assert collection.source.read(29).shape == (16, 16, 3)


@pytest.mark.parametrize("ending", [".JPG", ".jpeg", ".png"])
def test_another_extension_is_taken_and_named(edit, ending: str) -> None:
    folder = edit(image=[f"{name}.jpg" for name in NAMES])
    move(folder, lambda name: f"images/{name}{ending}")
    with pytest.warns(
        DataWarning, match=rf"called alike for each: 30 of 30 \(images/00000{ending} for 00000.jpg"
    ):
        assert open_collection(folder).source.form(29).height == 16


def test_backslashes_are_folders(edit) -> None:
    collection = open_collection(edit(image=[f"images\\{name}.jpg" for name in NAMES]))
    assert collection.source.form(29).height == 16


def test_accents_may_be_composed_in_two_ways(edit) -> None:
    folder = edit(image=[unicodedata.normalize("NFC", f"né{name}") for name in NAMES])
    move(folder, lambda name: unicodedata.normalize("NFD", f"images/né{name}.jpg"))
    with pytest.warns(DataWarning, match="called alike"):
        assert open_collection(folder).source.form(29).height == 16


def test_a_path_from_above_the_folder_is_found(edit) -> None:
    collection = open_collection(edit(image=[f"set-small/images/{name}.jpg" for name in NAMES]))
    assert collection.source.form(29).height == 16


def test_zeros_that_a_spreadsheet_took_are_found(edit) -> None:
    with pytest.warns(DataWarning, match=r"called alike for each: 29 of 30 \(images/00001.jpg for 1,"):
        collection = open_collection(edit(image=[NAMES[0], *(str(number) for number in range(1, 30))]))
    assert collection.table["id"].iloc[29] == "29"


def test_another_folder_of_the_same_depth_is_another_image(edit, refuses) -> None:
    sentence = refuses(open_collection, edit(image=[f"scans/{name}.jpg" for name in NAMES]))
    assert "none of the 30 images named in" in sentence
    assert "; did you mean " in sentence


def test_a_name_in_two_folders_is_refused(edit, refuses, draw) -> None:
    folder = edit()
    move(folder, lambda name: f"a/{name}.jpg")
    (folder / "b").mkdir()
    draw(0).save(folder / "b" / "00004.jpg")
    sentence = refuses(open_collection, folder)
    assert (
        "image 00004 must name one file, but a/00004.jpg, b/00004.jpg match; write the path below" in sentence
    )


def test_masks_of_the_same_name_are_passed_over(edit, draw) -> None:
    folder = edit()
    move(folder, lambda name: f"scans/{name}.jpg")
    (folder / "masks").mkdir()
    for name in NAMES:
        draw(0, mode="L").save(folder / "masks" / f"{name}.png")
    assert open_collection(folder).source.form(3).mode == "RGB"


def test_missing_images_are_named_with_the_nearest(edit) -> None:
    with pytest.warns(
        DataWarning, match=r"do not exist: 1 of 30 \(images/00001_.jpg\); did you mean images/00001.jpg"
    ):
        open_collection(edit(image=[NAMES[0], "images/00001_.jpg", *NAMES[2:]]))


def test_absolute_paths_may_lead_through_a_link(edit, tmp_path: Path) -> None:
    folder = edit()
    link = tmp_path / "link"
    link.symlink_to(folder)
    edit(image=[str(folder / "images" / f"{name}.jpg") for name in NAMES])
    assert open_collection(link).source.form(29).height == 16
    edit(image=[str(link / "images" / f"{name}.jpg") for name in NAMES])
    assert open_collection(folder).source.form(29).height == 16


def test_absolute_paths_to_elsewhere_are_refused(edit, refuses, tmp_path: Path) -> None:
    sentence = refuses(open_collection, edit(image=[str(tmp_path / "elsewhere.jpg"), *NAMES[1:]]))
    assert "images must lie in the folder of the table, but 1 of" in sentence


def test_lists_take_other_extensions_too(tmp_path: Path, draw) -> None:
    for number in range(4):
        draw(number).save(tmp_path / f"{number}.png")
    (tmp_path / "set_train.txt").write_text("".join(f"images\\{n}.JPEG {n % 2}\n" for n in range(4)))
    with pytest.warns(DataWarning, match="called alike"):
        assert open_collection(tmp_path).source.form(3).height == 16
