"""Folders that are no class: splits in every spelling, copies, masks, parts, and what lies beside them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from medtail.data import DataWarning, open_collection

BASE = [
    f"{split}/{label}/{n}.png"
    for split in ("train", "val", "test")
    for label in ("NORMAL", "PNEUMONIA")
    for n in "12"
]


@pytest.fixture
def tree(tmp_path: Path, draw) -> Callable[[Sequence[str]], Path]:
    def write(paths: Sequence[str]) -> Path:
        folder = tmp_path / "set"
        for seed, path in enumerate(paths):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            draw(seed).save(folder / path)
        return folder

    return write


@pytest.mark.parametrize(
    "names",
    [
        ("Train", "Valid", "TEST"),
        ("training", "validation", "testing"),
        ("train_data", "val_data", "test_data"),
        ("TrainSet", "ValSet", "TestSet"),
        ("01_train", "02_dev", "03_test"),
        ("Training Images", "val", "Test-Images"),
    ],
)
def test_splits_are_found_in_every_spelling(tree, names: tuple[str, str, str]) -> None:
    new = dict(zip(("train", "val", "test"), names, strict=True))
    collection = open_collection(
        tree([new[path.partition("/")[0]] + "/" + path.partition("/")[2] for path in BASE])
    )
    assert collection.class_names == ("NORMAL", "PNEUMONIA")
    assert collection.table["split"].value_counts().to_dict() == {"train": 4, "validation": 4, "test": 4}


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ([f"set/{path}" for path in BASE], r"set \(a copy with test, train, val\)"),
        (["unlabeled/a/1.png"], r"unlabeled \(1 images\)"),
        (["test/7.png", "test/8.png"], "2 images directly in .*test"),
        (["preview.png"], "1 images directly in"),
    ],
)
def test_what_lies_beside_splits_is_named_and_left_out(tree, beside: list[str], words: str) -> None:
    with pytest.warns(DataWarning, match=f"is left out: {words}"):
        collection = open_collection(tree([*BASE, *beside]))
    assert collection.class_names == ("NORMAL", "PNEUMONIA")
    assert len(collection) == 12


def test_an_empty_folder_beside_splits_is_named(tree) -> None:
    folder = tree(BASE)
    (folder / "logs").mkdir()
    with pytest.warns(DataWarning, match=r"is left out: logs \(no image\)"):
        assert open_collection(folder).class_names == ("NORMAL", "PNEUMONIA")


def test_names_that_only_mention_splits_are_refused(tree, refuses) -> None:
    sentence = refuses(open_collection, tree(["stage_train_a/x/1.png", "stage_test_a/x/1.png"]))
    assert "look like splits and not like classes: stage_test_a, stage_train_a; rename them" in sentence


def test_parts_of_one_set_are_refused(tree, refuses) -> None:
    sentence = refuses(open_collection, tree(["imgs_part_1/1.png", "imgs_part_2/2.png"]))
    assert "look like parts of one set of images and not like classes: imgs_part_1, imgs_part_2" in sentence


def test_a_single_folder_around_the_data_is_named(tree) -> None:
    with pytest.warns(
        DataWarning, match="holds a single folder, set, which is read as one class although it holds"
    ):
        open_collection(tree([f"set/{path}" for path in BASE]))


def test_a_train_among_vehicles_is_a_class(tree, recwarn) -> None:
    assert open_collection(tree(["car/1.png", "train/1.png", "truck/1.png"])).class_names == (
        "car",
        "train",
        "truck",
    )
    assert not recwarn.list


def test_a_lone_split_beside_other_folders_is_named(tree) -> None:
    with pytest.warns(DataWarning, match="has the name of a split, but is read as a class"):
        open_collection(tree(["train/a/1.png", "train/b/1.png", "others/1.png"]))


def test_a_copy_of_class_folders_in_one_of_them_is_left_out(tree) -> None:
    paths = [f"{label}/{n}.png" for label in "abc" for n in "12"]
    with pytest.warns(DataWarning, match=r"is left out: set \(a copy of a, b, c\)"):
        assert open_collection(tree([*paths, *(f"set/{path}" for path in paths)])).class_names == (
            "a",
            "b",
            "c",
        )


@pytest.mark.parametrize(
    "masks",
    [
        ["a/1_mask.png", "b/1_Mask_1.png"],
        ["a/masks/1.png", "b/masks/1.png"],
        ["ground_truth/1.png"],
        ["a/1_segmentation.png", "b/1 mask.png"],
    ],
)
def test_masks_are_left_out(tree, masks: list[str]) -> None:
    with pytest.warns(DataWarning, match=rf"is left out: {len(masks)} segmentation masks"):
        collection = open_collection(tree([*(f"{label}/{n}.png" for label in "ab" for n in "12"), *masks]))
    assert collection.class_counts().tolist() == [2, 2]


def test_images_of_people_with_masks_are_no_masks(tree, recwarn) -> None:
    assert len(open_collection(tree(["mask/1.png", "mask/2.png", "without_mask/3.png"]))) == 3
    assert not recwarn.list


def test_folders_of_patients_are_groups(tree) -> None:
    paths = [f"{label}/patient_{n // 2}/{n}.png" for label in "ab" for n in range(4)]
    collection = open_collection(tree(paths))
    assert collection.group_column == "patient"
    assert collection.table["group"].nunique() == 2


def test_a_table_beside_class_folders_is_named(tree) -> None:
    folder = tree(["a/1.png", "a/2.png", "b/3.png", "b/4.png"])
    (folder / "notes.csv").write_text("site,count\nA,2\n")
    assert open_collection(folder).class_names == ("a", "b")
    (folder / "metadata.csv").write_text(
        "file,class,patient\n" + "".join(f"{n}.png,{'xy'[n % 2]},{n}\n" for n in (1, 2, 3, 4))
    )
    with pytest.warns(DataWarning, match=r"labels are read from .*metadata.csv, the only table in"):
        assert open_collection(folder).class_names == ("x", "y")


def test_two_tables_of_images_are_refused(tree, refuses) -> None:
    folder = tree(["images/1.png", "images/2.png"])
    for name in ("a.csv", "b.csv", "sample_submission.csv"):
        (folder / name).write_text("image,label\n1,a\n2,b\n")
    assert "must hold one table of labels, but has a.csv and b.csv; name one" in refuses(
        open_collection, folder
    )
