"""Metrics of a confusion matrix against scikit-learn, imbalanced-learn and numbers worked out by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score, make_index_balanced_accuracy
from sklearn import metrics as sklearn_metrics

from medtail import metrics
from medtail.errors import InputError
from medtail.metrics import Outcomes, UndefinedMetricWarning

SCALARS = {
    "accuracy": metrics.accuracy,
    "balanced_accuracy": metrics.balanced_accuracy,
    "macro_f1": metrics.macro_f1,
    "geometric_mean": metrics.geometric_mean,
    "matthews_correlation": metrics.matthews_correlation,
    "index_balanced_accuracy": metrics.index_balanced_accuracy,
    "recall_variation": metrics.recall_variation,
}
PER_CLASS = {
    "recall": metrics.recall_per_class,
    "precision": metrics.precision_per_class,
    "f1": metrics.f1_per_class,
}


@st.composite
def decided_samples(draw, every_class: bool = True):
    """Targets and decisions in which every class occurs and is decided at least once, or not."""
    num_classes = draw(st.integers(2, 6))
    size = draw(st.integers(0, 40))
    ids = st.integers(0, num_classes - 1)
    targets = draw(st.lists(ids, min_size=size, max_size=size))
    decisions = draw(st.lists(ids, min_size=size, max_size=size))
    if every_class:
        targets += range(num_classes)
        decisions += draw(st.permutations(range(num_classes)))
    return np.array(targets, dtype=int), np.array(decisions, dtype=int), num_classes


@given(decided_samples())
@settings(max_examples=60, deadline=None)
def test_agrees_with_scikit_learn(samples) -> None:
    targets, decisions, num_classes = samples
    confusion = metrics.confusion_matrix(targets, decisions, num_classes)
    np.testing.assert_array_equal(confusion, sklearn_metrics.confusion_matrix(targets, decisions))
    recalls, precisions, f1 = (
        score(targets, decisions, average=None)
        for score in (
            sklearn_metrics.recall_score,
            sklearn_metrics.precision_score,
            sklearn_metrics.f1_score,
        )
    )
    np.testing.assert_allclose(metrics.recall_per_class(confusion), recalls)
    np.testing.assert_allclose(metrics.precision_per_class(confusion), precisions)
    np.testing.assert_allclose(metrics.f1_per_class(confusion), f1)
    assert metrics.accuracy(confusion) == pytest.approx(sklearn_metrics.accuracy_score(targets, decisions))
    assert metrics.balanced_accuracy(confusion) == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(targets, decisions)
    )
    assert metrics.macro_f1(confusion) == pytest.approx(
        sklearn_metrics.f1_score(targets, decisions, average="macro")
    )
    assert metrics.matthews_correlation(confusion) == pytest.approx(
        sklearn_metrics.matthews_corrcoef(targets, decisions), abs=1e-12
    )


@given(decided_samples(), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_agrees_with_imbalanced_learn(samples, alpha: float) -> None:
    targets, decisions, num_classes = samples
    confusion = metrics.confusion_matrix(targets, decisions, num_classes)
    assert metrics.geometric_mean(confusion) == pytest.approx(
        geometric_mean_score(targets, decisions, average="multiclass"), abs=1e-12
    )
    index = make_index_balanced_accuracy(alpha=alpha, squared=True)(geometric_mean_score)
    per_class = [
        index((targets == c).astype(int), (decisions == c).astype(int), average="binary")
        for c in range(num_classes)
    ]
    assert metrics.index_balanced_accuracy(confusion, alpha) == pytest.approx(np.mean(per_class), abs=1e-12)


def test_index_of_balanced_accuracy_is_linear_in_alpha() -> None:
    confusion = np.array([[50, 3, 7], [4, 9, 2], [1, 1, 3]])
    at = {alpha: metrics.index_balanced_accuracy(confusion, alpha) for alpha in (0.1, 0.5, 1.0)}
    assert (at[0.5] - at[0.1]) / 0.4 == pytest.approx((at[1.0] - at[0.5]) / 0.5)
    assert at[1.0] != at[0.1]


def test_index_of_balanced_accuracy_by_hand() -> None:
    # Class 0: TPR .8, TNR .5; class 1: TPR .5, TNR .8.
    confusion = [[8, 2], [5, 5]]
    expected = ((1 + 0.3) * 0.4 + (1 - 0.3) * 0.4) / 2
    assert metrics.index_balanced_accuracy(confusion, 1.0) == pytest.approx(expected)


def test_recall_variation_by_hand() -> None:
    confusion = np.diag([9, 6, 3]) + np.array([[0, 1, 0], [0, 0, 4], [7, 0, 0]])  # recalls .9 .6 .3
    assert metrics.recall_variation(confusion) == pytest.approx(np.sqrt(0.06) / 0.6)
    assert metrics.recall_variation(confusion, ddof=1) == pytest.approx(0.3 / 0.6)


def test_recall_variation_reproduces_a_published_table() -> None:
    # methods.md: ISIC 2018 CE in DAL's tables is the population deviation, which is sqrt(6/7) of the sample one.
    recalls = np.array([0.9, 0.5, 0.7, 0.8, 0.6, 0.95, 0.4])
    confusion = np.diag(recalls * 1000) + np.roll(np.diag((1 - recalls) * 1000), 1, axis=1)
    ratio = metrics.recall_variation(confusion) / metrics.recall_variation(confusion, ddof=1)
    assert ratio == pytest.approx(np.sqrt(6 / 7))
    assert metrics.recall_variation(confusion) == pytest.approx(recalls.std() / recalls.mean())


class TestUndefined:
    """A class with no target, one that is never decided, nothing at all."""

    confusion = np.array([[8, 1, 1], [2, 3, 0], [0, 0, 0]])

    def test_recall_is_nan_and_named(self) -> None:
        with pytest.warns(
            UndefinedMetricWarning, match="defined for 2 of 3 classes: class 2 left out, having no target"
        ):
            recalls = metrics.recall_per_class(self.confusion)
        np.testing.assert_array_equal(recalls, [0.8, 0.6, np.nan])

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("balanced_accuracy", 0.7), ("geometric_mean", np.sqrt(0.48)), ("recall_variation", 0.1 / 0.7)],
    )
    def test_means_run_over_the_classes_that_occur(self, name: str, expected: float) -> None:
        with pytest.warns(UndefinedMetricWarning, match=f"^{name} is defined for 2 of 3 classes"):
            assert SCALARS[name](self.confusion) == pytest.approx(expected)

    def test_macro_f1_counts_a_class_that_is_decided_but_never_occurs_as_scikit_learn_does(self) -> None:
        targets, decisions = [0, 0, 1, 1], [0, 2, 1, 0]
        value = metrics.macro_f1(metrics.confusion_matrix(targets, decisions, 3))
        assert value == pytest.approx(sklearn_metrics.f1_score(targets, decisions, average="macro"))

    def test_correlation_of_a_constant_is_undefined(self) -> None:
        assert np.isnan(metrics.matthews_correlation([[5, 0], [3, 0]]))
        assert np.isnan(metrics.matthews_correlation([[5, 3], [0, 0]]))

    def test_a_class_that_is_never_recognised_makes_the_geometric_mean_zero(self) -> None:
        assert metrics.geometric_mean([[5, 0], [3, 0]]) == 0

    def test_variation_without_any_hit_is_undefined(self) -> None:
        assert np.isnan(metrics.recall_variation([[0, 5], [3, 0]]))

    @pytest.mark.filterwarnings("ignore::medtail.metrics.UndefinedMetricWarning")
    @pytest.mark.parametrize("name", SCALARS)
    def test_without_samples_everything_is_nan(self, name: str) -> None:
        assert np.isnan(SCALARS[name](np.zeros((3, 3), dtype=int)))

    def test_defined_values_come_without_a_warning(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for metric in (*SCALARS.values(), *PER_CLASS.values()):
                assert np.isfinite(metric([[8, 2], [1, 4]])).all()


@given(decided_samples(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_class_order_does_not_matter(samples, random) -> None:
    targets, decisions, num_classes = samples
    order = list(range(num_classes))
    random.shuffle(order)
    renamed = np.array(order)
    before = metrics.confusion_matrix(targets, decisions, num_classes)
    after = metrics.confusion_matrix(renamed[targets], renamed[decisions], num_classes)
    for name, metric in SCALARS.items():
        np.testing.assert_allclose(metric(after), metric(before), atol=1e-12, err_msg=name)
    for name, metric in PER_CLASS.items():
        np.testing.assert_allclose(metric(after)[renamed], metric(before), err_msg=name)


@pytest.mark.filterwarnings("ignore::medtail.metrics.UndefinedMetricWarning")
@given(
    st.lists(decided_samples(every_class=False), min_size=1, max_size=1),
    st.integers(1, 4),
    st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_weights_are_repetitions_and_a_stack_is_its_members(samples, columns: int, seed: int) -> None:
    targets, decisions, num_classes = samples[0]
    weights = np.random.default_rng(seed).integers(0, 4, size=(len(targets), columns))
    outcomes = Outcomes.weighted(targets, decisions, num_classes, weights)
    repeated = [
        metrics.confusion_matrix(np.repeat(targets, column), np.repeat(decisions, column), num_classes)
        for column in weights.T
    ]
    for name, metric in {**SCALARS, **PER_CLASS}.items():
        expected = np.array([metric(confusion) for confusion in repeated])
        np.testing.assert_allclose(metric(outcomes), expected, err_msg=name)
        np.testing.assert_allclose(metric(np.stack(repeated)), expected, err_msg=name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.confusion_matrix([0, 3], [0, 1], 3), "targets must be class ids from 0 to 2, got 3"),
        (
            lambda: metrics.confusion_matrix([0, 1], [0, -1], 3),
            "predictions must be class ids from 0 to 2, got -1",
        ),
        (
            lambda: metrics.confusion_matrix([0, 1], [0.2, 0.7], 2),
            "predictions must be integer class ids, got float64",
        ),
        (
            lambda: metrics.confusion_matrix([0, 1], [[0.2, 0.8]], 2),
            r"one class id per sample, shape \(N,\), got shape \(1, 2\)",
        ),
        (lambda: metrics.confusion_matrix([0, 1], [0], 2), "one entry per sample each, got 2 and 1"),
        (lambda: metrics.accuracy([[1, 2, 3], [4, 5, 6]]), r"confusion must be square.* got shape \(2, 3\)"),
        (lambda: metrics.accuracy([[1, -2], [4, 5]]), "counts of at least 0, got -2"),
        (
            lambda: metrics.recall_variation([[1, 0], [0, 1]], ddof=2),
            r"ddof must be 0 \(population\) or 1 \(sample\), got 2",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_f_beta_is_that_of_scikit_learn(beta: float) -> None:
    generator = np.random.default_rng(0)
    targets, decisions = generator.integers(0, 4, (2, 200))
    confusion = metrics.confusion_matrix(targets, decisions, 4)
    expected = sklearn_metrics.fbeta_score(targets, decisions, beta=beta, average=None)
    assert metrics.f_beta_per_class(confusion, beta) == pytest.approx(expected)
