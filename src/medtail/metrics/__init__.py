"""Metrics for imbalanced classification: NumPy arrays in, floats or arrays out.

There are functions of a confusion matrix, of scores or probabilities, of 0/1 labels and of features. An undefined
metric is NaN (a class without targets has no recall). A mean runs over the classes for which the metric is defined, and
an :class:`UndefinedMetricWarning` names those that are left out.
"""

from medtail.metrics.calibration import (
    ReliabilityBins,
    brier_score,
    expected_calibration_error,
    reliability_bins,
)
from medtail.metrics.confusion import (
    Outcomes,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    f1_per_class,
    f_beta_per_class,
    geometric_mean,
    index_balanced_accuracy,
    macro_f1,
    matthews_correlation,
    precision_per_class,
    recall_per_class,
    recall_variation,
)
from medtail.metrics.costs import expected_cost, net_benefit
from medtail.metrics.geometry import angles_to_centres, fisher_separability
from medtail.metrics.intervals import (
    bootstrap,
    centred_interval,
    exact_lower_bound,
    percentile_interval,
    wilson_interval,
)
from medtail.metrics.labels import LabelOutcomes, exact_match, label_balanced_accuracy
from medtail.metrics.metric import LABEL_METRICS, METRICS, POSITIVE_CLASS_METRICS, Metric
from medtail.metrics.odds import label_log_odds, log_odds
from medtail.metrics.ranking import (
    average_precision,
    average_precision_per_class,
    label_roc_auc,
    roc_auc,
    roc_auc_per_class,
)
from medtail.metrics.thresholds import (
    max_balanced_accuracy,
    max_f1,
    max_f_beta,
    precision_at_recall,
    precisions_at_recalls,
)
from medtail.metrics.undefined import UndefinedMetricWarning

__all__ = [
    "LABEL_METRICS",
    "METRICS",
    "POSITIVE_CLASS_METRICS",
    "LabelOutcomes",
    "Metric",
    "Outcomes",
    "ReliabilityBins",
    "UndefinedMetricWarning",
    "accuracy",
    "angles_to_centres",
    "average_precision",
    "average_precision_per_class",
    "balanced_accuracy",
    "bootstrap",
    "brier_score",
    "centred_interval",
    "confusion_matrix",
    "exact_lower_bound",
    "exact_match",
    "expected_calibration_error",
    "expected_cost",
    "f1_per_class",
    "f_beta_per_class",
    "fisher_separability",
    "geometric_mean",
    "index_balanced_accuracy",
    "label_balanced_accuracy",
    "label_log_odds",
    "label_roc_auc",
    "log_odds",
    "macro_f1",
    "matthews_correlation",
    "max_balanced_accuracy",
    "max_f1",
    "max_f_beta",
    "net_benefit",
    "percentile_interval",
    "precision_at_recall",
    "precision_per_class",
    "precisions_at_recalls",
    "recall_per_class",
    "recall_variation",
    "reliability_bins",
    "roc_auc",
    "roc_auc_per_class",
    "wilson_interval",
]
