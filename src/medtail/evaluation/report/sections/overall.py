"""Every metric over all classes, with its interval, on test and on validation."""

from collections.abc import Mapping

from medtail.evaluation.report.evidence import Evidence, LabelEvidence, RunEvidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.chosen_epoch import MONITORED, monitor_of
from medtail.evaluation.summaries.summary import LOWER_IS_BETTER, METRIC_TITLES, measure

_MEANINGS = {
    "accuracy": "share of all images decided right; the frequent classes dominate it",
    "balanced_accuracy": "mean recall of the classes; each class counts the same",
    "macro_f1": "mean over classes of the balance between finding a class and not claiming others for it",
    "geometric_mean": "product of the recalls, to the power 1/C; one class that is never found makes it 0",
    "mcc": "correlation of decision and truth; 0 for a constant answer, 1 for a perfect one",
    "iba_0.1": "recall × specificity, favouring recall by α",
    "iba_0.5": "the same with more weight on recall",
    "iba_1.0": "the same with full weight on recall",
    "cov": "how uneven the recalls are, relative to their mean",
    "auc": "chance that an image of a class is ranked above one of another; needs no threshold",
    "average_precision": "area under the precision-recall curve; hard to raise for rare classes",
    "brier": "mean squared error of the probabilities",
    "ece": "mean gap between stated confidence and actual accuracy",
}


_LABEL_MEANINGS = {
    "accuracy": "share of images with every label right; falls with the number of labels",
    "balanced_accuracy": "mean over labels of ½ (recall where the label is + where it is not); guessing gives ½",
    "macro_f1": "mean over labels of the balance between finding a label and not claiming it where it is not",
    "auc": "mean over labels of the chance that an image with it is ranked above one without",
    "average_precision": "mean over labels of the area under the precision-recall curve",
    "brier": "mean over labels of the squared error of the probabilities",
}


def overall(evidence: Evidence) -> Section:
    """The table of metrics."""
    return _table(evidence, _MEANINGS)


def label_overall(evidence: LabelEvidence) -> Section:
    """The table of those metrics that several labels an image have."""
    return _table(evidence, _LABEL_MEANINGS)


def _table(evidence: RunEvidence, meanings: Mapping[str, str]) -> Section:
    validation = measure(evidence.validation)
    return Section(
        "metrics",
        "All metrics",
        "section_overall.html",
        {
            "chosen_by_validation": MONITORED[monitor_of(evidence.recipe)] is not None,
            "rows": [
                {
                    "title": title,
                    "meaning": meanings[name],
                    "test": evidence.summary[name],
                    "interval": evidence.summary["intervals"][name],
                    "validation": float(validation[name][0]),
                    "lower_is_better": name in LOWER_IS_BETTER,
                }
                for name, title in METRIC_TITLES.items()
                if name in meanings
            ],
        },
    )
