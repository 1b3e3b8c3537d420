"""How often 95 % intervals from few groups cover the true balanced accuracy: a simulation, as a table.

    PYTHONPATH=tests python tests/references/coverage.py

prints the table of docs/metrics.md; a slow test compares them. Of eight classes the commonest has images in every
group (a patient, a smear), the rarest in a tenth of them, one to nine in each. The recalls of a group differ from those
of the classes by one normal deviate of 0.8 on the logit scale.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

CLASSES = 8
RECALLS = np.linspace(0.9, 0.45, CLASSES)
DEVIATION = 0.8
GROUPS = (15, 30, 100)
RESAMPLES = 500
CONFIDENCE = 0.95

_TAIL = (1 - CONFIDENCE) / 2


@dataclass(frozen=True)
class Sample:
    """Decisions on a test set, counted by group.

    Attributes:
        hits: Images decided correctly ``(G, C)``.
        images: Images of each class ``(G, C)``.
    """

    hits: np.ndarray
    images: np.ndarray

    def balanced_accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Mean recall of the classes that have images ``(R,)``, for weights of the groups ``(R, G)``."""
        with np.errstate(invalid="ignore"):
            return np.nanmean((weights @ self.hits) / (weights @ self.images), axis=1)

    def balanced_accuracy_of_columns(self, weights: np.ndarray) -> np.ndarray:
        """The same for weights ``(G, R)``, as :func:`medtail.metrics.bootstrap` passes them."""
        return self.balanced_accuracy(weights.T)

    def standard_error(self, weights: np.ndarray) -> np.ndarray:
        """Standard error of :meth:`balanced_accuracy` ``(R,)``, linearised."""
        hits, images = weights @ self.hits, weights @ self.images
        with np.errstate(invalid="ignore", divide="ignore"):
            influence = (self.hits - (hits / images)[:, None] * self.images) / images[:, None]
        present = (images > 0).sum(axis=1)[:, None]
        return np.sqrt((weights * (np.nansum(influence, axis=2) / present) ** 2).sum(axis=1))


def groups_per_class(groups: int) -> np.ndarray:
    """How many groups hold images of each class ``(C,)``: from all of them to a tenth, and at least one."""
    return np.maximum(1, np.rint(groups * np.geomspace(1, 0.1, CLASSES))).astype(int)


def true_balanced_accuracy() -> float:
    """Mean over classes of the expected recall in a new group."""
    deviates = np.linspace(-8, 8, 4001)
    density = norm.pdf(deviates)
    expected = (expit(logit(RECALLS)[:, None] + DEVIATION * deviates) * density).sum(axis=1) / density.sum()
    return float(expected.mean())


def draw(groups: int, generator: np.random.Generator) -> Sample:
    """Draw a test set."""
    images = np.zeros((groups, CLASSES), dtype=int)
    for index, holding in enumerate(groups_per_class(groups)):
        chosen = generator.choice(groups, holding, replace=False)
        images[chosen, index] = generator.integers(1, 10, holding)
    deviates = DEVIATION * generator.normal(size=(groups, 1))
    return Sample(generator.binomial(images, expit(logit(RECALLS) + deviates)), images)


def _drawn(sample: Sample, generator: np.random.Generator) -> np.ndarray:
    size = len(sample.hits)
    return generator.multinomial(size, np.full(size, 1 / size), size=RESAMPLES).astype(float)


def percentile(sample: Sample, generator: np.random.Generator) -> tuple[float, float]:
    """The interval of this package: a resample that loses a class leaves it out of the mean."""
    values = sample.balanced_accuracy(_drawn(sample, generator))
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def bayesian(sample: Sample, generator: np.random.Generator) -> tuple[float, float]:
    """Random weights of all groups, so that no class is ever lost."""
    weights = generator.dirichlet(np.ones(len(sample.hits)), size=RESAMPLES)
    low, high = np.quantile(sample.balanced_accuracy(weights), [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def bias_corrected(sample: Sample, generator: np.random.Generator) -> tuple[float, float]:
    """BCa: percentiles moved by the bias of the median and by the skewness of the jackknife."""
    groups = len(sample.hits)
    values = sample.balanced_accuracy(_drawn(sample, generator))
    estimate = sample.balanced_accuracy(np.ones((1, groups)))[0]
    below = ((values < estimate).mean() + (values <= estimate).mean()) / 2
    bias = norm.ppf(np.clip(below, 1 / RESAMPLES, 1 - 1 / RESAMPLES))
    left_out = sample.balanced_accuracy(np.ones((groups, groups)) - np.eye(groups))
    distances = left_out.mean() - left_out
    acceleration = (distances**3).sum() / (6 * (distances**2).sum() ** 1.5 + 1e-12)
    ends = bias + norm.ppf([_TAIL, 1 - _TAIL])
    low, high = np.quantile(values, norm.cdf(bias + ends / (1 - acceleration * ends)))
    return float(low), float(high)


def studentised(sample: Sample, generator: np.random.Generator) -> tuple[float, float]:
    """Bootstrap-t: quantiles of the deviation in standard errors of each resample."""
    weights = _drawn(sample, generator)
    whole = np.ones((1, len(sample.hits)))
    estimate, error = sample.balanced_accuracy(whole)[0], sample.standard_error(whole)[0]
    errors = sample.standard_error(weights)
    pivots = (sample.balanced_accuracy(weights) - estimate) / np.maximum(errors, 1e-3)
    low, high = np.quantile(pivots, [_TAIL, 1 - _TAIL])
    return float(estimate - high * error), float(estimate - low * error)


INTERVALS: dict[str, Callable[[Sample, np.random.Generator], tuple[float, float]]] = {
    "percentile": percentile,
    "BCa": bias_corrected,
    "studentised": studentised,
    "Bayesian": bayesian,
}


def coverage(groups: int, repetitions: int) -> dict[str, tuple[float, float]]:
    """Share of test sets whose interval covers the truth, and mean width, by method."""
    truth = true_balanced_accuracy()
    generator = np.random.default_rng(groups)
    ends: dict[str, list[tuple[float, float]]] = {name: [] for name in INTERVALS}
    for _ in range(repetitions):
        sample = draw(groups, generator)
        for name, interval in INTERVALS.items():
            ends[name].append(interval(sample, generator))
    table = {name: np.array(values) for name, values in ends.items()}
    return {
        name: (
            float(((values[:, 0] <= truth) & (truth <= values[:, 1])).mean()),
            float((values[:, 1] - values[:, 0]).mean()),
        )
        for name, values in table.items()
    }


def table(repetitions: int = 1000) -> str:
    """Return the table as Markdown: coverage in percent, and mean width."""
    lines = [
        f"| groups | {' | '.join(INTERVALS)} |",
        f"| ---: |{' ---: |' * len(INTERVALS)}",
    ]
    for groups in GROUPS:
        cells = [
            f"{100 * share:.0f} % ({width:.2f})" for share, width in coverage(groups, repetitions).values()
        ]
        lines.append(f"| {groups} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
