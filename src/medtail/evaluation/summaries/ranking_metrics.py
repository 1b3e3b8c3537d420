"""What any threshold on a table of probabilities could give: the figures by which λ and hyper-parameters are chosen."""

import numpy as np

from medtail import metrics
from medtail.evaluation.summaries.binary import RECALLS
from medtail.metrics.undefined import mean_over_defined

#: Names of the precisions at the recalls of LCT's Fig. 1.
PRECISIONS = tuple(f"precision_at_recall_{recall:g}" for recall in RECALLS)

#: Everything that is figured, in the order of ``conditions.csv``.
RANKING_FIGURES = (
    "auc",
    "average_precision",
    "brier",
    "max_f1",
    "max_balanced_accuracy",
    "balanced_accuracy",
    *PRECISIONS,
)


def ranking_figures(targets: np.ndarray, probabilities: np.ndarray, positive: int) -> dict[str, float]:
    """Return :data:`RANKING_FIGURES`: of the positive class of two, else means over classes one-versus-rest.

    Args:
        targets: Class ids ``(N,)``.
        probabilities: ``(N, C)``.
        positive: Id of the class that is looked for, of two; without effect for several.

    Returns:
        NaN where undefined. Balanced accuracy is that of the most probable class; the Brier score of several classes
        is over all of them.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
        >>> figures = ranking_figures(np.array([0, 0, 1, 1]), probabilities, positive=1)
        >>> figures["auc"], figures["max_f1"], figures["precision_at_recall_0.5"]
        (0.75, 0.8, 1.0)
    """
    classes = probabilities.shape[1]
    scored = (targets == positive, probabilities[:, positive]) if classes == 2 else (targets, probabilities)
    confusion = metrics.confusion_matrix(targets, probabilities.argmax(axis=1), classes)
    judged = [positive] if classes == 2 else range(classes)
    best = np.array([_at_best_thresholds(targets == index, probabilities[:, index]) for index in judged])
    max_f1, max_balanced_accuracy, *precisions = np.atleast_1d(mean_over_defined(best.T))
    return {
        "auc": float(metrics.roc_auc(*scored)),
        "average_precision": float(metrics.average_precision(*scored)),
        "brier": float(metrics.brier_score(targets, probabilities)),
        "max_f1": float(max_f1),
        "max_balanced_accuracy": float(max_balanced_accuracy),
        "balanced_accuracy": float(metrics.balanced_accuracy(confusion)),
        **{name: float(precision) for name, precision in zip(PRECISIONS, precisions, strict=True)},
    }


def _at_best_thresholds(positive: np.ndarray, scores: np.ndarray) -> list[float]:
    """Highest F1, highest balanced accuracy, and the precisions, of one class against the rest."""
    return [
        float(metrics.max_f1(positive, scores)),
        float(metrics.max_balanced_accuracy(positive, scores)),
        *metrics.precisions_at_recalls(positive, scores, RECALLS).tolist(),
    ]
