"""Class weights with the highest balanced accuracy on validation that a climb finds."""

from collections.abc import Iterable

import numpy as np

from medtail.operating_point.decisions import ClassWeights
from medtail.operating_point.probability_maps import SMALLEST

#: Smaller gains are rounding errors.
_GAIN = 1e-12


def balanced_weights(
    targets: np.ndarray, probabilities: np.ndarray, starts: Iterable[np.ndarray]
) -> ClassWeights:
    """Climb the balanced accuracy of argmax_c w_c p_c, one weight at a time, from several starts; keep the best.

    Args:
        targets: Class ids ``(N,)``; every class occurs.
        probabilities: ``(N, C)``.
        starts: Weights ``(C,)`` to start from.

    Each step is exact: the balanced accuracy is a step function of one weight, and its N jumps are known. The climb
    ends where no single weight can gain; the global maximum, which is NP-hard to find, may be higher.
    """
    share = 1 / np.bincount(targets, minlength=probabilities.shape[1])[targets] / probabilities.shape[1]
    logs = np.log(np.maximum(probabilities, SMALLEST))
    climbs = [_climbed(targets, logs, share, np.log(start)) for start in starts]
    weights, _ = max(climbs, key=lambda climb: climb[1])
    return ClassWeights(np.exp(weights - weights.mean()))


def _climbed(
    targets: np.ndarray, logs: np.ndarray, share: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, float]:
    """Log-weights none of which can gain alone, and the balanced accuracy there."""
    weights = np.array(weights, dtype=np.float64)
    reached = float(share[(weights + logs).argmax(axis=1) == targets].sum())
    gained = True
    while gained:
        gained = False
        for index in range(len(weights)):
            weight, value = _best_weight(index, targets, logs, share, weights)
            if value > reached + _GAIN:
                weights[index], reached, gained = weight, value, True
    return weights, reached


def _best_weight(
    index: int, targets: np.ndarray, logs: np.ndarray, share: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """The best log-weight of one class, with the others fixed, and the balanced accuracy with it.

    The class is chosen for sample i where its log-weight exceeds r_i, the lead of the best other class.
    """
    scores = weights + logs
    scores[:, index] = -np.inf
    leads = scores.max(axis=1) - logs[:, index]
    right_otherwise = scores.argmax(axis=1) == targets
    order = np.argsort(leads, kind="stable")
    gains = np.where(targets == index, share, -share * right_otherwise)[order]
    values = share[right_otherwise].sum() + np.concatenate([[0.0], np.cumsum(gains)])
    places = leads[order]
    # No weight lies between equal leads: only the last of them can be passed.
    possible = np.concatenate([[True], places[1:] > places[:-1], [True]])
    values = np.where(possible, values, -np.inf)
    best = int(values.argmax())
    low = places[best - 1] if best else places[0] - 2.0
    high = places[best] if best < len(places) else places[-1] + 2.0
    return float((low + high) / 2), float(values[best])
