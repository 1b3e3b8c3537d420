"""What an operating point is chosen for: each goal chooses a decision on validation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from medtail import metrics
from medtail.adaptation.best_threshold import THRESHOLD_METRICS, best_threshold
from medtail.adaptation.class_weights import balanced_weights
from medtail.adaptation.trade import Trade, rounded_down
from medtail.errors import InputError
from medtail.operating_point.decisions import ClassThreshold, Decision, MinimumCost, MostProbable
from medtail.operating_point.promises import Promise
from medtail.runs.predictions import Predictions

#: Notes name classes with fewer validation cases, because what is fitted to them also fits their noise.
FEW_CASES = 10


@final
@dataclass(frozen=True)
class Cases:
    """Validation as a goal sees it.

    Attributes:
        predictions: Probabilities where the model is used, after every step.
        weights: Weight of each case ``(N,)``, so that classes are as frequent as where the model is used.
        prior: The prior that the probabilities stand for ``(C,)``.
        positive: Id of the positive class of two; without effect for more classes.
    """

    predictions: Predictions
    weights: np.ndarray
    prior: np.ndarray
    positive: int = 1

    def of_class(self, class_id: int) -> np.ndarray:
        """Return whether each case is of a class ``(N,)``."""
        return np.asarray(self.predictions.targets == class_id)

    def best_threshold(self, metric: str) -> ClassThreshold:
        """Return the threshold on the positive class of two at which the metric is best."""
        scores = self.predictions.probabilities[:, self.positive]
        threshold = best_threshold(self.of_class(self.positive), scores, metric, self.weights)
        return ClassThreshold(self.positive, threshold)


class Goal(ABC):
    """What a decision is chosen for; abstract.

    Attributes:
        promises: What it promises of new cases, in words; None where it promises nothing.
        needs_cases: Whether the decision is found on cases with known classes.
    """

    promises: ClassVar[str | None] = None
    needs_cases: ClassVar[bool] = True

    @property
    def needs_prior(self) -> bool:
        """Whether probabilities must stand for the class shares where the model is used.

        A cost is an expectation over them; a threshold found on validation is not.
        """
        return False

    @abstractmethod
    def plain(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the goal in plain values."""

    @abstractmethod
    def decision(self, cases: Cases) -> tuple[Decision, list[str]]:
        """Choose on validation; notes say what to know about the choice.

        Raises:
            InputError: Validation holds too few cases.
        """

    def own_metrics(self, cases: Cases) -> dict[str, float]:
        """Return the metrics of the goal besides those of every operating point; none by default."""
        return {}

    def alternatives(self, cases: Cases) -> list[dict[str, float | None]]:
        """Return what neighbouring choices would do on validation, in plain values; none by default."""
        return []


