"""The predictions file: what is written is what is read, and what is not a distribution is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtail.errors import InputError
from medtail.runs.predictions import Predictions
from references.runs import make_predictions


def _predictions(groups: bool = True) -> Predictions:
    return Predictions(
        ids=np.array(["a", "b", "c"]),
        targets=np.array([1, 0, 2]),
        probabilities=np.array([[0.2, 0.7, 0.1], [0.4, 0.4, 0.2], [0.0, 0.0, 1.0]]),
        class_names=("nv", "mel_anoma", "probability_x y"),
        groups=np.array(["p1", "p1", "p2"]) if groups else None,
    )


@pytest.mark.parametrize("groups", [True, False])
def test_round_trip(tmp_path: Path, groups: bool) -> None:
    written = _predictions(groups)
    written.write(tmp_path / "predictions" / "test.parquet")
    read = Predictions.read(tmp_path / "predictions" / "test.parquet")
    assert read.class_names == written.class_names
    for field in ("ids", "targets", "probabilities"):
        np.testing.assert_array_equal(getattr(read, field), getattr(written, field))
    if groups:
        np.testing.assert_array_equal(read.groups, written.groups)
    else:
        assert read.groups is None


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (
            True,
            [
                "id",
                "patient",
                "target",
                "probability_nv",
                "probability_mel_anoma",
                "probability_probability_x y",
            ],
        ),
        (False, ["id", "target", "probability_nv", "probability_mel_anoma", "probability_probability_x y"]),
    ],
)
def test_columns_are_those_of_the_contract(tmp_path: Path, groups: bool, expected: list[str]) -> None:
    _predictions(groups).write(tmp_path / "test.parquet")
    table = pd.read_parquet(tmp_path / "test.parquet")
    assert list(table.columns) == expected
    assert table["target"].dtype == np.int64
    assert table["probability_nv"].dtype == np.float64


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 999))
@settings(max_examples=25, deadline=None)
def test_any_distribution_survives(tmp_path_factory, size: int, classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    written = Predictions(
        ids=np.array([f"ü {index}" for index in range(size)]),
        targets=generator.integers(0, classes, size),
        probabilities=generator.dirichlet(np.full(classes, 0.1), size),
        class_names=tuple(f"class {index}" for index in range(classes)),
        groups=None,
    )
    path = tmp_path_factory.mktemp("predictions") / "test.parquet"
    written.write(path)
    read = Predictions.read(path)
    np.testing.assert_array_equal(read.probabilities, written.probabilities)
    np.testing.assert_array_equal(read.decisions, written.probabilities.argmax(axis=1))


def test_equals_are_decided_for_the_lowest_id_and_units_are_groups() -> None:
    np.testing.assert_array_equal(_predictions().decisions, [1, 0, 2])
    np.testing.assert_array_equal(_predictions().units, ["p1", "p1", "p2"])
    np.testing.assert_array_equal(_predictions(groups=False).units, [0, 1, 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.array([1, 0, 3])}, "target must be a class id from 0 to 2, got 3 for image 'c'"),
        ({"targets": np.array([1.0, 0.0, 2.0])}, "targets must be 3 integer class ids, got float64"),
        ({"ids": np.array(["a", "b", "b"])}, "ids must be unique, 'b' occurs more than once"),
        ({"class_names": ("nv", "mel")}, r"one column per class, \(3, 2\), got \(3, 3\)"),
        ({"class_names": ("nv", "nv", "mel")}, "two or more different names"),
        ({"groups": np.array(["p1"])}, "one group for each of 3 images, got 1"),
        (
            {"probabilities": np.array([[0.2, 0.7, 0.1], [3.0, -1.0, -1.0], [0, 0, 1]])},
            r"got \[3.0, -1.0, -1.0\] for image 'b'; pass loss.probabilities",
        ),
        (
            {"probabilities": np.array([[0.2, 0.7, 0.2], [1, 0, 0], [0, 0, 1]])},
            "sum to 1, got .* for image 'a'",
        ),
        (
            {"probabilities": np.array([[np.nan, 0.7, 0.3], [1, 0, 0], [0, 0, 1]])},
            "got .nan, .* for image 'a'",
        ),
    ],
)
def test_what_is_not_a_prediction_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(_predictions(), **change)


def test_reading_names_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    with pytest.raises(InputError, match=r"test.parquet does not exist; evaluate the run first"):
        Predictions.read(path)
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(InputError, match="is not a readable Parquet file"):
        Predictions.read(path)
    _predictions().rows(np.arange(0)).write(path)
    with pytest.raises(InputError, match=r"test.parquet must hold a row for each image, got none"):
        Predictions.read(path)
    pd.DataFrame({"id": ["a"], "label": [0]}).to_parquet(path)
    with pytest.raises(
        InputError, match="must have the columns id, target and probability_<class>, got id, label"
    ):
        Predictions.read(path)
    table = pd.DataFrame(
        {"id": ["a", None], "target": [0, 1], "probability_x": [1.0, 0.0], "probability_y": [0.0, 1.0]}
    )
    table.to_parquet(path)
    with pytest.raises(InputError, match=r"column id of .* must have a value in every row, 1 have none"):
        Predictions.read(path)
    table.assign(id=["a", "b"], target=[0, 7]).to_parquet(path)
    with pytest.raises(
        InputError, match=r"test.parquet: target must be a class id from 0 to 1, got 7 for image 'b'"
    ):
        Predictions.read(path)


@pytest.mark.parametrize("images_per_group", [None, 2])
def test_rows_are_taken_and_joined_with_all_that_belongs_to_them(images_per_group: int | None) -> None:
    whole = make_predictions(("a", "b"), (7, 5), images_per_group=images_per_group)
    parts = [whole.rows(np.arange(start, 12, 3)) for start in range(3)]
    joined = parts[0].joined(parts[1:])
    again = joined.rows(np.argsort([list(whole.ids).index(name) for name in joined.ids]))
    for name, value in vars(whole).items():
        assert np.array_equal(getattr(again, name), value), name
