"""Metrics that are functions of a confusion matrix. Every equation is written here once.

A confusion matrix is ``(C, C)``, with the truth in rows and the decisions in columns. Every function also takes a stack
``(…, C, C)`` of matrices, for which it returns an array ``(…)``, and :class:`Outcomes` instead of a matrix: these are
all the metrics need, and stay small for thousands of classes.

Below, h_c is the number of samples of class c that were decided correctly (hits), t_c the number of its samples, d_c
the number of decisions for it, and n = Σ t_c. TPR_c = h_c / t_c is the recall.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks
from medtail.errors import InputError
from medtail.metrics.arguments import Value, sample_weights, sums_by_id, targets_and_predictions
from medtail.metrics.undefined import mean_over_defined, ratio, warn_of_undefined

_NO_TARGET = "having no target"


def confusion_matrix(targets: ArrayLike, predictions: ArrayLike, num_classes: int) -> np.ndarray:
    """Count decisions per true class.

    Args:
        targets: True class ids ``(N,)``.
        predictions: Decided class ids ``(N,)``, not probabilities.
        num_classes: C; classes that never occur keep their row and column.

    Returns:
        ``(C, C)`` int64, with the truth in rows and the decisions in columns.

    Raises:
        InputError: An id is not in 0 … C−1, or the lengths differ.

    Example:
        >>> confusion_matrix([0, 0, 1, 2], [0, 1, 1, 2], num_classes=3)
        array([[1, 1, 0],
               [0, 1, 0],
               [0, 0, 1]])
    """
    truth, decided = targets_and_predictions(targets, predictions, num_classes)
    return np.bincount(truth * num_classes + decided, minlength=num_classes**2).reshape(
        num_classes, num_classes
    )


@final
@dataclass(frozen=True)
class Outcomes:
    """The three counts per class that these metrics take from a confusion matrix, ``(…, C)`` each.

    Attributes:
        hits: h_c, the diagonal.
        targets: t_c, the row sums.
        decisions: d_c, the column sums.
    """

    hits: np.ndarray
    targets: np.ndarray
    decisions: np.ndarray

    @classmethod
    def of(cls, confusion: "ArrayLike | Outcomes") -> "Outcomes":
        """Reduce a confusion matrix, or a stack of them; outcomes are returned as they are.

        Raises:
            InputError: The last two dimensions differ, or a count is negative or not finite.
        """
        if isinstance(confusion, Outcomes):
            return confusion
        counts = checks.array(confusion)
        if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
            raise InputError(
                f"confusion must be square, (C, C), or a stack of such matrices, got shape {counts.shape}"
            )
        if not (np.isfinite(counts) & (counts >= 0)).all():
            raise InputError(
                f"confusion must hold counts of at least 0, got {counts[~(counts >= 0)].flat[0]}"
            )
        return cls(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1), counts.sum(axis=-2))

    @classmethod
    def weighted(
        cls, targets: ArrayLike, predictions: ArrayLike, num_classes: int, weights: ArrayLike
    ) -> Self:
        """Count with weights ``(N, R)``, one column per weighting; the result is a stack ``(R, C)``.

        Example:
            >>> Outcomes.weighted([0, 1], [0, 0], 2, [[1, 3], [1, 2]]).decisions
            array([[2., 0.],
                   [5., 0.]])
        """
        truth, decided = targets_and_predictions(targets, predictions, num_classes)
        columns = sample_weights(weights, len(truth))

        right = truth == decided
        return cls(
            hits=sums_by_id(truth[right], columns[right], num_classes).T,
            targets=sums_by_id(truth, columns, num_classes).T,
            decisions=sums_by_id(decided, columns, num_classes).T,
        )

    @property
    def recalls(self) -> np.ndarray:
        """h_c / t_c."""
        return ratio(self.hits, self.targets)

    @property
    def precisions(self) -> np.ndarray:
        """h_c / d_c."""
        return ratio(self.hits, self.decisions)

    @property
    def f1(self) -> np.ndarray:
        """2 h_c / (t_c + d_c)."""
        return ratio(2 * self.hits, self.targets + self.decisions)

    @property
    def specificities(self) -> np.ndarray:
        """TNR_c = (n − t_c − d_c + h_c) / (n − t_c)."""
        total = self.targets.sum(axis=-1, keepdims=True)
        return ratio(total - self.targets - self.decisions + self.hits, total - self.targets)


def recall_per_class(confusion: "ArrayLike | Outcomes") -> np.ndarray:
    """Return h_c / t_c ``(…, C)``: the share of each class's samples that is recognised; NaN without targets.

    Example:
        >>> recall_per_class([[8, 2], [1, 4]])
        array([0.8, 0.8])
    """
    recalls = Outcomes.of(confusion).recalls
    warn_of_undefined("recall_per_class", recalls, _NO_TARGET)
    return recalls


def precision_per_class(confusion: "ArrayLike | Outcomes") -> np.ndarray:
    """Return h_c / d_c ``(…, C)``: how often a decision for each class is correct; NaN for a class never decided for.

    Example:
        >>> precision_per_class([[8, 2], [2, 3]])
        array([0.8, 0.6])
    """
    precisions = Outcomes.of(confusion).precisions
    warn_of_undefined("precision_per_class", precisions, "never being decided")
    return precisions


def f1_per_class(confusion: "ArrayLike | Outcomes") -> np.ndarray:
    """Return 2 h_c / (t_c + d_c) ``(…, C)``; NaN for a class that neither occurs nor is decided for.

    Example:
        >>> f1_per_class([[8, 2], [2, 3]])
        array([0.8, 0.6])
    """
    scores = Outcomes.of(confusion).f1
    warn_of_undefined("f1_per_class", scores, "neither occurring nor being decided")
    return scores


def f_beta_per_class(confusion: "ArrayLike | Outcomes", beta: float) -> np.ndarray:
    """Return (1 + β²) h_c / (β² t_c + d_c) ``(…, C)`` (LCT eq. 15); NaN for a class without targets and decisions.

    Args:
        confusion: ``(…, C, C)``.
        beta: How many times as important as precision recall is; positive. 1 is F1.

    Raises:
        InputError: ``beta`` is not positive.

    Example:
        >>> f_beta_per_class([[8, 2], [2, 3]], beta=2.0)
        array([0.8, 0.6])
    """
    weight = checks.positive("beta", beta, remedy="1 is F1") ** 2
    outcomes = Outcomes.of(confusion)
    scores = ratio((1 + weight) * outcomes.hits, weight * outcomes.targets + outcomes.decisions)
    warn_of_undefined("f_beta_per_class", scores, "neither occurring nor being decided")
    return scores


def accuracy(confusion: "ArrayLike | Outcomes") -> Value:
    """Return Σ h_c / n; NaN without samples.

    Example:
        >>> float(accuracy([[8, 2], [1, 4]]))
        0.8
    """
    outcomes = Outcomes.of(confusion)
    return ratio(outcomes.hits.sum(axis=-1), outcomes.targets.sum(axis=-1))


def balanced_accuracy(confusion: "ArrayLike | Outcomes") -> Value:
    """Return the mean recall over the classes that have targets.

    A class without targets is left out, even when it is decided for (scikit-learn does the same; torchmetrics counts
    it as 0), and an :class:`UndefinedMetricWarning` names it.

    Example:
        >>> float(balanced_accuracy([[9, 1], [1, 1]]))
        0.7
    """
    recalls = Outcomes.of(confusion).recalls
    warn_of_undefined("balanced_accuracy", recalls, _NO_TARGET)
    return mean_over_defined(recalls)


def macro_f1(confusion: "ArrayLike | Outcomes") -> Value:
    """Return the mean of 2 h_c / (t_c + d_c) over the classes that occur or are decided for.

    A class that is decided for but never occurs counts with F1 = 0, as in scikit-learn.

    Example:
        >>> round(float(macro_f1([[8, 2], [2, 3]])), 3)
        0.7
    """
    scores = Outcomes.of(confusion).f1
    warn_of_undefined("macro_f1", scores, "neither occurring nor being decided")
    return mean_over_defined(scores)


def geometric_mean(confusion: "ArrayLike | Outcomes") -> Value:
    """Return (Π recall_c)^{1/K} over the K classes that have targets (Kubat and Matwin 1997).

    A single class that is never recognised makes it 0.

    Example:
        >>> round(float(geometric_mean([[9, 1], [6, 4]])), 3)
        0.6
    """
    recalls = Outcomes.of(confusion).recalls
    warn_of_undefined("geometric_mean", recalls, _NO_TARGET)
    with np.errstate(divide="ignore"):  # log 0 = −∞ is intended: its exponential is 0
        mean: Value = np.exp(mean_over_defined(np.log(recalls)))
    return mean


def matthews_correlation(confusion: "ArrayLike | Outcomes") -> Value:
    """Return the correlation R_K of truth and decision (Gorodkin 2004), in [−1, 1].

    R_K = (n Σh_c − Σ t_c d_c) / √((n² − Σd_c²)(n² − Σt_c²)); with two classes it is Matthews' coefficient.
    NaN if only one class occurs or only one is ever decided for (scikit-learn returns 0 then).

    Example:
        >>> round(float(matthews_correlation([[8, 2], [1, 4]])), 4)
        0.5774
    """
    outcomes = Outcomes.of(confusion)
    total = outcomes.targets.sum(axis=-1).astype(np.float64)
    agreement = total * outcomes.hits.sum(axis=-1) - (
        outcomes.targets.astype(np.float64) * outcomes.decisions
    ).sum(axis=-1)
    decided = total**2 - (outcomes.decisions.astype(np.float64) ** 2).sum(axis=-1)
    occurring = total**2 - (outcomes.targets.astype(np.float64) ** 2).sum(axis=-1)
    return ratio(agreement, np.sqrt(decided * occurring))


def index_balanced_accuracy(confusion: "ArrayLike | Outcomes", alpha: float = 0.1) -> Value:
    """Return the macro mean over one-versus-rest classes of (1 + α(TPR_c − TNR_c)) · TPR_c · TNR_c.

    The index of García, Mollineda and Sánchez (2009) is linear in α. For each class it is imbalanced-learn's index of
    the squared geometric mean. Classes without targets are left out.

    Args:
        confusion: ``(…, C, C)``.
        alpha: Weight of the dominance TPR − TNR; the papers use 0.1, 0.5 and 1.0 (DAL tables).

    Example:
        >>> round(float(index_balanced_accuracy([[8, 2], [1, 4]], alpha=0.1)), 4)
        0.64
    """
    outcomes = Outcomes.of(confusion)
    recalls, specificities = outcomes.recalls, outcomes.specificities
    indices = (1 + alpha * (recalls - specificities)) * recalls * specificities
    warn_of_undefined("index_balanced_accuracy", indices, "having no target or no counterpart")
    return mean_over_defined(indices)


def recall_variation(confusion: "ArrayLike | Outcomes", ddof: int = 0) -> Value:
    """Return the coefficient of variation σ/μ of the recalls of the classes that have targets; lower is more even.

    DAL eq. 13 prints the sample deviation (``ddof=1``); the numbers in its tables are the population deviation
    (``ddof=0``), which is therefore the default. NaN if no class is ever recognised.

    Args:
        confusion: ``(…, C, C)``.
        ddof: 0 divides the squared deviations by the number of classes K, 1 by K − 1.

    Raises:
        InputError: ``ddof`` is neither 0 nor 1.

    Example:
        >>> float(recall_variation([[8, 2], [6, 4]]))
        0.3333333333333333
    """
    if ddof not in (0, 1):
        raise InputError(f"ddof must be 0 (population) or 1 (sample), got {ddof!r}")
    recalls = Outcomes.of(confusion).recalls
    warn_of_undefined("recall_variation", recalls, _NO_TARGET)
    mean = mean_over_defined(recalls)
    defined = ~np.isnan(recalls)
    squares = np.where(defined, (recalls - np.expand_dims(mean, -1)) ** 2, 0.0).sum(axis=-1)
    deviation = np.sqrt(ratio(squares, np.maximum(defined.sum(axis=-1) - ddof, 0)))
    return ratio(deviation, mean)