@final
@dataclass(frozen=True)
class FewestMistakes(Goal):
    """The most probable class: only the probabilities are left to adapt."""

    needs_cases: ClassVar[bool] = False

    def plain(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the name."""
        return {"decide": "most_probable"}

    def decision(self, cases: Cases) -> tuple[Decision, list[str]]:
        """Return the plain rule."""
        return MostProbable(), []


@final
@dataclass(frozen=True)
class LowestCost(Goal):
    """The lowest expected cost of a decision.

    Attributes:
        costs: ``(C, C)``, rows the truth, columns the decision.
    """

    costs: np.ndarray

    @property
    def needs_prior(self) -> bool:
        """Costs are expectations over the class shares."""
        return True

    def plain(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the name; the costs are in the decision."""
        return {"decide": "minimum_cost"}

    def decision(self, cases: Cases) -> tuple[Decision, list[str]]:
        """Return the rule of the costs."""
        return MinimumCost(self.costs), []

    def own_metrics(self, cases: Cases) -> dict[str, float]:
        """Return the mean cost of the decisions."""
        predictions = cases.predictions
        cost = metrics.expected_cost(
            predictions.targets, predictions.decisions, self.costs, weights=cases.weights
        )
        return {"expected_cost": float(cost)}


@final
@dataclass(frozen=True)
class PromisedRecall(Goal):
    """A recall that one class is promised on new cases.

    Attributes:
        class_id: The class.
        promise: Its recall, on average or with a confidence.
    """

    promises: ClassVar[str | None] = "recall"

    class_id: int
    promise: Promise

    def plain(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return class, recall and, where asked for, confidence."""
        return {
            "decide": "recall",
            "class": class_names[self.class_id],
            "recall": self.promise.share,
            **self.promise.plain(),
        }

    def decision(self, cases: Cases) -> tuple[Decision, list[str]]:
        """Return the threshold that keeps the promise."""
        predictions = cases.predictions
        own = cases.of_class(self.class_id)
        name, count = predictions.class_names[self.class_id], int(own.sum())
        threshold = self.promise.threshold(predictions.probabilities[own, self.class_id])
        if threshold is None:
            highest = rounded_down(self.promise.highest_share(count))
            remedy = f"ask for at most {highest}" if highest > 0 else "give it some"
            raise InputError(
                f"`recall` {name}={self.promise.share:g} needs {self.promise.cases_needed} validation cases of {name}, "
                f"there are {count}; {remedy}, or validate on more"
            )
        groups = None if predictions.groups is None else len(np.unique(predictions.groups[own]))
        notes = []
        if groups is not None and groups < count:
            notes.append(
                f"The recall is promised as if cases were independent; the {count} of {name} are from {groups} groups, "
                f"so it is less certain than promised."
            )
        return ClassThreshold(self.class_id, threshold), [*self._trade(cases).warnings(name), *notes]

    def _trade(self, cases: Cases) -> Trade:
        scores = cases.predictions.probabilities[:, self.class_id]
        return Trade(self.promise, scores, cases.of_class(self.class_id), cases.weights)

    def alternatives(self, cases: Cases) -> list[dict[str, float | None]]:
        """Return the thresholds around the chosen one."""
        return [threshold.plain for threshold in self._trade(cases).around_the_chosen]

    def own_metrics(self, cases: Cases) -> dict[str, float]:
        """Return the recall, its exact lower bound, and the share of other cases for which the class is chosen."""
        found = cases.predictions.decisions == self.class_id
        own = cases.of_class(self.class_id)
        return {
            "recall": float(found[own].mean()),
            "recall_lower_bound": metrics.exact_lower_bound(int(found[own].sum()), int(own.sum())),
            "false_positive_rate": float(np.average(found[~own], weights=cases.weights[~own])),
        }


@final
@dataclass(frozen=True)
class HighestBalancedAccuracy(Goal):
    """The highest mean recall of the classes."""

    def plain(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the name."""
        return {"decide": "balanced_accuracy"}

    def decision(self, cases: Cases) -> tuple[Decision, list[str]]:
        """Return the best threshold for two classes, or weights for more."""
        predictions = cases.predictions
        counts = np.bincount(predictions.targets, minlength=len(predictions.class_names))
        require_each_class(predictions, "`balanced_accuracy`")
        few = few_cases_note(predictions, "the weights of the decision")
        if len(counts) == 2:
            return cases.best_threshold("max_balanced_accuracy"), few
        starts = [np.ones(len(counts)), 1 / cases.prior]
        return balanced_weights(predictions.targets, predictions.probabilities, starts), few


@final
@dataclass(frozen=True)
class BestCondition(Goal):
    """λ of a loss-conditional run by a metric; for two classes also the threshold that reaches it.

    Attributes:
        metric: A column of ``conditions.csv``.
    """

    metric: str

    @property
    def needs_prior(self) -> bool:
        """Whether the metric depends on ranks alone.

        At the λ that ranks best, scores may stand for any prior, even one at which the same class is always the most
        probable. The Brier score judges the probabilities as they are.
        """
        return self.metric != "brier"

    def plain(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the metric."""
        return {"decide": "metric", "metric": self.metric}

    def decision(self, cases: Cases) -> tuple[Decision, list[str]]:
        """Return the best threshold, where the metric depends on one."""
        if self.metric not in THRESHOLD_METRICS:
            return MostProbable(), []
        predictions = cases.predictions
        if len(predictions.class_names) > 2:
            return MostProbable(), [
                f"{self.metric} is a mean over classes, each with a threshold of its own, so the most probable class "
                f"is chosen."
            ]
        require_each_class(predictions, f"`metric={self.metric}`")
        return cases.best_threshold(self.metric), []


def require_each_class(predictions: Predictions, what: str) -> None:
    """Refuse a validation split in which a class does not occur.

    Raises:
        InputError: A class does not occur.
    """
    counts = np.bincount(predictions.targets, minlength=len(predictions.class_names))
    absent = [name for name, count in zip(predictions.class_names, counts, strict=True) if not count]
    if absent:
        raise InputError(
            f"{what} needs a validation case of every class, there is none of {', '.join(absent)}; "
            f"validate on more images"
        )


def few_cases_note(predictions: Predictions, what: str) -> list[str]:
    """Return a note naming the classes with under :data:`FEW_CASES` validation cases, or nothing."""
    counts = np.bincount(predictions.targets, minlength=len(predictions.class_names))
    few = [
        f"{name} ({count})"
        for name, count in zip(predictions.class_names, counts, strict=True)
        if count < FEW_CASES
    ]
    if not few:
        return []
    return [f"There are few validation cases of {', '.join(few)}: {what} may fit their noise."]
