"""The metrics of one table of probabilities, against scikit-learn and plain loops."""

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
)

from medtail.evaluation.summaries.ranking_metrics import RANKING_METRICS, ranking_metrics


def _table(classes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(classes)
    targets = generator.integers(0, classes, 60)
    scores = generator.normal(size=(60, classes)) + 1.2 * np.eye(classes)[targets]
    exponentials = np.exp(scores)
    return targets, exponentials / exponentials.sum(axis=1, keepdims=True)


def _naive(positive: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    thresholds = np.unique(scores)
    decided = [scores >= threshold for threshold in thresholds]
    precisions, recalls, _ = precision_recall_curve(positive, scores)
    return {
        "auc": roc_auc_score(positive, scores),
        "average_precision": average_precision_score(positive, scores),
        "max_f1": max(f1_score(positive, decision) for decision in decided),
        "max_balanced_accuracy": max(balanced_accuracy_score(positive, decision) for decision in decided),
        "precision_at_recall_0.8": precisions[recalls >= 0.8].max(),
        "precision_at_recall_0.99": precisions[recalls >= 0.99].max(),
    }


@pytest.mark.parametrize("positive", [0, 1])
def test_two_classes_are_judged_by_the_positive_one(positive: int) -> None:
    targets, probabilities = _table(2)
    values = ranking_metrics(targets, probabilities, positive)
    assert list(values) == list(RANKING_METRICS)
    expected = _naive(targets == positive, probabilities[:, positive])
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert values["brier"] == pytest.approx(brier_score_loss(targets, probabilities[:, 1]))


def test_several_classes_are_judged_one_against_the_rest() -> None:
    targets, probabilities = _table(4)
    each = [_naive(targets == index, probabilities[:, index]) for index in range(4)]
    expected = {name: np.mean([values[name] for values in each]) for name in each[0]}
    values = ranking_metrics(targets, probabilities, positive=1)
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert values == ranking_metrics(targets, probabilities, positive=0)
    decided = balanced_accuracy_score(targets, probabilities.argmax(axis=1))
    assert values["balanced_accuracy"] == pytest.approx(decided)
