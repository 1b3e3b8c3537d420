"""Log-odds: scores that order even the surest samples.

Float32 rounds a probability above 1 - 6e-8 to 1, and float64 one above 1 - 1e-16, so that samples that a model tells
apart become ties. Their log-probabilities still differ.
"""

import numpy as np
from numpy.typing import ArrayLike

from medtail import checks


def log_odds(log_probabilities: ArrayLike) -> np.ndarray:
    r"""Return :math:`\log p_c - \log\sum_{j\ne c} p_j` of each class against the others, finite float64 ``(N, C)``.

    Args:
        log_probabilities: ``(N, C)``, at least two classes; they need not be normalised.

    Example:
        >>> log_odds([[-50.0, 0.0], [-60.0, 0.0]])[:, 1]
        array([50., 60.])
    """
    logs = checks.float64("log_probabilities", log_probabilities)
    rows, top = np.arange(len(logs)), logs.argmax(axis=1)
    highest = logs[rows, top]
    # Against any class but the highest, the sum holds the highest, so that leaving out one share cancels nothing.
    shares = np.exp(logs - highest[:, None])
    others = shares.sum(axis=1, keepdims=True) - shares
    rest = logs.copy()
    rest[rows, top] = -np.inf
    second = np.maximum(rest.max(axis=1), np.finfo(np.float64).min)
    others[rows, top] = np.exp(rest - second[:, None]).sum(axis=1)
    reference = np.repeat(highest[:, None], logs.shape[1], axis=1)
    reference[rows, top] = second
    with np.errstate(divide="ignore"):
        odds: np.ndarray = np.nan_to_num(logs - reference - np.log(others))
    return odds


def label_log_odds(log_probabilities: ArrayLike) -> np.ndarray:
    r"""Return :math:`\log p - \log(1 - p)` of each label by itself, finite float64 ``(N, C)``.

    Example:
        >>> label_log_odds([[-0.6931471805599453, -1e-20]]).round(2) + 0.0
        array([[ 0.  , 46.05]])
    """
    logs = checks.float64("log_probabilities", log_probabilities)
    with np.errstate(divide="ignore"):
        odds: np.ndarray = np.nan_to_num(logs - np.log(-np.expm1(logs)))
    return odds
