"""An operating point: everything that turns the probabilities of a run into decisions where the model is used."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from medtail import __version__
from medtail.errors import InputError
from medtail.files import write_json
from medtail.operating_point.calibration import TemperatureScaling, VectorScaling
from medtail.operating_point.class_sets import ClassConditionalSets
from medtail.operating_point.decisions import (
    ClassThreshold,
    ClassWeights,
    Decision,
    MinimumCost,
    MostProbable,
)
from medtail.operating_point.prior_shift import PriorShift
from medtail.operating_point.probability_maps import ProbabilityMap
from medtail.operating_point.saved_values import Fields
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import Predictions, SavedPredictions
from medtail.runs.run import Run
from medtail.runs.stored_files import decode_json

#: Format of the file.
FORMAT = 1

_MAPS: dict[str, type[ProbabilityMap]] = {
    "prior_shift": PriorShift,
    "temperature_scaling": TemperatureScaling,
    "vector_scaling": VectorScaling,
}

_DECISIONS: dict[str, type[Decision]] = {
    "most_probable": MostProbable,
    "minimum_cost": MinimumCost,
    "class_threshold": ClassThreshold,
    "class_weights": ClassWeights,
}

_SETS: dict[str, type[ClassConditionalSets]] = {"class_conditional": ClassConditionalSets}


@final
@dataclass(frozen=True)
class OperatingPoint:
    """What happens to saved probabilities before they are acted on, and how that was chosen.

    Attributes:
        class_names: C names in class-id order.
        decision: From probabilities to one class per image.
        steps: From saved probabilities to those where the model is used, in order.
        set_rule: From probabilities to a set of classes per image; None where no coverage was asked for.
        condition: λ at which a loss-conditional run gives these probabilities; None where there is no λ.
        run: The name of the run's folder.
        goal: What was asked for, in plain values.
        validation: Metrics on validation before and after, in plain values.
        notes: What to know before using it, one sentence each.

    Example:
        >>> point = OperatingPoint(
        ...     class_names=("nevus", "melanoma"),
        ...     steps=(PriorShift([0.5, 0.5], [0.99, 0.01]),),
        ...     decision=MinimumCost([[0, 1], [50, 0]]),
        ... )
        >>> point.apply(np.array([[0.2, 0.8]])).round(3)
        array([[0.961, 0.039]])
        >>> point.decide(np.array([[0.2, 0.8]]))
        array([1])
    """

    class_names: tuple[str, ...]
    decision: Decision
    steps: tuple[ProbabilityMap, ...] = ()
    set_rule: ClassConditionalSets | None = None
    condition: Mapping[str, float] | None = None
    run: str = ""
    goal: Mapping[str, Any] = field(default_factory=dict)
    validation: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the probabilities where the model is used ``(N, C)``, from those the run gives ``(N, C)``.

        Raises:
            InputError: There is not one column per class.
        """
        if probabilities.ndim != 2 or probabilities.shape[1] != len(self.class_names):
            raise InputError(
                f"probabilities must have a column for each of {', '.join(self.class_names)}, "
                f"got shape {probabilities.shape}"
            )
        adapted = np.asarray(probabilities, dtype=np.float64)
        for step in self.steps:
            adapted = step.apply(adapted)
        return adapted

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return class ids ``(N,)`` for the probabilities the run gives ``(N, C)``."""
        return self.decision.decide(self.apply(probabilities))

    def sets(self, probabilities: np.ndarray) -> np.ndarray:
        """Return whether each class is in the set of each image ``(N, C)``, for the probabilities the run gives.

        Raises:
            InputError: It was chosen without a coverage.
        """
        if self.set_rule is None:
            raise InputError(
                "this operating point has no sets; choose it again with `adapt()` and `coverage=0.9`"
            )
        return self.set_rule.contains(self.apply(probabilities))

    def applied_to(self, predictions: SavedPredictions) -> Predictions:
        """Return the predictions that the run gives at ``condition`` with adapted probabilities and decisions.

        Raises:
            InputError: They are multi-label, or of other classes.
        """
        if not isinstance(predictions, Predictions):
            raise InputError(
                "an operating point is for single-label predictions, got multi-label predictions"
            )
        return replace(
            predictions,
            probabilities=self.apply(predictions.probabilities),
            log_probabilities=self._adapted_logs(predictions.log_probabilities),
            decided=self.decide(predictions.probabilities),
        )

    def _adapted_logs(self, logs: np.ndarray | None) -> np.ndarray | None:
        if logs is None:
            return None
        for step in self.steps:
            logs = step.apply_to_logs(logs)
        return logs

    def set_names(self, probabilities: np.ndarray) -> list[str]:
        """Return the names in each set, joined by ``|``; empty for an empty set."""
        return [
            "|".join(name for name, member in zip(self.class_names, row, strict=True) if member)
            for row in self.sets(probabilities)
        ]

    @property
    def words(self) -> list[str]:
        """What happens to the probabilities, one sentence per part."""
        condition = {} if self.condition is None else self.condition
        sets = [] if self.set_rule is None else [self.set_rule]
        parts: list[ProbabilityMap | Decision | ClassConditionalSets] = [*self.steps, self.decision, *sets]
        read_at = ", ".join(f"{name} = {value:g}" for name, value in condition.items())
        return [
            *([f"Read the run at {read_at}."] if condition else []),
            *(part.words(self.class_names) for part in parts),
        ]

    def write(self, path: Path) -> None:
        """Write ``operating_point.json`` in one step."""
        write_json(path, self.plain())

    def plain(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {
            "format": FORMAT,
            "medtail": __version__,
            "run": self.run,
            "goal": dict(self.goal),
            "chosen_on": "validation" if self.validation else None,
            "class_names": list(self.class_names),
            "condition": None if self.condition is None else dict(self.condition),
            "steps": [self._named(_MAPS, step) for step in self.steps],
            "decision": self._named(_DECISIONS, self.decision),
            "sets": None if self.set_rule is None else self._named(_SETS, self.set_rule),
            "validation": dict(self.validation),
            "notes": list(self.notes),
        }

    def _named(
        self, names: Mapping[str, type], part: ProbabilityMap | Decision | ClassConditionalSets
    ) -> dict[str, Any]:
        name = next(name for name, kind in names.items() if kind is type(part))
        return {"name": name, **part.settings(self.class_names)}

    @classmethod
    def of(cls, run: Run) -> "OperatingPoint":
        """Read the operating point of a run.

        Raises:
            InputError: As :meth:`read`, or the folder is not a run.
        """
        return cls.read(run.operating_point, tuple(DatasetFacts.load(run).class_names))

    @classmethod
    def read(cls, path: Path, class_names: tuple[str, ...]) -> "OperatingPoint":
        """Read what :meth:`write` wrote.

        Args:
            path: The file.
            class_names: Classes of the run it is used with, in class-id order.

        Raises:
            InputError: The file is missing, is not JSON, has another format, is for other classes, or has a missing
                or wrong value.
        """
        if not path.is_file():
            raise InputError(f"{path} does not exist; choose an operating point with `adapt()`")
        content = decode_json(path, "write it again with `adapt()`")
        fields = Fields(str(path), content, class_names)
        if fields.take("format") != FORMAT:
            raise InputError(
                f"{path} must have format {FORMAT}, got {content['format']!r}; write it again with `adapt()`, or "
                f"read it with the version of medtail that wrote it"
            )
        names = fields.texts("class_names")
        if names != class_names:
            raise InputError(
                f"{path} must be for the classes of the run in its order ({', '.join(class_names)}), "
                f"got {', '.join(names)}; write it again with `adapt()`"
            )
        return cls(
            class_names=class_names,
            decision=_read(_DECISIONS, fields.part("decision")),
            steps=tuple(_read(_MAPS, part) for part in fields.parts("steps")),
            set_rule=None if fields.take("sets") is None else _read(_SETS, fields.part("sets")),
            condition=None if fields.take("condition") is None else fields.part("condition").numbers(),
            run=str(fields.take("run")),
            goal=dict(fields.part("goal").values),
            validation=dict(fields.part("validation").values),
            notes=fields.texts("notes"),
        )


def _read(kinds: Mapping[str, Any], fields: Fields) -> Any:
    name = fields.take("name")
    if name not in kinds:
        raise InputError(f"{fields.place}.name must be one of {', '.join(kinds)}, got {name!r}")
    try:
        return kinds[name].read(fields)
    except InputError as error:
        if str(error).startswith(fields.place):
            raise
        raise InputError(f"{fields.place}: {error}") from error
