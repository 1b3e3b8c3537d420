"""List files as ImageNet-LT and iNaturalist 2018 publish them."""

import time
from pathlib import Path

import numpy as np
import pytest

from medtail.data import assign_splits, load_pixels, open_collection


@pytest.fixture
def make(tmp_path: Path, draw):
    """A folder of images and lists: {"name_train.txt": [("train/a.jpg", 0), …]}."""

    def run(lists: dict[str, list[tuple[str, int]]], folder: str = "lists") -> Path:
        root = tmp_path / folder
        for name, rows in lists.items():
            root.mkdir(exist_ok=True)
            (root / name).write_text("".join(f"{path} {label}\n" for path, label in rows))
            for seed, (path, _) in enumerate(rows):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                draw(seed).save(root / path)
        return root

    return run


def imagenet_lt() -> dict[str, list[tuple[str, int]]]:
    """As in ImageNet-LT: validation is taken from ImageNet's training folder, test from its validation folder."""
    return {
        "ImageNet_LT_train.txt": [(f"train/n{label:02d}/{row}.JPEG", label) for label in range(11) for row in range(3)],
        "ImageNet_LT_val.txt": [(f"train/n{label:02d}/val {label}.JPEG", label) for label in range(11)],
        "ImageNet_LT_test.txt": [(f"val/n{label:02d}/{label}.JPEG", label) for label in range(11)],
    }  # fmt: skip


def test_the_lists_of_a_folder_are_its_splits(make) -> None:
    lists = imagenet_lt()
    collection = open_collection(make(lists))
    assert collection.name == "ImageNet_LT"
    assert collection.class_names == tuple(str(label) for label in range(11))
    assert collection.class_counts("train").tolist() == [3] * 11
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        rows = collection.rows(split)
        named = collection.table.iloc[rows]
        assert list(zip(named["id"], named["target"], strict=True)) == lists[f"ImageNet_LT_{name}.txt"]
    assert assign_splits(collection).fingerprint() == collection.fingerprint()


def test_the_pixels_are_those_of_the_paths(make, draw) -> None:
    root = make(imagenet_lt())
    pixels = load_pixels(open_collection(root), image_size=16, channels=3)
    assert len(pixels.unreadable) == 0
    collection = open_collection(root)
    row = collection.table["id"].tolist().index("train/n03/val 3.JPEG")
    assert collection.source.read(row).shape == (16, 16, 3)


def test_naming_one_list_opens_its_siblings(make) -> None:
    root = make(
        {**imagenet_lt(), "iNaturalist18_train.txt": [("train_val2018/a.jpg", 0), ("train_val2018/b.jpg", 1)]}
    )
    one = open_collection(root / "ImageNet_LT_val.txt")
    assert len(one) == 55
    other = open_collection(root / "iNaturalist18_train.txt")
    assert other.table["id"].tolist() == ["train_val2018/a.jpg", "train_val2018/b.jpg"]


def test_without_a_test_list_test_is_drawn_from_training(make) -> None:
    root = make(
        {
            "iNaturalist18_train.txt": [(f"train_val2018/{row}.jpg", row % 2) for row in range(40)],
            "iNaturalist18_val.txt": [(f"train_val2018/v{row}.jpg", row % 2) for row in range(6)],
        }
    )
    collection = assign_splits(open_collection(root), test_fraction=0.25)
    assert collection.class_counts("test").tolist() == [5, 5]
    assert collection.class_counts("train").tolist() == [15, 15]
    assert collection.class_counts("validation").tolist() == [3, 3]


def test_a_list_without_a_split_in_its_name_stands_alone(make) -> None:
    root = make({"mine.txt": [("a.png", 7), ("b.png", 30)], "other_train.txt": [("c.png", 1)]})
    collection = open_collection(root / "mine.txt")
    assert "split" not in collection.table
    assert (collection.name, collection.class_names) == ("mine", ("7", "30"))


def test_plain_split_names_are_enough(make) -> None:
    collection = open_collection(make({"train.txt": [("a.png", 0)], "val.txt": [("b.png", 1)]}))
    assert collection.name == "lists"
    assert collection.table["split"].tolist() == ["train", "validation"]


