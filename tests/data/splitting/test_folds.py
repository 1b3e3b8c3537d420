"""Stratified group k-fold: groups stay whole, every image is in one fold, every class is spread."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtail.data import DataWarning, ImageArray, ImageCollection, open_collection
from medtail.data.splitting.folds import (
    assign_folds,
    folds_fingerprint,
    with_test_fold,
    without_test_split,
    write_folds,
)


def collect(
    labels: list[str], groups: list[str] | None = None, ids: list[str] | None = None
) -> ImageCollection:
    return ImageCollection.build(
        name="made",
        data="made",
        ids=ids or [f"image-{row:04d}" for row in range(len(labels))],
        labels=labels,
        source=ImageArray(np.zeros((len(labels), 8, 8), np.uint8)),
        groups=groups,
        group_column=None if groups is None else "patient",
    )


def grouped(seed: int, images: int = 400) -> ImageCollection:
    """Patients of one to six images; three classes, 1 : 5 : 14, some patients with two."""
    generator = np.random.default_rng(seed)
    patients = np.repeat(np.arange(images), generator.integers(1, 7, images))[:images]
    usual = generator.choice(3, images, p=[0.05, 0.25, 0.7])[patients]
    targets = np.where(generator.random(images) < 0.1, generator.integers(0, 3, images), usual)
    return collect([f"class {target}" for target in targets], [f"p{patient}" for patient in patients])


@given(st.integers(2, 7), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_groups_stay_whole_and_every_image_has_one_fold(folds: int, seed: int) -> None:
    images = grouped(seed)
    assigned = assign_folds(images, folds, seed)
    assert sorted(assigned.unique()) == list(range(1, folds + 1))
    assert len(assigned) == len(images)
    assert (assigned.groupby(images.table["group"]).nunique() == 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_every_fold_has_its_share_of_every_class(seed: int) -> None:
    images = grouped(seed)
    assigned = assign_folds(images, 5, seed).to_numpy()
    counts = np.array([np.bincount(images.targets[assigned == fold], minlength=3) for fold in range(1, 6)])
    # A group of six images cannot be divided, so a fold may be off by as much.
    assert (np.abs(counts - images.class_counts() / 5) <= 6).all()


def test_single_images_are_spread_as_evenly_as_can_be() -> None:
    images = collect(["a"] * 103 + ["b"] * 52 + ["c"] * 7)
    assigned = assign_folds(images, 5).to_numpy()
    counts = np.array([np.bincount(images.targets[assigned == fold], minlength=3) for fold in range(1, 6)])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_the_order_of_rows_changes_nothing_and_the_seed_does() -> None:
    images = grouped(1)
    shuffled = images.select(np.random.default_rng(7).permutation(len(images)))
    first, second, other = assign_folds(images, 5), assign_folds(shuffled, 5), assign_folds(images, 5, seed=1)
    assert dict(zip(images.table["id"], first, strict=True)) == dict(
        zip(shuffled.table["id"], second, strict=True)
    )
    assert folds_fingerprint(images, first) == folds_fingerprint(shuffled, second)
    assert folds_fingerprint(images, first) != folds_fingerprint(images, other)


def test_several_labels_are_spread_too() -> None:
    generator = np.random.default_rng(0)
    images = ImageCollection.build_multi_label(
        name="made",
        data="made",
        ids=[str(row) for row in range(600)],
        labels={
            name: (generator.random(600) < share) for name, share in (("a", 0.05), ("b", 0.3), ("c", 0.5))
        },
        source=ImageArray(np.zeros((600, 8, 8), np.uint8)),
        groups=[str(row // 3) for row in range(600)],
        group_column="patient",
    )
    assigned = assign_folds(images, 5).to_numpy()
    counts = np.array([images.targets[assigned == fold].sum(axis=0) for fold in range(1, 6)])
    assert (
        np.abs(counts - images.class_counts() / 5) <= np.maximum(0.15 * images.class_counts() / 5, 3)
    ).all()


def test_rare_classes_do_not_crowd_the_first_fold() -> None:
    with pytest.warns(DataWarning, match=r"not in each of 5 folds.*: b \(2 images\), c \(2 images\)"):
        assigned = assign_folds(collect(["a"] * 46 + ["b"] * 2 + ["c"] * 2), 5)
    assert assigned.value_counts().tolist() == [10] * 5
    assert assigned[46:].nunique() == 4


def test_enough_groups_need_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assign_folds(collect(["a"] * 20 + ["b"] * 5), 5)


@pytest.mark.parametrize(
    ("labels", "groups", "folds", "message"),
    [
        ("aabb", None, 1, "folds must be a whole number of at least 2, got 1; 5 is usual"),
        ("aabb", None, 5, "folds must be at most the number of images, got 5 for 4 of made"),
        ("aabb", "xxyy", 3, "folds must be at most the number of patients, got 3 for 2"),
        ("aaaab", None, 2, "but made has too few images of b (1 image); add images"),
        ("aaabb", "vwxyy", 2, "but made has too few images of b (1 patient)"),
    ],
)
def test_what_cannot_be_folded_is_refused(labels, groups, folds, message, refuses) -> None:
    images = collect(list(labels), None if groups is None else list(groups))
    assert message in refuses(assign_folds, images, folds)


def test_a_test_split_of_the_data_stays_out() -> None:
    digits = open_collection("digits-lt")
    rest = without_test_split(digits)
    assert len(rest) == 476
    assert "split" not in rest.table
    assert not set(rest.table["id"]) & set(digits.table["id"][digits.rows("test")])
    assert without_test_split(rest) is rest


def test_a_fold_is_a_test_split() -> None:
    images = grouped(2)
    assigned = assign_folds(images, 5)
    third = with_test_fold(images, assigned, 3)
    assert third.rows("test").tolist() == np.flatnonzero(assigned == 3).tolist()
    assert len(third.rows("train")) + len(third.rows("test")) == len(images)


def test_folds_are_written(tmp_path) -> None:
    images = grouped(3, images=20)
    assigned = assign_folds(images, 2)
    write_folds(images, assigned, tmp_path / "folds.csv")
    lines = (tmp_path / "folds.csv").read_text().splitlines()
    assert lines[0] == "id,group,fold"
    assert lines[1] == f"image-0000,p0,{assigned[0]}"
    assert len(lines) == 21
