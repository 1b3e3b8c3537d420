"""Artificial long tails: the counts of the papers, drawn without replacement from training images alone."""

import math
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtail.data import DataWarning, ImageArray, ImageCollection, open_collection
from medtail.data.splitting.long_tail import (
    PROFILES,
    binary_counts,
    exponential_counts,
    pareto_counts,
    step_counts,
    subsample,
    training_rows_left_out,
)

class_counts = st.lists(st.integers(1, 2000), min_size=2, max_size=40).map(np.array)
factors = st.floats(1.0, 1000.0)


def collect(labels: list[str], splits: list[str], ids: list[str] | None = None) -> ImageCollection:
    return ImageCollection.build(
        name="made",
        data="made",
        ids=ids or [f"image-{row:04d}" for row in range(len(labels))],
        labels=labels,
        source=ImageArray(np.zeros((len(labels), 8, 8), np.uint8)),
        splits=splits,
    )


@pytest.mark.parametrize(("factor", "total", "last"), [(10, 19573, 50), (50, 12608, 10), (100, 10847, 5)])
def test_counts_of_cifar100_lt(factor: int, total: int, last: int) -> None:
    counts = exponential_counts(np.full(100, 500), factor)
    # The formula of the papers' own loaders, which take 1 / IF as the base.
    assert counts.tolist() == [int(500 * (1 / factor) ** (c / 99)) for c in range(100)]
    assert (counts.sum(), counts[0], counts[-1]) == (total, 500, last)


def test_counts_of_the_cifar100_lt_archive(shared_data) -> None:
    archive = shared_data / "cifar" / "cifar100_lt_if100.npz"
    if not archive.is_file():
        pytest.skip(f"{archive} is not there")
    with np.load(archive) as content:
        labels = content["train_labels"].reshape(-1)
    assert np.bincount(labels).tolist() == exponential_counts(np.full(100, 500), 100).tolist()


@pytest.mark.parametrize(("factor", "total"), [(10, 20431), (100, 12406)])
def test_counts_of_cifar10_lt(factor: int, total: int) -> None:
    assert exponential_counts(np.full(10, 5000), factor).sum() == total


def test_a_power_that_is_whole_is_not_cut_by_its_rounding_error() -> None:
    assert exponential_counts(np.full(4, 5000), 1000).tolist() == [5000, 500, 50, 5]


def test_exponential_counts_follow_the_frequency_of_classes_not_their_ids() -> None:
    assert exponential_counts(np.array([30, 1000, 200]), 100).tolist() == [10, 1000, 100]


def test_step_cuts_the_smaller_half() -> None:
    assert step_counts(np.full(5, 100), 10).tolist() == [100, 100, 10, 10, 10]
    assert step_counts(np.array([40, 100, 60, 90]), 10).tolist() == [10, 100, 10, 100]
    assert step_counts(np.full(10, 100), 10, minority_share=0.1).tolist() == [100] * 9 + [10]


def test_pareto_counts_are_near_those_published_for_imagenet_lt() -> None:
    counts = pareto_counts(np.full(1000, 1280))
    assert (counts.max(), counts.min()) == (1280, 5)
    assert (np.diff(counts) <= 0).all()
    # Published: 115,846 images, 385 classes with many, 479 with a medium number and 136 with few.
    assert counts.sum() == pytest.approx(115_846, rel=0.02)
    assert (counts > 100).sum() == pytest.approx(385, abs=10)


@pytest.mark.parametrize(
    ("major", "minor"),
    [(5000, (500, 50, 25)), (2500, (250, 25, 13)), (1444, (144, 14, 7)), (41_051, (4105, 411, 205))],
)
def test_binary_counts_of_the_papers_table(major: int, minor: tuple[int, ...]) -> None:
    """Table 12 of the paper, which prints 410 for 41,051 / 100 = 410.51."""
    for beta, expected in zip((10, 100, 200), minor, strict=True):
        assert binary_counts(np.array([major, major]), beta).tolist() == [major, expected]


def test_binary_cuts_the_smaller_class_whichever_it_is() -> None:
    assert binary_counts(np.array([388, 3494]), 100).tolist() == [35, 3494]


@given(class_counts, factors)
def test_counts_never_vanish_and_never_pass_the_largest_class(counts: np.ndarray, factor: float) -> None:
    for wanted in (
        exponential_counts(counts, factor),
        step_counts(counts, factor),
        pareto_counts(counts, smallest=1),
        binary_counts(counts[:2], factor),
    ):
        assert wanted.min() >= 1
        assert wanted.max() == counts[: len(wanted)].max()
        # A class with more images never has to keep fewer than one with fewer images.
        order = np.argsort(-counts[: len(wanted)], kind="stable")
        assert (np.diff(wanted[order]) <= 0).all()


@given(class_counts.filter(lambda counts: counts.sum() < 5000), factors, st.integers(0, 2**32))
def test_the_draw_keeps_what_was_asked_of_each_class(counts: np.ndarray, factor: float, seed: int) -> None:
    targets = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    wanted = exponential_counts(counts, factor)
    kept = subsample(targets, wanted, seed)
    assert len(set(kept.tolist())) == len(kept)
    assert np.bincount(targets[kept], minlength=len(counts)).tolist() == np.minimum(wanted, counts).tolist()
    assert (np.diff(kept) > 0).all()


