"""Metrics of several labels against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as reference

from medtail import metrics
from medtail.errors import InputError
from medtail.metrics import LabelOutcomes, UndefinedMetricWarning


def draw(seed: int, size: int = 80, labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    targets = (generator.random((size, labels)) < [0.5, 0.2, 0.1, 0.8][:labels]).astype(int)
    targets[0], targets[1] = 0, 1
    wrong = generator.random((size, labels)) < 0.3
    return targets, np.where(wrong, 1 - targets, targets)


@pytest.mark.parametrize("seed", range(5))
def test_outcomes_and_means_are_those_of_scikit_learn(seed: int) -> None:
    targets, decisions = draw(seed)
    outcomes = LabelOutcomes.of(targets, decisions)
    tables = reference.multilabel_confusion_matrix(targets, decisions)
    assert outcomes.present.hits == pytest.approx(tables[:, 1, 1])
    assert outcomes.absent.hits == pytest.approx(tables[:, 0, 0])
    assert outcomes.present.decisions - outcomes.present.hits == pytest.approx(tables[:, 0, 1])
    assert outcomes.present.targets - outcomes.present.hits == pytest.approx(tables[:, 1, 0])
    each = [
        reference.balanced_accuracy_score(truth, decided)
        for truth, decided in zip(targets.T, decisions.T, strict=True)
    ]
    assert metrics.label_balanced_accuracy(outcomes) == pytest.approx(np.mean(each))
    assert metrics.exact_match(targets, decisions) == pytest.approx(
        reference.accuracy_score(targets, decisions)
    )
    assert metrics.macro_f1(outcomes.present) == pytest.approx(
        reference.f1_score(targets, decisions, average="macro")
    )


def test_weights_count_a_sample_as_often_as_they_say() -> None:
    targets, decisions = draw(7)
    weights = np.random.default_rng(8).integers(0, 4, (len(targets), 3))
    stacked = LabelOutcomes.weighted(targets, decisions, weights)
    shares = metrics.exact_match(targets, decisions, weights=weights)
    for column in range(3):
        rows = np.repeat(np.arange(len(targets)), weights[:, column])
        repeated = LabelOutcomes.of(targets[rows], decisions[rows])
        for side in ("present", "absent"):
            for name in ("hits", "targets", "decisions"):
                found = getattr(getattr(stacked, side), name)[column]
                assert found == pytest.approx(getattr(getattr(repeated, side), name))
        assert shares[column] == pytest.approx(metrics.exact_match(targets[rows], decisions[rows]))


def test_a_label_with_one_side_only_is_left_out_and_named() -> None:
    targets, decisions = draw(1, labels=3)
    targets[:, 1] = 0
    outcomes = LabelOutcomes.of(targets, decisions)
    with pytest.warns(
        UndefinedMetricWarning, match="2 of 3 classes: class 1 left out, having no positive or no"
    ):
        value = metrics.label_balanced_accuracy(outcomes)
    others = LabelOutcomes.of(targets[:, [0, 2]], decisions[:, [0, 2]])
    assert value == pytest.approx(metrics.label_balanced_accuracy(others))


@pytest.mark.filterwarnings("ignore::medtail.metrics.UndefinedMetricWarning")
def test_nothing_to_judge_is_not_a_number() -> None:
    assert np.isnan(metrics.label_balanced_accuracy(LabelOutcomes.of([[1, 0]], [[1, 1]])))


@pytest.mark.parametrize(
    ("targets", "decisions", "message"),
    [
        ([0, 1], [[0, 1]], r"targets must be 0/1 of shape \(N, C\)"),
        ([[0, 2]], [[0, 1]], "targets must be 0 or 1, got 2"),
        ([[0, 1]], [[0, 0.5]], "decisions must be 0 or 1, got 0.5"),
        ([[0, 1]], [[0, 1], [0, 1]], r"of one shape, got \(1, 2\) and \(2, 2\)"),
    ],
)
def test_what_is_no_label_is_refused(targets: list, decisions: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LabelOutcomes.weighted(targets, decisions, np.ones((len(targets), 1)))


@pytest.mark.parametrize("seed", range(3))
def test_the_area_is_the_mean_over_labels(seed: int) -> None:
    targets, _ = draw(seed)
    scores = (targets + np.random.default_rng(seed).normal(0, 1, targets.shape)).round(1)
    weights = np.random.default_rng(seed).integers(1, 4, len(targets))
    expected = reference.roc_auc_score(targets, scores, average="macro")
    assert metrics.label_roc_auc(targets, scores) == pytest.approx(expected)
    expected = reference.roc_auc_score(targets, scores, average="macro", sample_weight=weights)
    assert metrics.label_roc_auc(targets, scores, weights=weights) == pytest.approx(expected)


def test_the_area_leaves_out_a_label_without_positives_and_names_it() -> None:
    with pytest.warns(
        UndefinedMetricWarning, match="label_roc_auc is defined for 1 of 2 classes: class 1 left"
    ):
        assert metrics.label_roc_auc([[1, 0], [0, 0]], [[0.9, 0.1], [0.2, 0.3]]) == 1.0
    with pytest.raises(InputError, match=r"of one shape, got \(2, 2\) and \(2, 1\)"):
        metrics.label_roc_auc([[1, 0], [0, 0]], [[0.9], [0.2]])
    with pytest.raises(InputError, match="scores must be finite, got nan"):
        metrics.label_roc_auc([[1], [0]], [[0.9], [np.nan]])


def test_unknown_targets_are_left_out_label_by_label() -> None:
    targets, decisions = draw(3)
    generator = np.random.default_rng(4)
    scores = decisions + generator.normal(size=targets.shape)
    known = generator.random(targets.shape) < 0.7
    known[:2] = True
    unknown = np.where(known, targets, np.nan)

    outcomes = LabelOutcomes.of(unknown, decisions)
    for label, rows in enumerate(known.T):
        own = LabelOutcomes.of(targets[rows, label][:, None], decisions[rows, label][:, None])
        for side in ("present", "absent"):
            for name in ("hits", "targets", "decisions"):
                found = getattr(getattr(outcomes, side), name)[label]
                assert found == pytest.approx(getattr(getattr(own, side), name)[0])
    areas = [
        reference.roc_auc_score(targets[rows, label], scores[rows, label])
        for label, rows in enumerate(known.T)
    ]
    assert metrics.label_roc_auc(unknown, scores) == pytest.approx(np.mean(areas))

    judged = known.any(axis=1)
    right = ((targets == decisions) | ~known).all(axis=1)
    assert metrics.exact_match(unknown, decisions) == pytest.approx(right[judged].mean())
    weights = generator.integers(0, 3, (len(targets), 2))
    expected = (weights * right[:, None])[judged].sum(axis=0) / weights[judged].sum(axis=0)
    assert metrics.exact_match(unknown, decisions, weights=weights) == pytest.approx(expected)


def test_a_label_that_is_never_known_is_left_out_and_named() -> None:
    targets, decisions = draw(1, labels=3)
    unknown = targets.astype(float)
    unknown[:, 1] = np.nan
    with pytest.warns(UndefinedMetricWarning, match="class 1 left out"):
        area = metrics.label_roc_auc(unknown, decisions)
    assert area == pytest.approx(metrics.label_roc_auc(targets[:, [0, 2]], decisions[:, [0, 2]]))
    with pytest.raises(InputError, match="targets must be 0 or 1, got -1"):
        LabelOutcomes.of(np.full((2, 2), -1.0), np.zeros((2, 2)))
