"""The records of metrics agree with the functions that compute them."""

import numpy as np
import pytest

from medtail.evaluation.summaries.binary import measure_binary
from medtail.metrics.metric import LABEL_METRICS, METRICS, POSITIVE_CLASS_METRICS, PRECISION_METRICS, Metric
from references.labels import draw
from references.runs import make_predictions

TABLES = {
    "classes": METRICS,
    "labels": LABEL_METRICS,
    "positive class": POSITIVE_CLASS_METRICS,
    "precisions": PRECISION_METRICS,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_metric_says_what_it_is(table: dict[str, Metric]) -> None:
    for key, metric in table.items():
        assert metric.key == key
        assert all((metric.title, metric.tells, metric.undefined))
    assert len({metric.title for metric in table.values()}) == len(table)


def test_what_is_measured_has_a_record() -> None:
    predictions = make_predictions(("benign", "melanoma"), (30, 10))
    assert list(predictions.measure()) == list(METRICS)
    assert list(draw(20).measure()) == list(METRICS)
    assert set(measure_binary(predictions, 1)) == {*POSITIVE_CLASS_METRICS, *PRECISION_METRICS}


@pytest.mark.parametrize(("key", "expected"), [("accuracy", 2), ("brier", 1)])
def test_the_best_value_is_the_first_of_equals(key: str, expected: int) -> None:
    assert METRICS[key].best([0.5, 0.2, 0.9, 0.9, 0.2, np.nan]) == expected
    assert METRICS[key].best(np.full(3, np.nan)) is None