def test_a_smaller_draw_is_part_of_a_larger_one() -> None:
    targets = np.repeat([0, 1], 500)
    small, large = (set(subsample(targets, np.array([500, n]), 3)) for n in (5, 50))
    assert small < large


def test_the_draw_is_the_same_on_every_platform() -> None:
    targets = np.arange(1000) % 2
    assert subsample(targets, np.array([3, 3]), seed=0).tolist() == [165, 218, 442, 527, 689, 868]
    assert subsample(targets, np.array([3, 3]), seed=1).tolist() != [165, 218, 442, 527, 689, 868]


def test_only_training_images_are_left_out_whatever_the_order_of_rows() -> None:
    digits = open_collection("digits-lt")
    profile = partial(exponential_counts, imbalance_factor=100)
    left_out = training_rows_left_out(digits, profile, seed=0)
    assert set(digits.table["split"][left_out]) == {"train"}
    assert digits.without(left_out).class_counts("test").tolist() == digits.class_counts("test").tolist()
    shuffled = digits.select(np.random.default_rng(5).permutation(len(digits)))
    again = training_rows_left_out(shuffled, profile, seed=0)
    assert set(shuffled.table["id"][again]) == set(digits.table["id"][left_out])


def test_a_class_with_too_few_images_keeps_them_and_is_named() -> None:
    images = collect(["a"] * 100 + ["b"] * 3, ["train"] * 103)
    with pytest.warns(DataWarning, match=r"keep all they have: b \(3 of 10\)"):
        left_out = training_rows_left_out(images, partial(binary_counts, beta=10), seed=0)
    assert not len(left_out)


def test_enough_images_need_no_warning() -> None:
    images = collect(["a"] * 100 + ["b"] * 30, ["train"] * 130)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(training_rows_left_out(images, partial(binary_counts, beta=10), seed=0)) == 20


def test_several_labels_per_image_are_refused(refuses) -> None:
    images = ImageCollection.build_multi_label(
        name="made",
        data="films.csv",
        ids=["x", "y"],
        labels={"a": np.array([1, 0]), "b": np.array([1, 1])},
        source=ImageArray(np.zeros((2, 8, 8), np.uint8)),
        splits=["train", "train"],
    )
    sentence = refuses(training_rows_left_out, images, partial(binary_counts, beta=10), 0)
    assert (
        "`data.subsample` needs one label per image, but films.csv has columns of several labels" in sentence
    )


@pytest.mark.parametrize(
    ("name", "settings", "counts", "message"),
    [
        (
            "exponential",
            {"imbalance_factor": 0.5},
            [5, 5],
            "imbalance_factor must be a number in [1, inf), got 0.5",
        ),
        (
            "exponential",
            {"imbalance_factor": math.nan},
            [5, 5],
            "imbalance_factor must be a number in [1, inf), got nan",
        ),
        ("exponential", {"imbalance_factor": 10}, [5, 0], "each at least 1, got [5, 0]"),
        (
            "step",
            {"imbalance_factor": 10, "minority_share": 1.0},
            [5, 5],
            "minority_share must be a number in (0, 1)",
        ),
        ("pareto", {"alpha": 0.0}, [5, 5], "alpha must be a number in [0.05, inf), got 0.0"),
        ("pareto", {"smallest": 0}, [5, 5], "smallest must be a whole number of at least 1, got 0"),
        (
            "binary",
            {"beta": 10},
            [5, 5, 5],
            "beta is the ratio of two classes, got 3 classes; set one class against the rest with `positive`",
        ),
        ("binary", {"beta": 0}, [5, 5], "beta must be a number in [1, inf), got 0"),
    ],
)
def test_wrong_arguments_are_named(name, settings, counts, message, refuses) -> None:
    assert message in refuses(PROFILES[name], np.array(counts), **settings)


def test_a_negative_seed_is_refused(refuses) -> None:
    assert "seed must be a whole number of at least 0, got -1" in refuses(
        subsample, np.array([0, 1]), np.array([1, 1]), -1
    )


def test_the_profiles_of_a_recipe_are_those_there_are() -> None:
    from medtail.cli.options import parse_assignments
    from medtail.recipes.compose import compose

    required = {"binary": "beta=10", "exponential": "imbalance_factor=10", "step": "imbalance_factor=10"}
    for name, profile in PROFILES.items():
        settings = [f"data.subsample.name={name}"]
        settings += [f"data.subsample.{required[name]}"] if name in required else []
        subsample_settings = compose("images", "ce", parse_assignments(settings)).data.subsample
        counts = profile(np.array([100, 100]), **subsample_settings.model_dump(exclude={"name", "seed"}))
        assert counts[0] == 100
        assert counts[1] < 100


def test_ids_not_positions_decide() -> None:
    first = collect(["a"] * 40 + ["b"] * 40, ["train"] * 80)
    table = pd.concat([first.table[40:], first.table[:40]], ignore_index=True)
    second = collect(table["label"].tolist(), table["split"].tolist(), table["id"].tolist())
    profile = partial(binary_counts, beta=8)
    kept = [
        set(images.without(training_rows_left_out(images, profile, 2)).table["id"])
        for images in (first, second)
    ]
    assert kept[0] == kept[1]