def test_windows_lines_empty_lines_and_a_byte_order_mark(make) -> None:
    root = make({"x_train.txt": [("a.png", 0), ("b.png", 1)]})
    (root / "x_train.txt").write_bytes("\ufeffa.png 0\r\n\r\n./b.png\t01\r\n\r\n".encode())
    collection = open_collection(root)
    assert collection.table[["id", "label"]].to_numpy().tolist() == [["a.png", "0"], ["b.png", "1"]]


def test_class_folders_with_other_text_files_stay_class_folders(make, tmp_path: Path, draw) -> None:
    root = make({"x_train.txt": [("cat/a.png", 0), ("dog/b.png", 1)]})
    (root / "x_train.txt").rename(root / "README.txt")
    assert open_collection(root).class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a.png 0\nb.png\n", "line 2 of {file} must be a path and a class id (a whole number), e.g. train/0001.jpg 17"),
        ("a.png 0\n\nb.png cat\n", "line 3 of {file} must be a path and a class id"),
        ("a.png -1\n", "line 1 of {file} must be a path and a class id"),
        ("a.png 1.5\n", "got 'a.png 1.5'; fix it"),
        ("a.png ²\n", "line 1 of {file} must be a path and a class id"),
        ("a.png 0\n../secret.png 1\n", "line 2 of {file} must name an image below {folder}, got '../secret.png'"),
        ("x/../../secret.png 1\n", "line 1 of {file} must name an image below {folder}"),
        ("/etc/passwd 1\n", "line 1 of {file} must name an image below {folder}, got '/etc/passwd'"),
        (". 1\n", "line 1 of {file} must name an image below"),
        ("\n\n", "list {file} must have a line for each image, but has none"),
        ("a.png 0\nx/../a.png 1\n", "image ids must be unique, 1 of"),
        ("c.png 0\nd.png 1\n", "none of the 2 images named in x_train.txt is in {folder} (first: c.png)"),
    ],
)  # fmt: skip
def test_a_broken_list_is_named_with_its_line(content: str, message: str, make, refuses) -> None:
    root = make({"x_train.txt": [("a.png", 0), ("b.png", 1)]})
    file = root / "x_train.txt"
    file.write_text(content)
    assert message.format(file=file, folder=root) in refuses(open_collection, root)


def test_an_absolute_path_below_the_folder_is_fine(make) -> None:
    root = make({"x_train.txt": [("a.png", 0), ("b.png", 1)]})
    (root / "x_train.txt").write_text(f"{root / 'a.png'} 0\nb.png 1\n")
    assert open_collection(root).table["id"].tolist() == ["a.png", "b.png"]


def test_bytes_that_are_no_text_are_refused(make, refuses) -> None:
    root = make({"x_train.txt": [("a.png", 0)]})
    (root / "x_train.txt").write_bytes(b"\xff\xfe\x00a 0\n")
    assert "must be text in UTF-8" in refuses(open_collection, root)


def test_lists_of_two_data_sets_are_not_mixed(make, refuses) -> None:
    root = make({"one_train.txt": [("a.png", 0)], "two_train.txt": [("b.png", 1)]})
    sentence = refuses(open_collection, root)
    assert "must be the lists of one data set" in sentence
    assert "one, two (one_train.txt, two_train.txt); give one of the files" in sentence
    root = make({"x_val.txt": [("a.png", 0)], "x_valid.txt": [("b.png", 1)]}, "twice")
    assert "must have one list per split" in refuses(open_collection, root)


def test_a_missing_image_is_reported_with_the_unreadable_ones(make, refuses) -> None:
    root = make({"x_train.txt": [("a.png", 0), ("b.png", 1)]})
    (root / "b.png").unlink()
    assert "b.png does not exist" in refuses(load_pixels, open_collection(root), image_size=16, channels=3)


def test_a_hundred_thousand_lines_take_seconds(make) -> None:
    root = make({"big_train.txt": [("a.png", 0)]})
    labels = np.random.default_rng(0).integers(0, 1000, 120_000)
    (root / "big_train.txt").write_text(
        "a.png 0\n" + "".join(f"train/n{label:04d}/{row}.jpg {label}\n" for row, label in enumerate(labels))
    )
    start = time.perf_counter()
    collection = open_collection(root)
    seconds = time.perf_counter() - start
    assert len(collection) == 120_001
    assert seconds < 20  # 1 to 2 s on one core of 2026
