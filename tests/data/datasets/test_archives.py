"""Archives of other forms, and CIFAR as published."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from medtail.data import DataWarning, open_collection
from references import layouts


def images(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def parts(*shape: int) -> dict[str, np.ndarray]:
    return {
        f"{split}_images": images(count, *shape) for split, count in (("train", 12), ("val", 4), ("test", 4))
    }


@pytest.mark.parametrize("shape", [(3, 28, 28), (1, 28, 28), (1, 12, 12, 12)])
def test_channels_may_come_first(write_npz, shape: tuple[int, ...]) -> None:
    given = parts(*shape)
    with pytest.warns(DataWarning, match=f"with {shape[0]} channels first"):
        collection = open_collection(write_npz(**given))
    assert collection.dimensions == len(shape) - 1
    np.testing.assert_array_equal(collection.source.read(2), np.moveaxis(given["train_images"][2], 0, -1))


@pytest.mark.parametrize("first", [False, True])
def test_transparent_pixels_are_black(write_npz, first: bool) -> None:
    given = parts(28, 28, 4)
    given["train_images"][0, 0, 0] = (200, 100, 50, 0)
    given["train_images"][0, 0, 1] = (200, 100, 50, 255)
    arrays = {key: value.transpose(0, 3, 1, 2) for key, value in given.items()} if first else given
    with pytest.warns(DataWarning, match="channels first" if first else "are read as RGBA"):
        image = open_collection(write_npz(**arrays)).source.read(0)
    assert image.shape == (28, 28, 3)
    assert image[0, :2].tolist() == [[0, 0, 0], [200, 100, 50]]


@pytest.mark.parametrize("shape", [(28, 28, 28), (3, 8, 8), (3, 28, 28, 1)])
def test_volumes_stay_volumes(write_npz, recwarn, shape: tuple[int, ...]) -> None:
    assert open_collection(write_npz(**parts(*shape))).dimensions == 3
    assert not recwarn.list


def labels(count: int, columns: int) -> np.ndarray:
    return np.eye(columns, dtype=np.uint8)[np.arange(count) % columns]


def test_one_hot_labels_are_classes(write_npz) -> None:
    given = {f"{split}_labels": labels(count, 3) for split, count in (("train", 12), ("val", 4), ("test", 4))}
    collection = open_collection(write_npz(**given, class_names=np.array(["z", "y", "x"])))
    assert not collection.multi_label
    assert collection.class_names == ("z", "y", "x")
    assert collection.class_counts("train").tolist() == [4, 4, 4]


def test_several_labels_may_be_unknown(write_npz) -> None:
    given = {
        f"{split}_labels": np.ones((count, 2), np.int8)
        for split, count in (("train", 12), ("val", 4), ("test", 4))
    }
    given["train_labels"][0] = (0, -1)
    with pytest.warns(DataWarning, match="unknown where they are -1 or NaN: 1 of 40"):
        collection = open_collection(write_npz(**given))
    assert collection.multi_label
    np.testing.assert_array_equal(collection.targets[:2], [[0, np.nan], [1, 1]])
    assert collection.class_counts().tolist() == [19, 19]


def test_columns_of_other_numbers_are_refused(write_npz, refuses) -> None:
    given = {
        f"{split}_labels": np.full((count, 2), 2) for split, count in (("train", 12), ("val", 4), ("test", 4))
    }
    assert "must be 0 or 1 for each class, as their shape is (20, 2), got 2" in refuses(
        open_collection, write_npz(**given)
    )


def test_names_must_fit_the_columns(write_npz, refuses) -> None:
    given = {f"{split}_labels": labels(count, 3) for split, count in (("train", 12), ("val", 4), ("test", 4))}
    sentence = refuses(open_collection, write_npz(**given, class_names=np.array(["a", "b"])))
    assert "must name each of 3 columns of labels differently, but has 2 names" in sentence


def test_keys_of_patients_are_named(write_npz) -> None:
    with pytest.warns(DataWarning, match="look like groups, but are not used.*: train_patient"):
        open_collection(write_npz(train_patient=np.arange(12)))


# --- CIFAR


def test_pixels_of_cifar_are_in_the_published_order(tmp_path: Path) -> None:
    layouts.cifar_10_pickles(tmp_path)
    record = pickle.loads((tmp_path / "data_batch_2").read_bytes())
    collection = open_collection(tmp_path)
    row = collection.table["id"].tolist().index("data_batch_2/3")
    np.testing.assert_array_equal(
        collection.source.read(row)[5, 7], record["data"][3].reshape(3, 32, 32)[:, 5, 7]
    )
    assert collection.table["target"].iloc[row] == record["labels"][3]


@pytest.mark.parametrize("layout", ["cifar_10", "cifar_100"])
def test_binary_files_and_pickles_hold_the_same(tmp_path: Path, layout: str) -> None:
    opened = []
    for kind in ("binary", "pickles"):
        (tmp_path / kind).mkdir()
        opened.append(open_collection(getattr(layouts, f"{layout}_{kind}")(tmp_path / kind)))
    assert opened[0].table.equals(opened[1].table)
    np.testing.assert_array_equal(opened[0].source.read(23), opened[1].source.read(23))


class _Runs:
    def __reduce__(self) -> tuple:
        return print, ("executed",)


@pytest.mark.parametrize("content", [{"labels": [0], "data": _Runs()}, {"labels": [0]}, [1, 2]])
def test_a_pickle_runs_nothing(tmp_path: Path, refuses, capsys, content: object) -> None:
    layouts.cifar_10_pickles(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content))
    assert "data_batch_1 must" in refuses(open_collection, tmp_path)
    assert capsys.readouterr().out == ""


def test_a_cut_binary_file_is_refused(tmp_path: Path, refuses) -> None:
    layouts.cifar_100_binary(tmp_path)
    (tmp_path / "train.bin").write_bytes((tmp_path / "train.bin").read_bytes()[:-1])
    assert "must hold records of 3074 bytes" in refuses(open_collection, tmp_path)
