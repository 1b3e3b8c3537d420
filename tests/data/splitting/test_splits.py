"""Splits are stratified, group-disjoint and repeatable, and refused where they would mislead."""

import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtail.data import (
    SPLITS,
    DataWarning,
    ImageArray,
    ImageCollection,
    assign_splits,
    open_collection,
    read_splits,
    write_splits,
)


def collect(
    labels: list[str], groups: list[str] | None = None, splits: list | None = None
) -> ImageCollection:
    return ImageCollection.build(
        name="made up",
        data="made up",
        ids=[f"image-{row}" for row in range(len(labels))],
        labels=labels,
        source=ImageArray(np.zeros((len(labels), 4, 4), dtype=np.uint8)),
        groups=groups,
        group_column=None if groups is None else "patient",
        splits=splits,
    )


def splits_by(collection: ImageCollection, column: str) -> dict[str, set[str]]:
    return collection.table.groupby(column)["split"].agg(set).to_dict()


# --- drawing all three


def test_shares_are_met_for_every_class() -> None:
    collection = assign_splits(collect(["a"] * 1000 + ["b"] * 100 + ["c"] * 20))
    assert collection.class_counts("train").tolist() == [700, 70, 14]
    assert collection.class_counts("validation").tolist() == [150, 15, 3]
    assert collection.class_counts("test").tolist() == [150, 15, 3]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_groups_never_cross_and_every_class_is_trained(data: st.DataObject) -> None:
    group_count = data.draw(st.integers(2, 40), label="groups")
    rows = data.draw(
        st.lists(
            st.tuples(st.integers(0, 4), st.integers(0, group_count - 1)), min_size=group_count, max_size=120
        ),
        label="(class, group) of each image",
    )
    if len({label for label, _ in rows}) < 2:
        rows += [(0, group_count), (1, group_count + 1)]
    collection = collect([str(label) for label, _ in rows], [f"p{group}" for _, group in rows])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        collection = assign_splits(collection, seed=data.draw(st.integers(0, 5), label="seed"))
    assert set(collection.table["split"]) <= set(SPLITS)
    assert all(len(splits) == 1 for splits in splits_by(collection, "group").values())
    assert (collection.class_counts("train") > 0).all()


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=6),
    validation=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
)
def test_every_class_of_three_or_more_is_in_all_splits(
    counts: list[int], validation: float, test: float
) -> None:
    collection = collect([str(label) for label, count in enumerate(counts) for _ in range(count)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        collection = assign_splits(collection, validation_fraction=validation, test_fraction=test)
    for label, count in enumerate(counts):
        held = {split: collection.class_counts(split)[label] for split in SPLITS}
        assert sum(held.values()) == count
        if count >= 3:
            assert min(held.values()) >= 1
        if count >= 30:
            assert abs(held["validation"] - validation * count) <= 1
            assert abs(held["test"] - test * count) <= 1


def test_groups_of_unequal_size_come_close_to_the_shares() -> None:
    generator = np.random.default_rng(0)
    groups, labels = [], []
    for patient in range(300):
        label = str(generator.choice(3, p=[0.8, 0.15, 0.05]))
        for _ in range(generator.integers(1, 8)):
            groups.append(f"p{patient}")
            labels.append(label if generator.random() < 0.9 else "0")
    collection = assign_splits(collect(labels, groups))
    assert all(len(splits) == 1 for splits in splits_by(collection, "group").values())
    for split, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        np.testing.assert_allclose(
            collection.class_counts(split) / collection.class_counts(), share, atol=0.03
        )


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_rows() -> None:
    collection = collect(["a"] * 60 + ["b"] * 40)
    first = assign_splits(collection)
    assert first.fingerprint() == assign_splits(collection).fingerprint()
    assert first.fingerprint() != assign_splits(collection, seed=1).fingerprint()
    shuffled = collection.select(np.random.default_rng(0).permutation(100))
    of_shuffled = assign_splits(shuffled).table.set_index("id")["split"]
    assert of_shuffled.to_dict() == first.table.set_index("id")["split"].to_dict()


def test_too_few_groups_for_three_splits_warn_once_and_say_what_happens() -> None:
    labels = ["common"] * 50 + ["two"] * 4 + ["one"] * 3
    groups = [f"p{row}" for row in range(50)] + ["q0", "q0", "q1", "q1"] + ["r"] * 3
    with pytest.warns(DataWarning) as caught:
        collection = assign_splits(collect(labels, groups))
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "one (1 patient: train only)" in message
    assert "two (2 patients: train and test only)" in message
    by_label = splits_by(collection, "label")
    assert by_label["one"] == {"train"}
    assert by_label["two"] == {"train", "test"}
    assert by_label["common"] == set(SPLITS)


def test_training_keeps_a_class_whose_groups_hold_rarer_ones() -> None:
    # Patients c2 and d2 would both go to test for the sake of c and d, and take all of "e" with them.
    patients = {"c1": "ccc", "c2": "cee", "d1": "ddd", "d2": "dee"} | {f"o{n}": "a" for n in range(30)}
    labels = [label for held in patients.values() for label in held]
    groups = [patient for patient, held in patients.items() for _ in held]
    with pytest.warns(DataWarning):
        collection = assign_splits(collect(labels, groups))
    assert collection.class_counts("train").tolist()[3] == 2  # one of the two holds "e" in training
    assert collection.class_counts("test").tolist()[3] == 2


def test_ham_without_its_split_is_drawn_by_lesion(shared_data: Path) -> None:
    given_split = open_collection(shared_data / "ham10000_128")
    bare = replace(given_split, table=given_split.table.drop(columns="split"))
    collection = assign_splits(bare)
    assert sum(int(collection.class_counts(split).sum()) for split in SPLITS) == 5984
    df = given_split.class_names.index("df")
    assert [int(collection.class_counts(split)[df]) for split in SPLITS] == [42, 9, 9]


# --- given splits


def test_a_given_split_is_used_as_it_is(write_npz) -> None:
    collection = open_collection(write_npz())
    assert assign_splits(collection, seed=7).table["split"].equals(collection.table["split"])


def test_a_missing_validation_comes_out_of_training(write_npz) -> None:
    collection = open_collection(write_npz(val_images=None, val_labels=None))
    test_rows = collection.rows("test")
    divided = assign_splits(collection, validation_fraction=0.34)
    np.testing.assert_array_equal(divided.rows("test"), test_rows)
    assert divided.class_counts("train").tolist() == [4, 4]
    assert divided.class_counts("validation").tolist() == [2, 2]


def test_a_missing_test_comes_out_of_training_too() -> None:
    collection = collect(["a", "b"] * 20, splits=["train"] * 30 + ["validation"] * 10)
    divided = assign_splits(collection, test_fraction=0.2)
    assert divided.class_counts("test").tolist() == [3, 3]
    assert divided.class_counts("validation").tolist() == [5, 5]


def test_cutting_validation_keeps_groups_whole() -> None:
    groups = [f"p{row // 3}" for row in range(60)]
    collection = collect(["a", "b", "b"] * 20, groups, ["train"] * 45 + ["test"] * 15)
    divided = assign_splits(collection)
    assert set(divided.table["split"]) == set(SPLITS)
    assert all(len(splits) == 1 for splits in splits_by(divided, "group").values())


def test_a_split_that_shares_groups_is_refused_naming_them(refuses) -> None:
    groups = ["p1", "p1", "p2", "p3", "p3", "p4"]
    splits = ["train", "test", "train", "validation", "train", "test"]
    sentence = refuses(assign_splits, collect(["a", "b"] * 3, groups, splits))
    assert "no patient may be in two splits, but 2 of made up are" in sentence
    assert "p1 (train and test)" in sentence
    assert "p3 (train and validation)" in sentence
    assert "p2" not in sentence


def test_a_label_never_seen_in_training_is_refused(refuses) -> None:
    collection = collect(["a", "b", "a", "b", "c"], splits=["train", "train", "validation", "test", "test"])
    sentence = refuses(assign_splits, collection)
    assert "because a label never seen in training cannot be learned: c is only in test (1)" in sentence


def test_a_class_without_any_image_is_refused(class_folders: Path, refuses) -> None:
    (class_folders / "naevus araneus").mkdir()
    sentence = refuses(assign_splits, open_collection(class_folders))
    assert "has none of naevus araneus" in sentence


def test_one_class_is_refused(refuses) -> None:
    assert "at least 2 classes, but made up holds only 'a'" in refuses(assign_splits, collect(["a"] * 9))


def test_no_training_image_is_refused(refuses) -> None:
    collection = collect(["a", "b"], splits=["test", "test"])
    assert "must hold training images, but has none" in refuses(assign_splits, collection)


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ({"validation_fraction": 0.0}, "validation_fraction must be a number in (0, 1), got 0.0"),
        ({"test_fraction": 1.0}, "test_fraction must be a number in (0, 1), got 1.0"),
        ({"validation_fraction": 0.5, "test_fraction": 0.5}, "must leave images for training"),
    ],
)
def test_wrong_fractions_are_refused(refuses, fractions: dict, expected: str) -> None:
    assert expected in refuses(assign_splits, collect(["a", "b"] * 9), **fractions)


