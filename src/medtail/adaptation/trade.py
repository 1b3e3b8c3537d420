"""What a recall costs: the thresholds around the chosen one, and whether the choice is of any use."""

from dataclasses import dataclass
from typing import final

import numpy as np

from medtail.evaluation.summaries.json_values import defined
from medtail.metrics.undefined import ratio
from medtail.operating_point.promises import Promise

#: How many ranks the shown thresholds are away from the chosen one: close by, and further on.
_STEPS = (-8, -4, -2, -1, 0, 1, 2, 4, 8, 16)

#: A recall below this is not worth recommending.
_LOWEST_RECOMMENDED = 0.5


@final
@dataclass(frozen=True)
class TradedThreshold:
    """One threshold on validation.

    Attributes:
        threshold: The class is chosen where its score is at least this.
        promised: The highest recall that it promises on new cases.
        recall: Share of the class that is found.
        recall_lower_bound: Exact lower 95 % bound of the recall.
        false_positive_rate: Share of the other cases for which the class is chosen.
        precision: Share of the class among the cases for which it is chosen.
        chosen: Whether it is the one that was asked for.
    """

    threshold: float
    promised: float
    recall: float
    recall_lower_bound: float
    false_positive_rate: float
    precision: float
    chosen: bool

    @property
    def useless(self) -> bool:
        """Whether choosing the class at random would, as far as these cases tell, find it as often."""
        return self.false_positive_rate >= self.recall_lower_bound

    @property
    def plain(self) -> dict[str, float | None]:
        """The attributes by name; null where there are no other cases."""
        return {
            name: value if isinstance(value, bool) else defined(value) for name, value in vars(self).items()
        }


@final
class Trade:
    """Recall against false positives of one class on validation.

    Args:
        promise: The recall that was asked for.
        scores: Probability of the class ``(N,)``.
        own: Whether each case is of the class ``(N,)``.
        weights: Weight of each case ``(N,)``.
    """

    def __init__(self, promise: Promise, scores: np.ndarray, own: np.ndarray, weights: np.ndarray) -> None:
        from scipy.stats import beta

        self._promise = promise
        self._count = int(own.sum())
        # Equal scores are one threshold, and taken together.
        self._thresholds, ties = np.unique(scores[own], return_counts=True)
        below = np.cumsum(ties) - ties
        self._ranks, self._found = below + 1, self._count - below
        self._bounds = np.asarray(beta.ppf(0.05, self._found, below + 1))
        self._own_taken = _taken(self._thresholds, scores[own], weights[own])
        self._others_taken = _taken(self._thresholds, scores[~own], weights[~own])
        self._others = weights[~own].sum()
        self._chosen = int(np.searchsorted(np.cumsum(ties), promise.rank(self._count)))

    @property
    def chosen(self) -> TradedThreshold:
        """The threshold that keeps the promise."""
        return self._at(self._chosen)

    @property
    def around_the_chosen(self) -> list[TradedThreshold]:
        """From low to high thresholds, the chosen one and the first useful one among them."""
        near = {self._chosen + step for step in _STEPS} & set(range(len(self._thresholds)))
        useful = self._first_useful()
        return [self._at(index) for index in sorted(near | (set() if useful is None else {useful}))]

    def warnings(self, class_name: str) -> list[str]:
        """Return what to know before using the chosen threshold, if it is useless; otherwise nothing."""
        chosen, useful = self.chosen, self._first_useful()
        if not chosen.useless:
            return []
        remedy = f"no recall that these cases can promise of {class_name} makes a decision that is better"
        if useful is not None:
            other = self._at(useful)
            remedy = (
                f"ask for a recall of {rounded_down(other.promised):g}, for which {other.false_positive_rate:.1%} are "
                f"taken for {class_name}"
            )
        return [
            f"WARNING: this decision is useless: {chosen.false_positive_rate:.1%} of the cases of other classes are "
            f"taken for {class_name}, and choosing it at random would find as many of its own; {remedy}."
        ]

    def _first_useful(self) -> int | None:
        """The lowest threshold from the chosen one on that is not useless and finds enough to be recommended."""
        rates, bounds = ratio(self._others_taken, self._others), self._bounds
        useful = np.flatnonzero((rates < bounds) & (bounds >= _LOWEST_RECOMMENDED))
        later = useful[useful >= self._chosen]
        return int(later[0]) if len(later) else None

    def _at(self, index: int) -> TradedThreshold:
        own, others = self._own_taken[index], self._others_taken[index]
        return TradedThreshold(
            threshold=float(self._thresholds[index]),
            promised=self._promise.share_at(int(self._ranks[index]), self._count),
            recall=float(self._found[index] / self._count),
            recall_lower_bound=float(self._bounds[index]),
            false_positive_rate=float(ratio(others, self._others)),
            precision=float(ratio(own, own + others)),
            chosen=index == self._chosen,
        )


def _taken(thresholds: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weight of the cases whose scores are at least each threshold."""
    order = np.argsort(scores, kind="stable")
    rest = np.concatenate([np.cumsum(weights[order][::-1])[::-1], [0.0]])
    taken: np.ndarray = rest[np.searchsorted(scores[order], thresholds, side="left")]
    return taken


def rounded_down(share: float) -> float:
    """Return a share to four digits, never more than it is."""
    return float(np.floor(share * 1e4 + 1e-9) / 1e4)
