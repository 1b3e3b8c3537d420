"""The best threshold: against the metrics, which scan every threshold."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medtail import metrics
from medtail.adaptation.best_threshold import THRESHOLD_METRICS, best_threshold

SAMPLES = st.tuples(
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0]), min_size=4, max_size=14),
    st.randoms(use_true_random=False),
)


@pytest.mark.parametrize("metric", THRESHOLD_METRICS)
@given(sample=SAMPLES)
def test_the_best_threshold_reaches_what_the_metric_says_is_possible(metric: str, sample) -> None:
    values, random = sample
    scores = np.array(values)
    positive = np.array([random.random() < 0.4 for _ in values])
    assume(positive.any() and not positive.all())
    threshold = best_threshold(positive, scores, metric)
    found = scores >= threshold
    true, false, count = (found & positive).sum(), (found & ~positive).sum(), positive.sum()
    specificity = 1 - false / (~positive).sum()
    reached = {
        "max_f1": 2 * true / (true + false + count),
        "max_balanced_accuracy": (true / count + specificity) / 2,
        "precision_at_recall_0.99": true / (true + false) if true == count else -1,
    }[metric]
    possible = {
        "max_f1": lambda: metrics.max_f1(positive, scores),
        "max_balanced_accuracy": lambda: metrics.max_balanced_accuracy(positive, scores),
        "precision_at_recall_0.99": lambda: metrics.precision_at_recall(positive, scores, 0.99),
    }[metric]()
    # Deciding for nobody is a threshold too, which the metric counts and a decision has no use for.
    assert reached == pytest.approx(possible) or (metric == "max_balanced_accuracy" and possible == 0.5)


def test_weights_count_cases_in_the_threshold() -> None:
    positive = np.array([False, False, True, False, True])
    scores = np.array([0.1, 0.3, 0.4, 0.6, 0.9])
    assert best_threshold(positive, scores, "max_f1") == pytest.approx(0.35)
    rare = np.where(positive, 0.02, 1.0)
    assert best_threshold(positive, scores, "max_f1", rare) == pytest.approx(0.75)
