"""Metrics of multi-label classification: several yes-or-no decisions per sample.

Targets and decisions are 0/1 ``(N, C)``, one column per label. Each label is a problem of its own; means run over
labels. A target of NaN is unknown, and left out.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks
from medtail.metrics.arguments import (
    Value,
    check_shapes,
    indicators,
    known_labels,
    one_or_many,
    sample_weights,
)
from medtail.metrics.confusion import Outcomes
from medtail.metrics.undefined import mean_over_defined, ratio, warn_of_undefined


@final
@dataclass(frozen=True)
class LabelOutcomes:
    """How the samples with each label, and those without it, were decided.

    Attributes:
        present: Outcomes ``(…, C)`` of "yes": its targets are the positives, its decisions those for the label.
        absent: Outcomes ``(…, C)`` of "no".
    """

    present: Outcomes
    absent: Outcomes

    @classmethod
    def weighted(cls, targets: ArrayLike, decisions: ArrayLike, weights: ArrayLike) -> Self:
        """Count with weights ``(N, R)``, one column per weighting; the result is a stack ``(R, C)``.

        Example:
            >>> outcomes = LabelOutcomes.weighted([[1, 0], [1, 1]], [[1, 0], [0, 1]], [[1], [1]])
            >>> outcomes.present.recalls, outcomes.absent.recalls
            (array([[0.5, 1. ]]), array([[nan,  1.]]))
        """
        truth, known, decided = _truth_and_decisions(targets, decisions)
        columns = sample_weights(weights, len(truth)).T
        true, false, decided_true, decided_false = (
            truth,
            known - truth,
            known * decided,
            known * (1 - decided),
        )
        return cls(
            Outcomes(columns @ (true * decided), columns @ true, columns @ decided_true),
            Outcomes(columns @ (false * decided_false), columns @ false, columns @ decided_false),
        )

    @classmethod
    def of(cls, targets: ArrayLike, decisions: ArrayLike) -> Self:
        """Count every sample once; the counts are ``(C,)`` each."""
        stack = cls.weighted(targets, decisions, np.ones((len(checks.array(targets)), 1)))
        return cls(*(_first(outcomes) for outcomes in (stack.present, stack.absent)))


def _truth_and_decisions(
    targets: ArrayLike, decisions: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 0/1 ``(N, C)`` each: whether a label is true, known, and decided to be true."""
    truth, known = known_labels("targets", targets)
    decided = indicators("decisions", decisions)
    check_shapes("decisions", truth, decided)
    return truth, known.astype(np.int64), decided


def _first(stack: Outcomes) -> Outcomes:
    return Outcomes(stack.hits[0], stack.targets[0], stack.decisions[0])


def label_balanced_accuracy(outcomes: LabelOutcomes) -> Value:
    """Return the mean over labels of ½ (recall of "yes" + recall of "no").

    A label that all samples have, or none, is left out, and an :class:`UndefinedMetricWarning` names it.

    Example:
        >>> float(label_balanced_accuracy(LabelOutcomes.of([[1, 0], [0, 1]], [[1, 0], [1, 1]])))
        0.75
    """
    each = (outcomes.present.recalls + outcomes.absent.recalls) / 2
    warn_of_undefined("label_balanced_accuracy", each, "having no positive or no negative")
    return mean_over_defined(each)


def exact_match(targets: ArrayLike, decisions: ArrayLike, *, weights: ArrayLike | None = None) -> Value:
    """Return the share of samples whose known labels are all decided correctly (subset accuracy).

    A sample without a known label is left out.

    Example:
        >>> exact_match([[1, 0], [0, 1]], [[1, 0], [1, 1]])
        0.5
    """
    truth, known, decided = _truth_and_decisions(targets, decisions)
    right = ((truth == decided) | (known == 0)).all(axis=1)
    columns = sample_weights(weights, len(right)) * known.any(axis=1, keepdims=True)
    return one_or_many(ratio(right @ columns, columns.sum(axis=0)), weights)
