"""What thresholds on a table of probabilities can reach: the metrics that λ and hyper-parameters are chosen by."""

import numpy as np

from medtail import metrics
from medtail.metrics.arguments import scores_and_positives
from medtail.metrics.metric import METRICS, POSITIVE_CLASS_METRICS, PRECISION_METRICS, RECALLS
from medtail.metrics.ranking import ranked_columns
from medtail.metrics.thresholds import RankedScores
from medtail.metrics.undefined import mean_over_defined

#: All of them by key, in the order of ``conditions.csv``.
RANKING_METRICS = {
    **{
        key: POSITIVE_CLASS_METRICS[key]
        for key in ("auc", "average_precision", "brier", "max_f1", "max_balanced_accuracy")
    },
    "balanced_accuracy": METRICS["balanced_accuracy"],
    **PRECISION_METRICS,
}


def ranking_metrics(
    targets: np.ndarray, probabilities: np.ndarray, positive: int, scores: np.ndarray | None = None
) -> dict[str, float]:
    """Return :data:`RANKING_METRICS`: those of the positive class of two, else one-versus-rest means over classes.

    Args:
        targets: Class ids ``(N,)``.
        probabilities: ``(N, C)``.
        positive: Id of the positive class, of two; without effect for more.
        scores: What images are ranked by ``(N, C)``, e.g. log-odds; the probabilities when left out.

    Returns:
        The metrics by key, NaN where undefined. Balanced accuracy is that of the most probable class; the Brier score
        of more than two classes is over all of them.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
        >>> values = ranking_metrics(np.array([0, 0, 1, 1]), probabilities, positive=1)
        >>> values["auc"], values["max_f1"], values["precision_at_recall_0.5"]
        (0.75, 0.8, 1.0)
    """
    classes = probabilities.shape[1]
    table, positives = scores_and_positives(targets, probabilities if scores is None else scores)
    judged = [positive] if classes == 2 else list(range(classes))
    confusion = metrics.confusion_matrix(targets, probabilities.argmax(axis=1), classes)
    each = np.array([_of_class(one) for one in ranked_columns(positives[:, judged], table[:, judged])])
    auc, average_precision, max_f1, max_balanced_accuracy, *precisions = mean_over_defined(each.T)
    return {
        "auc": float(auc),
        "average_precision": float(average_precision),
        "brier": float(metrics.brier_score(targets, probabilities)),
        "max_f1": float(max_f1),
        "max_balanced_accuracy": float(max_balanced_accuracy),
        "balanced_accuracy": float(metrics.balanced_accuracy(confusion)),
        **{name: float(precision) for name, precision in zip(PRECISION_METRICS, precisions, strict=True)},
    }


def _of_class(ranked: RankedScores) -> list[float]:
    """The areas, the highest F1, the highest balanced accuracy and the precisions of one class against the rest."""
    counts = ranked.counts(np.ones((ranked.summing.shape[1], 1)))
    return [
        counts.roc_auc().item(),
        counts.average_precision().item(),
        counts.max_f_beta(1.0).item(),
        counts.max_balanced_accuracy().item(),
        *counts.precisions_at_recalls(np.array(RECALLS))[0].tolist(),
    ]
