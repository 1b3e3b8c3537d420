"""Areas of each class with their intervals."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from medtail.evaluation.summaries.class_areas import class_areas
from references.labels import draw


def test_areas_are_scikit_learns_and_lie_in_their_intervals(make_predictions) -> None:
    predictions = make_predictions(("a", "b", "c"), (60, 30, 8), skill=1.0)
    areas = class_areas(predictions, resamples=200)
    for index, entry in enumerate(areas):
        truth, scores = predictions.targets == index, predictions.probabilities[:, index]
        assert entry["auc"] == pytest.approx(roc_auc_score(truth, scores))
        assert entry["average_precision"] == pytest.approx(average_precision_score(truth, scores))
        for name in ("auc", "average_precision"):
            low, high = entry[f"{name}_interval"]
            assert low <= entry[name] <= high
    widths = [np.diff(entry["auc_interval"])[0] for entry in areas]
    assert widths[2] > widths[0]  # eight images say less than sixty


def test_a_class_without_images_has_no_area(make_predictions) -> None:
    entry = class_areas(make_predictions(("a", "b", "c"), (9, 9, 0)), resamples=5)[2]
    assert set(entry.values()) == {None}
    assert set(entry) == {"auc", "auc_interval", "average_precision", "average_precision_interval"}


def test_labels_have_areas_too() -> None:
    predictions = draw()
    entry = class_areas(predictions, resamples=20)[2]
    expected = roc_auc_score(predictions.targets[:, 2], predictions.probabilities[:, 2])
    assert entry["auc"] == pytest.approx(expected)


def test_many_classes_have_no_intervals(make_predictions) -> None:
    entry = class_areas(make_predictions([f"c{index}" for index in range(20)], [5] * 20))[0]
    assert entry["auc"] is not None and entry["auc_interval"] is None
