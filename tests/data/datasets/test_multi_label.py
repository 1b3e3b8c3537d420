"""Tables of several labels per image: reading, splitting, counting."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtail.cli.verbs.inspect import lines
from medtail.data import (
    ImageArray,
    ImageBatches,
    ImageCollection,
    assign_splits,
    load_pixels,
    open_collection,
)
from medtail.data.collection import DataWarning
from medtail.inspection.audit import audit


@pytest.fixture
def several(edit: Callable[..., Path]) -> Callable[..., Path]:
    """The folder of 30 images with columns label_edema and label_effusion in place of dx."""

    def change(**columns: object) -> Path:
        labels = {
            "dx": None,
            "label_effusion": ["1", "0", "0"] * 10,
            "label_edema": ["1"] * 20 + ["0"] * 10,
        }
        return edit(**{**labels, **columns})

    return change


def collection_of(labels: np.ndarray, groups: list[str] | None = None) -> ImageCollection:
    return ImageCollection.build_multi_label(
        name="drawn",
        data="drawn",
        ids=[f"image {row}" for row in range(len(labels))],
        labels={f"l{column}": labels[:, column] for column in range(labels.shape[1])},
        source=ImageArray(np.zeros((len(labels), 4, 4, 1), np.uint8)),
        groups=groups,
        group_column="patient" if groups else None,
    )


def test_a_table_of_several_labels_gives_their_targets_in_order_of_names(several) -> None:
    collection = open_collection(several())
    assert collection.multi_label
    assert collection.class_names == ("edema", "effusion")
    assert collection.targets.dtype == np.int64
    assert collection.targets[[0, 1, 21, 22]].tolist() == [[1, 1], [1, 0], [0, 1], [0, 0]]
    assert collection.class_counts().tolist() == [20, 10]
    assert collection.group_column == "patient_id"


def test_a_single_label_column_wins_over_columns_of_several_labels(several) -> None:
    collection = open_collection(several(dx=["nv"] * 20 + ["mel"] * 10))
    assert not collection.multi_label
    assert collection.class_names == ("mel", "nv")


@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_parquet_may_hold_numbers(several, dtype: str) -> None:
    folder = several()
    table = pd.read_csv(folder / "labels.csv", dtype={"image": str})
    table.astype({"label_edema": dtype, "label_effusion": dtype}).to_parquet(folder / "labels.parquet")
    text = open_collection(folder / "labels.csv")
    assert np.array_equal(open_collection(folder / "labels.parquet").targets, text.targets)


@pytest.mark.parametrize("value", ["2", "-2", "yes", "0.5"])
def test_other_values_than_0_and_1_are_refused(several, refuses, value: str) -> None:
    folder = several(label_edema=["1"] * 4 + [value] + ["0"] * 25)
    sentence = refuses(open_collection, folder)
    assert (
        f"column label_edema of {folder / 'labels.csv'} must hold 0 or 1, got '{value}' in row 6" in sentence
    )
    assert "1 of 30 rows" in sentence


@pytest.mark.parametrize("value", ["", "-1", "-1.0", "NaN"])
def test_empty_values_and_minus_one_are_unknown(several, value: str) -> None:
    with pytest.warns(DataWarning, match="unknown where they are empty or -1, of 30 images: edema 1;"):
        collection = open_collection(several(label_edema=["1", value] + ["0"] * 28))
    assert collection.targets.dtype == np.float64
    np.testing.assert_array_equal(collection.targets[:3], [[1, 1], [np.nan, 0], [0, 0]])
    assert collection.class_counts().tolist() == [1, 10]  # an unknown label is not counted


def test_a_lone_label_column_is_refused(several, edit, refuses) -> None:
    several()
    sentence = refuses(open_collection, edit(label_effusion=None))
    assert "several labels per image need two or more columns label_<class>" in sentence
    assert "has only label_edema" in sentence


def test_a_label_that_no_image_carries_is_refused(several, refuses) -> None:
    collection = open_collection(several(label_edema=["0"] * 30))
    assert "has none of edema; add images or remove the class" in refuses(assign_splits, collection)


def test_a_label_without_a_positive_in_training_is_refused(several, refuses) -> None:
    split = ["train"] * 20 + ["test"] * 10
    collection = open_collection(several(split=split, label_edema=["0"] * 20 + ["1"] * 10))
    sentence = refuses(assign_splits, collection)
    assert "every class needs a training image" in sentence
    assert "edema is only in test (10)" in sentence


def test_a_training_split_without_any_label_is_not_called_empty(several, refuses) -> None:
    labels = ["0"] * 20 + ["1"] * 10
    split = ["train"] * 10 + ["validation"] * 10 + ["test"] * 10
    collection = open_collection(several(split=split, label_edema=labels, label_effusion=labels))
    sentence = refuses(assign_splits, collection)
    assert "edema is only in test (10), effusion is only in test (10)" in sentence


def test_the_fingerprint_follows_every_label(several, edit) -> None:
    one = open_collection(several()).fingerprint()
    other = open_collection(edit(label_effusion=["1", "0", "0"] * 9 + ["1", "0", "1"])).fingerprint()
    assert one != other


def test_images_without_a_label_are_dealt_to_all_splits(refuses) -> None:
    labels = np.zeros((60, 2), dtype=int)
    labels[:20, 0] = labels[10:30, 1] = 1
    splits = assign_splits(collection_of(labels)).table["split"]
    assert splits.notna().all()
    assert splits[30:].value_counts().to_dict() == pytest.approx(
        {"train": 21, "validation": 4.5, "test": 4.5}, abs=1
    )


def test_a_label_of_two_patients_is_named() -> None:
    labels = np.zeros((40, 2), dtype=int)
    labels[:20, 0] = 1
    labels[:2, 1] = 1
    with pytest.warns(DataWarning, match=r"l1 \(2 images: train and test only\)"):
        assign_splits(collection_of(labels))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10_000),
    st.integers(40, 160),
    st.integers(2, 6),
    st.booleans(),
)
def test_splits_are_of_every_label_and_of_whole_groups(
    seed: int, size: int, classes: int, grouped: bool
) -> None:
    generator = np.random.default_rng(seed)
    labels = (generator.random((size, classes)) < generator.uniform(0.1, 0.5, classes)).astype(int)
    labels[range(classes), range(classes)] = 1
    groups = [f"p{number}" for number in generator.integers(0, size // 2, size)] if grouped else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        collection = assign_splits(collection_of(labels, groups), seed=seed)
    table = collection.table
    assert set(table["split"]) <= {"train", "validation", "test"}
    if groups:
        assert table.groupby("group")["split"].nunique().max() == 1
    totals = labels.sum(axis=0)
    counts = {split: collection.class_counts(split) for split in ("train", "validation", "test")}
    assert (sum(counts.values()) == totals).all()
    assert (counts["train"] > 0).all()
    # Whole groups of a few images, each with several labels, come within a few images of 15 %.
    for split in ("validation", "test"):
        assert (np.abs(counts[split] - 0.15 * totals) <= 4 + 0.1 * totals).all()


def test_the_draw_does_not_depend_on_the_order_of_rows(several) -> None:
    collection = open_collection(several())
    turned = collection.select(np.arange(len(collection))[::-1])
    splits = assign_splits(collection, seed=3).table.set_index("id")["split"]
    assert splits.to_dict() == assign_splits(turned, seed=3).table.set_index("id")["split"].to_dict()


def test_batches_hold_0_1_targets(several) -> None:
    collection = open_collection(several())
    pixels = load_pixels(collection, image_size=8, channels=3)
    rows = np.array([0, 21, 22])
    batch = ImageBatches(pixels, rows, collection.targets[rows]).__getitems__([2, 0])
    assert batch["target"].tolist() == [[0, 0], [1, 1]]
    assert batch["row"].tolist() == [22, 0]


def test_inspect_counts_labels_and_images_apart(several) -> None:
    found = audit(open_collection(several()))
    assert found.counts == {"all": [20, 10]}
    assert found.to_dict()["several_labels"] == {"images": {"all": 30}, "mean": 1.0, "without": 7}
    text = lines(found)
    assert next(line for line in text if line.startswith("total")).split() == ["total", "30"]
    assert "labels per image: 1.00 on average, 7 images carry none" in text
    assert found.suggestion is not None
    assert found.suggestion.method == "asl"


def test_inspect_of_single_label_data_does_not_count_labels_per_image(table_folder: Path) -> None:
    found = audit(open_collection(table_folder))
    assert "several_labels" not in found.to_dict()
    assert not any(line.startswith("labels per image") for line in lines(found))


def test_unknown_labels_are_nan_and_counted_for_no_class() -> None:
    labels = np.array([[1, 0], [1, np.nan], [0, 1], [np.nan, np.nan]])
    collection = collection_of(labels)
    np.testing.assert_array_equal(collection.targets, labels)
    assert collection.class_counts().tolist() == [2, 1]
    assert collection.known_counts().tolist() == [3, 2]
    assert collection_of(labels[[0, 2]]).known_counts().tolist() == [2, 2]
    pixels = load_pixels(collection, image_size=4, channels=1)
    batches = ImageBatches(pixels, np.arange(4), collection.targets)
    np.testing.assert_array_equal(
        batches.__getitems__([1, 0])["target"].numpy(), labels[[1, 0]].astype(np.float32)
    )
