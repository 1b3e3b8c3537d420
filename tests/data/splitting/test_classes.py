"""Keeping and merging classes, and naming those that are too small."""

import numpy as np
import pytest

from medtail.data import (
    DataWarning,
    ImageArray,
    ImageCollection,
    assign_splits,
    choose_classes,
    open_collection,
)
from medtail.data.splitting.classes import choose_classes_present
from medtail.data.splitting.splits import check_learnable, small_classes


def collection_of(labels: list[str], groups: list[str] | None = None) -> ImageCollection:
    return ImageCollection.build(
        name="drawn",
        data="drawn",
        ids=[f"image {row}" for row in range(len(labels))],
        labels=labels,
        source=ImageArray(
            np.arange(len(labels), dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
        ),
        groups=groups,
        group_column="patient" if groups else None,
    )


@pytest.fixture
def letters() -> ImageCollection:
    return collection_of(list("aabbbccccd"))


def test_classes_are_kept_with_their_images(letters) -> None:
    kept = choose_classes(letters, ["d", "b"])
    assert kept.class_names == ("b", "d")
    assert kept.table["target"].tolist() == [0, 0, 0, 1]
    assert [int(kept.source.read(row).flat[0]) for row in range(4)] == [2, 3, 4, 9]


def test_classes_are_merged_and_ordered_anew(letters) -> None:
    merged = choose_classes(letters, merge={"z": ["a", "d"]})
    assert merged.class_names == ("b", "c", "z")
    assert merged.class_counts().tolist() == [3, 4, 3]
    assert choose_classes(letters, ["z", "b"], {"z": ["a", "d"]}).class_counts().tolist() == [3, 3]
    assert choose_classes(letters, merge={"a": ["a", "d"]}).class_counts().tolist() == [3, 3, 4]


def test_the_same_choice_twice_changes_nothing(letters) -> None:
    once = choose_classes(letters, ["z", "b"], {"z": ["a", "d"]})
    assert choose_classes(once, ["z", "b"], {"z": ["a", "d"]}) is once
    assert choose_classes(letters) is letters


def test_labels_are_merged_where_an_image_carries_one_of_them() -> None:
    labels = np.array([[1, 0, 0], [0, np.nan, 1], [np.nan, 1, 0], [0, 0, 0]])
    several = ImageCollection.build_multi_label(
        name="drawn",
        data="drawn",
        ids=list("abcd"),
        labels={name: labels[:, place] for place, name in enumerate("xyz")},
        source=ImageArray(np.zeros((4, 4, 4, 1), np.uint8)),
    )
    chosen = choose_classes(several, merge={"w": ["x", "y"]})
    assert chosen.class_names == ("w", "z")
    np.testing.assert_array_equal(chosen.targets, [[1, 0], [np.nan, 1], [1, 0], [0, 0]])
    assert choose_classes(several, ["z"]).targets.tolist() == [[0], [1], [0], [0]]


@pytest.mark.parametrize(
    ("classes", "merge", "words"),
    [
        (["a", "mell"], None, "`classes` must be classes of drawn (a, b, c, d), got 'mell'"),
        (None, {"z": ["a", "e"]}, "`merge` must name classes of drawn (a, b, c, d), got 'e'"),
        (None, {"z": ["a"], "y": ["a"]}, "`merge` must name each class once, got a more than once"),
        (None, {"b": ["a", "d"]}, "`merge` must give new names, but b is a class already"),
    ],
)
def test_wrong_choices_are_refused(letters, refuses, classes, merge, words: str) -> None:
    assert words in refuses(choose_classes, letters, classes, merge)


def test_other_data_need_not_have_all_classes(letters) -> None:
    other = letters.select(np.arange(5))
    other = collection_of(other.table["label"].tolist())
    assert choose_classes_present(other, ["z", "b"], {"z": ["a", "d"]}).class_names == ("b", "z")
    already = collection_of(list("zzb"))
    assert choose_classes_present(already, ["z", "b"], {"z": ["a", "d"]}).class_names == ("b", "z")


# --- small classes


def test_classes_too_small_for_splits_are_named_before_anything_is_decoded(letters) -> None:
    words = r"fewer than 3 images .*: a \(2 images: train and test only\), d \(1 image: train only\); leave them out"
    with pytest.warns(DataWarning, match=words + " with `classes`, or .* `merge`"):
        check_learnable(letters)
    with pytest.warns(DataWarning, match=words):
        assign_splits(letters)


def test_groups_count_and_given_splits_do_not() -> None:
    grouped = collection_of(list("aaaabbbb"), list("11112345"))
    assert small_classes(grouped) == ["a (1 patient: train only)"]
    assert small_classes(open_collection("digits-lt")) == []


def test_too_many_folds_are_refused_with_a_remedy(letters, refuses) -> None:
    from medtail.data.splitting.folds import assign_folds

    sentence = refuses(assign_folds, letters, 3)
    assert (
        "too few images of d (1 image); add images, keep the other classes with `classes`, or make one"
        in sentence
    )


def test_given_splits_that_share_a_patient_are_refused_before_anything_is_decoded(edit, refuses) -> None:
    folder = edit(split=["train"] * 15 + ["test"] * 15, dx=["nv", "mel"] * 15)
    assert "no patient_id may be in two splits" in refuses(check_learnable, open_collection(folder))
