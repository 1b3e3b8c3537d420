"""One prediction from several: those of the members of an ensemble, and of the views of an image."""

from abc import ABC, abstractmethod
from typing import ClassVar, final

import numpy as np
import pandas as pd

from medtail.checks import choice
from medtail.errors import InputError
from medtail.runs.tasks import Task

#: In place of -inf, whose difference from itself is undefined.
_LOG_OF_ZERO = -1e300


class Combination(ABC):
    """How several predictions of the same images become one; abstract.

    Attributes:
        words: The kind of mean.
    """

    words: ClassVar[str]

    @abstractmethod
    def combine(self, log_probabilities: np.ndarray, task: Task) -> np.ndarray:
        """Return the logarithms of the combined probabilities ``(N, C)``.

        Args:
            log_probabilities: Of E predictions ``(E, N, C)``.
            task: What the probabilities are of: classes, or each label by itself.
        """

    @abstractmethod
    def prior(self, priors: np.ndarray) -> np.ndarray:
        """Return the class shares that the combined probabilities stand for ``(C,)``.

        Args:
            priors: Those that each prediction stands for ``(E, C)``.

        Raises:
            InputError: The combination stands for none.
        """


@final
class MeanProbability(Combination):
    r"""The arithmetic mean, :math:`p_c = \frac{1}{E} \sum_e p_{ec}`, also called soft voting.

    Example:
        >>> from medtail.runs import SingleLabel
        >>> logs = np.log([[[0.9, 0.1]], [[0.5, 0.5]]])
        >>> np.exp(MeanProbability().combine(logs, SingleLabel())).round(3)
        array([[0.7, 0.3]])
    """

    words: ClassVar[str] = "mean"

    def combine(self, log_probabilities: np.ndarray, task: Task) -> np.ndarray:
        """Return log p."""
        combined: np.ndarray = np.logaddexp.reduce(log_probabilities) - np.log(len(log_probabilities))
        return combined

    def prior(self, priors: np.ndarray) -> np.ndarray:
        """Return the prior that all share: a mean over different ones is no posterior of any."""
        if not np.allclose(priors, priors[0], rtol=1e-6):
            raise InputError(
                "runs must give probabilities that stand for the same class shares to choose an operating point on "
                "their mean; combine runs of one method, or take `combine=log-probabilities`"
            )
        first: np.ndarray = priors[0]
        return first


@final
class MeanLogProbability(Combination):
    r"""The geometric mean, :math:`p_c \propto \exp \frac{1}{E} \sum_e \log p_{ec}`.

    It sums to 1 over the classes or, with several labels per image, over presence and absence of each label. A class
    that one member excludes gets little, however sure the others are.

    Example:
        >>> from medtail.runs import SingleLabel
        >>> logs = np.log([[[0.9, 0.1]], [[0.5, 0.5]]])
        >>> np.exp(MeanLogProbability().combine(logs, SingleLabel())).round(3)
        array([[0.75, 0.25]])
    """

    words: ClassVar[str] = "normalised geometric mean"

    def combine(self, log_probabilities: np.ndarray, task: Task) -> np.ndarray:
        """Return log p."""
        means = _distributions(log_probabilities, task).mean(axis=0)
        # First, because a sum of logarithms as low as that of zero is rounded to one of them.
        means -= means.max(axis=-1, keepdims=True)
        sums: np.ndarray = np.logaddexp.reduce(means, axis=-1, keepdims=True)
        return task.log_probabilities_of(means - sums)

    def prior(self, priors: np.ndarray) -> np.ndarray:
        """Return the normalised geometric mean of the priors, by which the posteriors were multiplied."""
        means = np.exp(np.log(priors).mean(axis=0))
        shares: np.ndarray = means / means.sum()
        return shares


#: What is done where nothing else is asked for.
MEAN_PROBABILITY = MeanProbability()

#: What ``combine`` may name.
COMBINATIONS: dict[str, Combination] = {
    "probabilities": MEAN_PROBABILITY,
    "log-probabilities": MeanLogProbability(),
}


def chosen_combination(combine: str | None, several: bool) -> Combination:
    """Return the combination of a name, or the usual one for None.

    Args:
        combine: A key of :data:`COMBINATIONS`.
        several: Whether there are several predictions to combine.

    Raises:
        InputError: The name is unknown, or there is nothing to combine.
    """
    combination = COMBINATIONS[choice("`combine`", combine or "probabilities", COMBINATIONS)]
    if combine is not None and not several:
        raise InputError(
            f"`combine={combine}` says how several runs or views are combined, got one run; give more runs, or "
            f"`test_time_augmentation`"
        )
    return combination


def disagreement(log_probabilities: np.ndarray, task: Task, class_names: tuple[str, ...]) -> pd.DataFrame:
    r"""Return how far several predictions of the same images differ.

    The mutual information between the outcome and the choice of the prediction is
    :math:`I = H(\bar p) - \frac{1}{E} \sum_e H(p_e)`, where :math:`H` is the entropy in nats and :math:`\bar p` the
    mean probability. It is 0 where all agree, and at most log C and log E. It is the part of the uncertainty
    :math:`H(\bar p)` that comes from the model (epistemic); the rest is the uncertainty of each prediction.

    Args:
        log_probabilities: Of E predictions, two or more ``(E, N, C)``.
        task: What the probabilities are of.
        class_names: C names in class-id order.

    Returns:
        ``mutual_information`` (with several labels per image ``mutual_information_<class>``, of each label by itself)
        and ``standard_deviation_<class>`` of the probabilities, with n - 1; one row per image.

    Source: Depeweg et al., "Decomposition of uncertainty in Bayesian deep learning", ICML 2018.

    Example:
        >>> from medtail.runs import SingleLabel
        >>> opposite = np.log([[[0.99, 0.01]], [[0.01, 0.99]]])
        >>> disagreement(opposite, SingleLabel(), ("nevus", "melanoma")).round(3).to_numpy()
        array([[0.637, 0.693, 0.693]])
    """
    mean = MEAN_PROBABILITY.combine(log_probabilities, task)
    total = _entropy(_distributions(mean, task))
    own = _entropy(_distributions(log_probabilities, task)).mean(axis=0)
    information = pd.DataFrame(
        np.maximum(total - own, 0.0), columns=task.columns("mutual_information", class_names)
    )
    deviations = np.exp(log_probabilities).std(axis=0, ddof=1)
    columns = [f"standard_deviation_{name}" for name in class_names]
    return pd.concat([information, pd.DataFrame(deviations, columns=columns)], axis=1)


def _distributions(log_probabilities: np.ndarray, task: Task) -> np.ndarray:
    distributions: np.ndarray = np.maximum(task.log_distributions(log_probabilities), _LOG_OF_ZERO)
    return distributions


def _entropy(log_distributions: np.ndarray) -> np.ndarray:
    entropy: np.ndarray = -(np.exp(log_distributions) * log_distributions).sum(axis=-1)
    return entropy
