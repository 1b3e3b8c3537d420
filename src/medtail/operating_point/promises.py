"""Thresholds that keep a promise on new cases, from the order of validation scores.

The scores of n validation cases of a class and of a new case of that class are exchangeable, so the new one is
equally likely to take any of n + 1 ranks. That alone, without a model of the scores, says how many fall below the
k-th smallest.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from medtail.errors import InputError

#: Keeps (n + 1)(1 - r) from falling below a whole number by the rounding of r.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Promise(ABC):
    """What share of new cases of a class will score at least the threshold; abstract.

    Attributes:
        share: The share r that is promised, in (0, 1).
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(
                f"a promised share must lie between 0 and 1, got {self.share:g}; 0.95 is usual, and 1 cannot be "
                f"promised from a sample"
            )

    @abstractmethod
    def plain(self) -> dict[str, str | float]:
        """Return ``promised``, what is promised of the share, and what belongs to that, for a file."""

    @abstractmethod
    def rank(self, cases: int) -> int:
        """Return the largest k for which the k-th smallest of ``cases`` scores keeps the promise, or 0."""

    @property
    @abstractmethod
    def cases_needed(self) -> int:
        """The smallest number of cases from which the promise can be made."""

    @abstractmethod
    def share_at(self, rank: int, cases: int) -> float:
        """Return the highest share that the ``rank``-th smallest of ``cases`` scores promises."""

    @final
    def highest_share(self, cases: int) -> float:
        """Return the highest share that can be promised from this many cases."""
        return self.share_at(1, cases) if cases else 0.0

    def threshold(self, scores: np.ndarray) -> float | None:
        """Return the threshold for scores ``(n,)`` of one class, which is chosen where its score is at least that.

        It is None where there are too few cases. Tied scores are treated alike, which can only raise the share.
        """
        rank = self.rank(len(scores))
        return float(np.partition(scores, rank - 1)[rank - 1]) if rank else None


@final
@dataclass(frozen=True)
class ExpectedShare(Promise):
    """On average over validation samples and new cases, at least r.

    The k-th smallest score with k = ⌊(n + 1)(1 - r)⌋: split conformal prediction (Vovk et al. 2005; Lei et al. 2018).

    Example:
        >>> ExpectedShare(0.9).rank(99), ExpectedShare(0.9).cases_needed, round(ExpectedShare(0.9).highest_share(4), 3)
        (10, 9, 0.8)
    """

    def plain(self) -> dict[str, str | float]:
        """Return ``promised``."""
        return {"promised": "on_average"}

    def rank(self, cases: int) -> int:
        """Return ⌊(n + 1)(1 - r)⌋."""
        return math.floor((cases + 1) * (1 - self.share) + _ROUNDING)

    @property
    def cases_needed(self) -> int:
        """⌈r / (1 - r)⌉."""
        return math.ceil(self.share / (1 - self.share) - _ROUNDING)

    def share_at(self, rank: int, cases: int) -> float:
        """Return 1 - k / (n + 1)."""
        return 1 - rank / (cases + 1)


@final
@dataclass(frozen=True)
class ConfidentShare(Promise):
    """With a stated confidence over validation samples, at least r of all new cases.

    The largest k with P(Binomial(n, 1 - r) ≥ k) ≥ confidence: a one-sided tolerance bound (Wilks 1941).

    Attributes:
        confidence: In (0, 1); 0.95 is usual.

    Example:
        >>> promise = ConfidentShare(0.95, confidence=0.95)
        >>> promise.rank(58), promise.rank(59), promise.cases_needed, round(promise.highest_share(30), 3)
        (0, 1, 59, 0.905)
    """

    confidence: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.confidence < 1:
            raise InputError(f"confidence must lie between 0 and 1, got {self.confidence:g}; 0.95 is usual")

    def plain(self) -> dict[str, str | float]:
        """Return ``promised`` and ``confidence``."""
        return {"promised": "with_confidence", "confidence": self.confidence}

    def rank(self, cases: int) -> int:
        """Return the largest k that keeps the promise."""
        from scipy.stats import binom

        ranks = np.arange(1, cases + 1)
        return int((binom.sf(ranks - 1, cases, 1 - self.share) >= self.confidence).sum())

    @property
    def cases_needed(self) -> int:
        """⌈log(1 - confidence) / log r⌉."""
        return math.ceil(math.log(1 - self.confidence) / math.log(self.share) - _ROUNDING)

    def share_at(self, rank: int, cases: int) -> float:
        """Return 1 - q, where P(Beta(k, n - k + 1) ≤ q) is the confidence; (1 - confidence)^{1/n} for k = 1."""
        from scipy.stats import beta

        return float(1 - beta.ppf(self.confidence, rank, cases - rank + 1))
