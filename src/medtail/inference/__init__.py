"""Inference: from finished runs to predictions of new images.

:func:`load` takes a run, several runs or a cross-validation, and returns a :class:`Classifier`.
"""

from typing import TYPE_CHECKING

from medtail.naming import late_names

if TYPE_CHECKING:
    from medtail.inference.classifier import Classifier
    from medtail.inference.combination import COMBINATIONS, Combination, MeanLogProbability, MeanProbability
    from medtail.inference.loading import load
    from medtail.inference.views import TEST_TIME_AUGMENTATIONS
else:
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "classifier": ["Classifier"],
            "combination": ["COMBINATIONS", "Combination", "MeanLogProbability", "MeanProbability"],
            "loading": ["load"],
            "views": ["TEST_TIME_AUGMENTATIONS"],
        },
    )

__all__ = [
    "COMBINATIONS",
    "TEST_TIME_AUGMENTATIONS",
    "Classifier",
    "Combination",
    "MeanLogProbability",
    "MeanProbability",
    "load",
]
