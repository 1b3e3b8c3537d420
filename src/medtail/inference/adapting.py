"""An operating point for several runs, or for several views of each image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Self, final

import numpy as np

from medtail.adaptation import Adaptable, Request, RunPredictions, choose
from medtail.errors import InputError
from medtail.inference.combination import Combination, chosen_combination
from medtail.inference.judging import JudgedTogether, judge_own, judge_saved
from medtail.inference.members import check_alike, combination_facts
from medtail.operating_point import OperatingPoint
from medtail.progress import Progress
from medtail.runs.predictions import Predictions
from medtail.runs.run import EvaluatedSplit, Run


@final
class CombinedPredictions(Adaptable):
    """Combined predictions of runs that share their validation split.

    Args:
        runs: Finished runs, at least one.
        combination: How their predictions become one.
        combined: What tells these from others, as :func:`medtail.inference.members.combination_facts` says it.
        judge: Returns the combined predictions of a split.

    Raises:
        InputError: A run is not finished, or it is multi-label.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        combination: Combination,
        combined: Mapping[str, Any],
        judge: Callable[[EvaluatedSplit], JudgedTogether],
    ) -> None:
        self.combined = combined
        self._members = [RunPredictions(run) for run in runs]
        self._combination = combination
        self._judge = cache(judge)
        self.class_names = self._members[0].class_names

    @classmethod
    def of(
        cls,
        runs: Sequence[Run],
        *,
        combine: str | None = None,
        test_time_augmentation: str | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Combine runs, and views if any, as :func:`medtail.inference.load` does.

        Raises:
            InputError: As there.
        """
        if test_time_augmentation is None:
            combination = chosen_combination(combine, several=len(runs) > 1)
            check_alike(runs)
            return cls(
                runs,
                combination,
                combination_facts(runs, combination),
                lambda split: judge_saved(runs, split, combination),
            )
        # Imported here, because saved predictions need no network.
        from medtail.inference.loading import assemble

        classifier = assemble(runs, combine=combine, test_time_augmentation=test_time_augmentation)
        return cls(
            runs,
            classifier.combination,
            classifier.combined or {},
            lambda split: judge_own(classifier, runs, split, progress),
        )

    @property
    def name(self) -> str:
        """The names of the runs."""
        return ", ".join(member.name for member in self._members)

    @property
    def positive(self) -> int:
        """Id of the positive class of two in the first run."""
        return self._members[0].positive

    @property
    def has_validation(self) -> bool:
        """Whether all runs kept images for validation."""
        return all(member.has_validation for member in self._members)

    @property
    def condition(self) -> None:
        """None: each member is read at its own λ, if it has one."""
        return

    def judged(self, split: EvaluatedSplit) -> JudgedTogether:
        """Return the combined predictions of a split.

        Raises:
            InputError: The runs do not share it.
        """
        return self._judge(split)

    def predictions(self, split: EvaluatedSplit, condition: Mapping[str, float] | None = None) -> Predictions:
        """Return the combined predictions of a split.

        Raises:
            InputError: A λ is given, or the runs do not share the split.
        """
        if condition is not None:
            raise InputError("a condition is for one run, got several runs or views; leave it out")
        predictions = self.judged(split).predictions
        assert isinstance(predictions, Predictions)
        return predictions

    def score_prior(self, condition: Mapping[str, float] | None = None) -> np.ndarray:
        """Return the prior ``(C,)`` that the combined probabilities stand for.

        Raises:
            InputError: They stand for none, because those of the members differ.
        """
        priors = [member.score_prior(member.condition) for member in self._members]
        return self._combination.prior(np.stack(priors))


def choose_together(outputs: CombinedPredictions, request: Request) -> OperatingPoint:
    """Return the operating point that a request asks for, chosen on the validation split that all runs share.

    Raises:
        InputError: As :func:`medtail.adaptation.choose`, or as :class:`CombinedPredictions`.
    """
    point = choose(outputs, request)
    return replace(point, goal={**point.goal, "combined": dict(outputs.combined)})
