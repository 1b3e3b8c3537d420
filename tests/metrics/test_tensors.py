"""Metrics take tensors that need a gradient, of any precision and on any device, and give the numbers of arrays."""

from functools import partial

import numpy as np
import pytest
import torch

from medtail import metrics

GENERATOR = torch.Generator().manual_seed(0)
SCORES = torch.randn(40, 3, generator=GENERATOR)
TARGETS = torch.arange(40) % 3
LABELS = (SCORES > 0).long()
WEIGHTS = torch.rand(40, generator=GENERATOR) + 0.1

#: Of targets and scores, probabilities, features or predictions.
CASES = {
    "roc_auc": (metrics.roc_auc, TARGETS, SCORES),
    "average_precision": (metrics.average_precision, TARGETS, SCORES),
    "label_roc_auc": (metrics.label_roc_auc, LABELS, SCORES),
    "brier_score": (metrics.brier_score, TARGETS, SCORES.softmax(1)),
    "expected_calibration_error": (metrics.expected_calibration_error, TARGETS, SCORES.softmax(1)),
    "max_f1": (metrics.max_f1, TARGETS.eq(1).long(), SCORES[:, 1]),
    "precision_at_recall": (partial(metrics.precision_at_recall, recall=0.9), TARGETS % 2, SCORES[:, 1]),
    "net_benefit": (partial(metrics.net_benefit, thresholds=[0.5]), TARGETS.eq(1), SCORES.sigmoid()[:, 1]),
    "log_odds": (lambda targets, scores: metrics.log_odds(scores), TARGETS, SCORES.log_softmax(1)),
    "fisher_separability": (
        lambda targets, features: metrics.fisher_separability(features, targets, 3),
        TARGETS,
        SCORES,
    ),
    "angles_to_centres": (
        lambda targets, features: metrics.angles_to_centres(features, features[:3]),
        TARGETS,
        SCORES,
    ),
    "exact_match": (metrics.exact_match, LABELS, LABELS.roll(1, 0)),
    "confusion_matrix": (partial(metrics.confusion_matrix, num_classes=3), TARGETS, SCORES.argmax(1)),
    "balanced_accuracy": (
        lambda targets, confusion: metrics.balanced_accuracy(confusion),
        TARGETS,
        torch.eye(3) + 1,
    ),
}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", CASES)
def test_tensors_that_need_a_gradient_give_the_numbers_of_arrays(name, device) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    metric, targets, scores = CASES[name]
    attached = scores.clone().to(device)
    if attached.is_floating_point():
        attached.requires_grad_()
    value = metric(targets.to(device), attached)
    np.testing.assert_array_equal(value, metric(targets.numpy(), scores.numpy()))


def test_weights_may_be_tensors_too() -> None:
    value = metrics.roc_auc(TARGETS, SCORES, weights=WEIGHTS.clone().requires_grad_())
    assert value == metrics.roc_auc(TARGETS.numpy(), SCORES.numpy(), weights=WEIGHTS.numpy())


def test_half_precision_is_read_too() -> None:
    half = SCORES.bfloat16().requires_grad_()
    assert metrics.roc_auc(TARGETS, half) == metrics.roc_auc(TARGETS, half.detach().double())
