"""Planted label errors are found, of either task."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from medtail.errors import InputError
from medtail.evaluation.label_errors.doubts import LabelDoubts, doubted_labels
from medtail.evaluation.label_errors.page import write_label_errors
from medtail.runs.label_predictions import MultiLabelPredictions
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run

pytest.importorskip("cleanlab", reason="cleanlab is not installed: pip install 'medtail[label-errors]'")

#: Of each of five digits, images that are labelled as the next digit.
FLIPPED = 6


@pytest.fixture(scope="module")
def flipped() -> tuple[Predictions, set[str]]:
    """Out-of-fold predictions of digits with planted label errors, imbalanced 10 to 1, and the ids of these."""
    pixels, digits = load_digits(return_X_y=True)
    kept = np.concatenate(
        [np.flatnonzero(digits == digit)[: round(170 * 0.1 ** (digit / 9))] for digit in range(10)]
    )
    pixels, digits = pixels[kept], digits[kept]
    labels = digits.copy()
    wrong = np.concatenate([np.flatnonzero(digits == digit)[:FLIPPED] for digit in range(5)])
    labels[wrong] += 1
    model = LogisticRegression(C=0.3, class_weight="balanced", max_iter=500)
    probabilities = cross_val_predict(model, pixels / 16, labels, cv=4, method="predict_proba")
    ids = np.array([f"digit {row}" for row in range(len(labels))])
    predictions = Predictions(
        ids=ids,
        targets=labels.astype(np.int64),
        probabilities=probabilities,
        class_names=tuple(map(str, range(10))),
        groups=None,
    )
    return predictions, set(ids[wrong])


def cross_validation(folder: Path, predictions: Predictions | MultiLabelPredictions) -> Run:
    """The files of a cross-validation that doubts are read from."""
    run = Run(folder)
    predictions.write(run.out_of_fold)
    for path in (run.folds, run.summary):
        path.write_text("")
    return run


@pytest.fixture(scope="module")
def found(flipped: tuple[Predictions, set[str]], tmp_path_factory: pytest.TempPathFactory) -> LabelDoubts:
    return doubted_labels(cross_validation(tmp_path_factory.mktemp("flipped"), flipped[0]))


def test_planted_errors_are_found(flipped: tuple[Predictions, set[str]], found: LabelDoubts) -> None:
    predictions, wrong = flipped
    doubted = {doubt.image for doubt in found.doubts}
    assert len(doubted & wrong) >= 0.8 * len(wrong)
    assert len(doubted & wrong) >= 0.6 * len(doubted)
    # The most doubtful are the planted ones, and what they were labelled before is suggested.
    first = [doubt for doubt in found.doubts[:15] if doubt.image in wrong]
    assert len(first) >= 14
    label_of = dict(zip(predictions.ids.tolist(), predictions.targets.tolist(), strict=True))
    assert all(doubt.label == str(label_of[doubt.image]) for doubt in first)
    assert all(doubt.suggestion == str(label_of[doubt.image] - 1) for doubt in first)
    assert found.out_of_fold


def test_sound_labels_are_seldom_doubted(flipped: tuple[Predictions, set[str]], tmp_path: Path) -> None:
    predictions, wrong = flipped
    sound = predictions.rows(np.flatnonzero(~np.isin(predictions.ids, list(wrong))))
    doubts = doubted_labels(cross_validation(tmp_path / "run", sound)).doubts
    assert len(doubts) < 0.03 * len(sound.ids)


def test_several_labels_are_judged_one_by_one_where_they_are_known(
    flipped: tuple[Predictions, set[str]], tmp_path: Path
) -> None:
    single, wrong = flipped
    targets = single.carried.astype(np.float64)
    unknown = min(wrong)
    targets[single.ids == unknown] = np.nan
    several = MultiLabelPredictions(
        ids=single.ids,
        targets=targets,
        probabilities=single.probabilities.clip(0, 1),
        class_names=single.class_names,
        groups=None,
    )
    found = doubted_labels(cross_validation(tmp_path / "run", several))
    doubted = {doubt.image for doubt in found.doubts}
    assert len(doubted & wrong) >= 0.7 * (len(wrong) - 1)
    assert len(doubted & wrong) >= 0.5 * len(doubted)
    assert unknown not in doubted
    assert {doubt.suggestion.split(": ")[1] for doubt in found.doubts} == {"yes", "no"}


def test_a_single_run_is_judged_on_validation_and_test(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", skill=6.0)
    test = Predictions.read(run.predictions("test"))
    sure = int(np.argmax(test.probabilities[:, 3] * (test.targets == 3)))
    targets = test.targets.copy()
    targets[sure] = 0
    replace(test, targets=targets).write(run.predictions("test"))
    validation = Predictions.read(run.predictions("validation"))
    names = np.array([f"validation {name}" for name in validation.ids])
    replace(validation, ids=names).write(run.predictions("validation"))
    found = doubted_labels(run)
    assert len(found.predictions.ids) == len(test.ids) + len(validation.ids)
    assert not found.out_of_fold
    planted = [doubt for doubt in found.doubts if doubt.image == str(test.ids[sure])]
    assert [(doubt.label, doubt.suggestion) for doubt in planted] == [("akiec", "nv")]


def test_table_and_page_show_every_doubt(found: LabelDoubts, tmp_path: Path) -> None:
    grey = np.full((8, 8, 3), 99, dtype=np.uint8)
    page = write_label_errors(Run(tmp_path), found, lambda name: grey).read_text()
    table = pd.read_csv(tmp_path / "label_errors.csv", dtype={"label": str, "suggestion": str})
    assert table["image"].tolist() == [doubt.image for doubt in found.doubts]
    assert (table["label"] != table["suggestion"]).all()
    assert page.count("data:image/png") == len(found.doubts)
    assert all(doubt.image in page for doubt in found.doubts)


def test_a_page_without_images_says_so(found: LabelDoubts, tmp_path: Path) -> None:
    assert "images were not at hand" in write_label_errors(Run(tmp_path), found).read_text()


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a finished run"):
        doubted_labels(Run(tmp_path))