# --- files


def test_written_splits_are_read_back(tmp_path: Path) -> None:
    collection = collect(["a", "b"] * 20, [f"p{row // 2}" for row in range(40)])
    divided = assign_splits(collection)
    write_splits(divided, tmp_path / "splits.csv")
    table = pd.read_csv(tmp_path / "splits.csv")
    assert list(table.columns) == ["id", "split", "group"]
    shuffled = collection.select(np.arange(40)[::-1].copy())
    again = read_splits(shuffled, tmp_path / "splits.csv")
    assert Counter(again.table["split"]) == Counter(divided.table["split"])
    assert again.table.set_index("id")["split"].to_dict() == divided.table.set_index("id")["split"].to_dict()


def test_splits_of_other_images_are_refused(tmp_path: Path, refuses) -> None:
    path = tmp_path / "splits.csv"
    write_splits(assign_splits(collect(["a", "b"] * 20)), path)
    assert "2 are in only one of them: image-40, image-41" in refuses(
        read_splits, collect(["a", "b"] * 21), path
    )
    path.write_text("id,split\nimage-0,holdout\n")
    assert "got holdout" in refuses(read_splits, collect(["a", "b"]), path)
    path.write_text("name\nx\n")
    assert "must have the columns id and split, but has name" in refuses(
        read_splits, collect(["a", "b"]), path
    )
    assert "cannot be read" in refuses(read_splits, collect(["a", "b"]), tmp_path / "none.csv")
