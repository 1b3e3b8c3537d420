"""Predictions of multi-label images: files, decisions, refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtail.errors import InputError
from medtail.runs import MultiLabelPredictions, Predictions, read_predictions
from references.labels import changed, draw
from references.runs import make_predictions


@pytest.mark.parametrize("per_group", [1, 3])
def test_what_is_written_is_read(tmp_path: Path, per_group: int) -> None:
    written = draw(per_group=per_group)
    written.write(tmp_path / "test.parquet")
    read = read_predictions(tmp_path / "test.parquet")
    assert isinstance(read, MultiLabelPredictions)
    for name, value in vars(written).items():
        assert np.array_equal(getattr(read, name), value), name
    columns = list(pd.read_parquet(tmp_path / "test.parquet").columns)
    patient = ["patient"] if per_group > 1 else []
    assert columns == [
        "id", *patient, "target_edema", "target_effusion", "target_mass",
        "probability_edema", "probability_effusion", "probability_mass",
    ]  # fmt: skip


def test_a_file_of_classes_is_read_as_such(tmp_path: Path) -> None:
    make_predictions(["a", "b"], [3, 4]).write(tmp_path / "test.parquet")
    assert isinstance(read_predictions(tmp_path / "test.parquet"), Predictions)


def test_a_label_is_there_from_probability_one_half_on() -> None:
    half = np.array([[0.5, 0.49999, 0.50001]])
    predictions = changed(
        draw(1), probabilities=half, targets=np.zeros((1, 3), dtype=np.int64), ids=np.array(["a"])
    )
    assert predictions.decisions.tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"targets": np.zeros(4, dtype=int)},
            "targets must be 0 or 1, with one row per image",
        ),
        ({"targets": np.full((4, 3), 2)}, "targets must be 0 or 1"),
        ({"probabilities": np.full((4, 3), 1.5)}, "got 1.5 for label edema of image 'image 0'"),
        ({"probabilities": np.full((4, 3), np.nan)}, "probabilities must lie in"),
        ({"probabilities": np.full((4, 2), 0.5)}, r"probabilities must have one row per image.*\(4, 3\)"),
        ({"ids": np.array(["a", "a", "b", "c"])}, "ids must be unique, 'a' occurs"),
        ({"groups": np.array(["p"])}, "groups must name one group for each of 4 images"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(draw(4), **fields)


def test_a_file_that_lacks_a_target_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    draw(4).write(path)
    pd.read_parquet(path).drop(columns="target_mass").to_parquet(path)
    with pytest.raises(
        InputError, match="must have the columns id, and target_<class> and probability_<class>"
    ):
        read_predictions(path)


def test_a_missing_probability_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    draw(4).write(path)
    table = pd.read_parquet(path)
    table["probability_mass"] = [1.0, np.nan, 0.0, 0.0]
    table.to_parquet(path)
    with pytest.raises(
        InputError, match=r"column probability_mass of .* must have a value in every row, 1 have none"
    ):
        read_predictions(path)


def test_a_missing_target_is_an_unknown_label(tmp_path: Path) -> None:
    whole = draw(40)
    targets = whole.targets.astype(float)
    targets[:30, 2] = targets[5, 0] = np.nan
    changed(whole, targets=targets).write(tmp_path / "test.parquet")
    read = read_predictions(tmp_path / "test.parquet")
    np.testing.assert_array_equal(read.targets, targets)
    assert read.known.sum(axis=0).tolist() == [39, 40, 10]


def test_log_probabilities_are_saved_and_rank_what_probabilities_cannot(tmp_path: Path) -> None:
    logits = np.array([[50.0, 0.0, -3.0], [60.0, 1.0, -2.0], [40.0, 2.0, -1.0], [55.0, 3.0, 0.0]])
    logs = -np.logaddexp(0, -logits)
    predictions = MultiLabelPredictions(
        ids=np.array(list("abcd")),
        targets=np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 1]]),
        probabilities=np.exp(logs),
        class_names=("a", "b", "c"),
        groups=None,
        log_probabilities=logs,
    )
    assert (predictions.probabilities[:, 0] == 1).all()
    predictions.write(tmp_path / "test.parquet")
    read = read_predictions(tmp_path / "test.parquet")
    np.testing.assert_array_equal(read.log_probabilities, logs)
    np.testing.assert_allclose(read.scores, logits, rtol=1e-12)
    assert float(read.measure()["auc"][0]) == pytest.approx((1 + 0.75 + 0.75) / 3)
