"""Numbers of a run by name: ``balanced_accuracy``, ``recall:nv|0``, ``group:many``, ``separability:few``, …"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from medtail.errors import InputError
from medtail.evaluation.summaries.binary import measure_binary
from medtail.evaluation.summaries.frequency_groups import frequency_groups, group_metrics
from medtail.metrics import METRICS, POSITIVE_CLASS_METRICS, fisher_separability
from medtail.metrics.undefined import UndefinedMetricWarning, mean_over_defined
from medtail.naming import nearest
from medtail.runs.facts import DatasetFacts
from medtail.runs.features import SavedFeatures
from medtail.runs.predictions import Predictions
from medtail.runs.run import EvaluatedSplit, Run

_NAN = float("nan")


@final
@dataclass(frozen=True)
class JudgedSplit:
    """A split of a finished run, ready to be measured.

    Attributes:
        run: The folder.
        split: ``test`` or ``validation``.
    """

    run: Run
    split: EvaluatedSplit = "test"

    @cached_property
    def predictions(self) -> Predictions:
        """Of the split."""
        return Predictions.read(self.run.require(self.run.predictions(self.split)))

    @cached_property
    def facts(self) -> DatasetFacts:
        """Of the data."""
        return DatasetFacts.load(self.run)

    def class_id(self, names: str) -> int | None:
        """Return the class of one of the names ``a|b``, whatever their case; None if there is no such class."""
        own = [name.casefold() for name in self.predictions.class_names]
        return next((own.index(name) for name in names.casefold().split("|") if name in own), None)

    @cached_property
    def separability(self) -> np.ndarray:
        """Fisher separability of each class on the test features (DBM eqs. 12–13)."""
        saved = SavedFeatures.read(self.run)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            return fisher_separability(saved.features, saved.targets, len(self.predictions.class_names))

    def members(self, group: str) -> list[int]:
        """Return the classes with many, a medium number of, or few training images, or all of them."""
        if group == "all":
            return list(range(len(self.predictions.class_names)))
        return frequency_groups(self.facts.training_counts).get(group, [])


def _recall(judged: JudgedSplit, names: str) -> float:
    index = judged.class_id(names)
    return _NAN if index is None else float(judged.predictions.outcomes().recalls[0, index])


def _f1(judged: JudgedSplit, names: str) -> float:
    index = judged.class_id(names)
    return _NAN if index is None else float(judged.predictions.outcomes().f1[0, index])


def _group(judged: JudgedSplit, name: str) -> float:
    groups = group_metrics(judged.predictions.outcomes(), judged.facts.training_counts) or {}
    value = groups.get(name, {}).get("accuracy")
    return _NAN if value is None else float(value)


def _binary(judged: JudgedSplit, name: str) -> float:
    if not judged.predictions.binary:
        return _NAN
    return float(measure_binary(judged.predictions, judged.facts.positive_id)[name][0])


def _separability(judged: JudgedSplit, group: str) -> float:
    members = judged.members(group)
    return float(mean_over_defined(judged.separability[members])) if members else _NAN


_MEASURES: dict[str, Callable[[JudgedSplit, str], float]] = {
    "recall": _recall,
    "f1": _f1,
    "group": _group,
    "binary": _binary,
    "separability": _separability,
}


_OF_A_CLASS = ("recall", "f1")


def check_measure(name: str) -> str:
    """Return the name of a measure, or refuse it.

    Raises:
        InputError: There is none of this name.
    """
    head, colon, rest = name.partition(":")
    known = [*METRICS, *(f"{key}:…" for key in _MEASURES)]
    if (colon and head not in _MEASURES) or (not colon and name not in METRICS):
        raise InputError(f"measure must be one of {', '.join(known)}, got {name!r}{nearest(name, known)}")
    if head == "binary" and rest not in POSITIVE_CLASS_METRICS:
        raise InputError(
            f"measure binary:… must name one of {', '.join(POSITIVE_CLASS_METRICS)}, got {rest!r}"
            f"{nearest(rest, POSITIVE_CLASS_METRICS)}"
        )
    return name


def classes_of(name: str) -> str | None:
    """Return the names of the class that a measure is of; None for a measure of no single class.

    Example:
        >>> classes_of("recall:ak|akiec"), classes_of("accuracy")
        ('ak|akiec', None)
    """
    head, _, rest = name.partition(":")
    return rest if head in _OF_A_CLASS else None


def measure(judged: JudgedSplit, name: str) -> float:
    """Return a number of a run; NaN where it is undefined, or the data have no such class."""
    head, colon, rest = name.partition(":")
    if colon:
        return _MEASURES[head](judged, rest)
    return float(judged.predictions.measure()[name][0])
