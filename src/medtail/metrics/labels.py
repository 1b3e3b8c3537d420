"""Metrics of several yes-or-no decisions a sample: multi-label classification.

Targets and decisions are 0/1 ``(N, C)``, a column a label. Each label is a problem of its own; means run over labels.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from medtail.errors import InputError
from medtail.metrics.arguments import Value, one_or_many, sample_weights
from medtail.metrics.confusion import Outcomes
from medtail.metrics.undefined import mean_over_defined, ratio, warn_of_undefined


def indicators(name: str, values: ArrayLike) -> np.ndarray:
    """Return ``values`` as 0/1 ``(N, C)`` int64.

    Raises:
        InputError: They are of another shape, or something else than 0 and 1.
    """
    array = np.asarray(values)
    if array.ndim != 2:
        raise InputError(f"{name} must be 0/1 of shape (N, C), a column a label, got shape {array.shape}")
    wrong = array[(array != 0) & (array != 1)]
    if wrong.size:
        raise InputError(f"{name} must be 0 or 1, got {wrong[0]}")
    return array.astype(np.int64)


@final
@dataclass(frozen=True)
class LabelOutcomes:
    """What became of the samples that carry each label, and of those that do not.

    Attributes:
        present: Outcomes ``(…, C)`` of "yes": its targets are the positives, its decisions the claims.
        absent: Outcomes ``(…, C)`` of "no".
    """

    present: Outcomes
    absent: Outcomes

    @classmethod
    def weighted(cls, targets: ArrayLike, decisions: ArrayLike, weights: ArrayLike) -> Self:
        """Count with weights ``(N, R)``, one column a weighting; the result is a stack ``(R, C)``.

        Example:
            >>> outcomes = LabelOutcomes.weighted([[1, 0], [1, 1]], [[1, 0], [0, 1]], [[1], [1]])
            >>> outcomes.present.recalls, outcomes.absent.recalls
            (array([[0.5, 1. ]]), array([[nan,  1.]]))
        """
        truth, decided = indicators("targets", targets), indicators("decisions", decisions)
        if truth.shape != decided.shape:
            raise InputError(
                f"targets and decisions must be of one shape, got {truth.shape} and {decided.shape}"
            )
        columns = sample_weights(weights, len(truth)).T
        return cls(
            Outcomes(columns @ (truth * decided), columns @ truth, columns @ decided),
            Outcomes(columns @ ((1 - truth) * (1 - decided)), columns @ (1 - truth), columns @ (1 - decided)),
        )

    @classmethod
    def of(cls, targets: ArrayLike, decisions: ArrayLike) -> Self:
        """Count every sample once: ``(C,)``."""
        stack = cls.weighted(targets, decisions, np.ones((len(np.asarray(targets)), 1)))
        return cls(*(_first(outcomes) for outcomes in (stack.present, stack.absent)))


def _first(stack: Outcomes) -> Outcomes:
    return Outcomes(stack.hits[0], stack.targets[0], stack.decisions[0])


def label_balanced_accuracy(outcomes: LabelOutcomes) -> Value:
    """Return the mean over labels of ½ (recall of "yes" + recall of "no").

    A label that all samples carry, or none, is left out, and an :class:`UndefinedMetricWarning` names it.

    Example:
        >>> float(label_balanced_accuracy(LabelOutcomes.of([[1, 0], [0, 1]], [[1, 0], [1, 1]])))
        0.75
    """
    each = (outcomes.present.recalls + outcomes.absent.recalls) / 2
    warn_of_undefined("label_balanced_accuracy", each, "having no positive or no negative")
    return mean_over_defined(each)


def exact_match(targets: ArrayLike, decisions: ArrayLike, *, weights: ArrayLike | None = None) -> Value:
    """Return the share of samples of which every label is decided right (subset accuracy).

    Example:
        >>> exact_match([[1, 0], [0, 1]], [[1, 0], [1, 1]])
        0.5
    """
    right = (indicators("targets", targets) == indicators("decisions", decisions)).all(axis=1)
    columns = sample_weights(weights, len(right))
    return one_or_many(ratio(right @ columns, columns.sum(axis=0)), weights)
