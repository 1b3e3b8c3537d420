"""Choose an operating point on validation, and tell what it does to test."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from medtail.evaluation.json_values import defined
from medtail.evaluation.predictions import Predictions
from medtail.evaluation.report import write_report
from medtail.evaluation.summary import measure
from medtail.operating_point.calibration import CALIBRATIONS, TemperatureScaling
from medtail.operating_point.class_sets import ClassConditionalSets
from medtail.operating_point.decisions import MostProbable
from medtail.operating_point.fields import by_class
from medtail.operating_point.goals import Cases, Goal, few_cases_note, require_each_class
from medtail.operating_point.outputs import RunOutputs
from medtail.operating_point.point import OperatingPoint
from medtail.operating_point.prior_shift import PriorShift
from medtail.operating_point.promises import ExpectedShare
from medtail.operating_point.steps import Step
from medtail.training.prepare import own_images

#: The figures told of every operating point, before and after.
_FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "auc",
    "average_precision",
    "brier",
    "ece",
)


@final
@dataclass(frozen=True)
class Request:
    """What is asked of an operating point.

    Attributes:
        goal: What to decide by.
        prior: Shares of the classes at the place of use ``(C,)``; None where they are as in validation, or do not
            matter.
        calibration: ``"temperature"``, ``"vector"``, or None.
        coverage: Of each class by sets, in (0, 1), or None for no sets.
        condition: λ to read the run at, or None for its default.
    """

    goal: Goal
    prior: np.ndarray | None = None
    calibration: str | None = None
    coverage: float | None = None
    condition: Mapping[str, float] | None = None


def choose(outputs: RunOutputs, request: Request) -> OperatingPoint:
    """Return the operating point that a request asks for, chosen on validation alone.

    Args:
        outputs: Of a finished run.
        request: What is asked.

    Raises:
        InputError: Validation holds too few cases, or a setting is wrong.
    """
    condition = outputs.condition if request.condition is None else request.condition
    validation = outputs.predictions("validation", condition)
    shares = np.bincount(validation.targets, minlength=len(outputs.class_names)) / len(validation.targets)
    source = outputs.score_prior(condition)
    steps, notes = _steps(request, validation, source, shares)
    point = OperatingPoint(
        class_names=outputs.class_names,
        decision=MostProbable(),
        steps=steps,
        condition=condition,
        run=outputs.run.folder.resolve().name,
        goal={
            **request.goal.plain(outputs.class_names),
            "prior": None if request.prior is None else by_class(request.prior, outputs.class_names),
            "calibrate": request.calibration or "none",
            "coverage": request.coverage,
        },
    )
    adapted = point.applied_to(validation)
    weights, weight_notes = _weights(validation, request.prior, shares)
    cases = Cases(adapted, weights, _last_prior(steps, source), outputs.positive)
    decision, decision_notes = request.goal.decision(cases)
    point = replace(point, decision=decision)
    if request.coverage is not None:
        rule = ClassConditionalSets.fit(adapted.targets, adapted.probabilities, request.coverage)
        point = replace(point, set_rule=rule)
        notes += _set_notes(adapted, request)
    before = replace(cases, predictions=outputs.predictions("validation"))
    after = replace(cases, predictions=point.applied_to(validation))
    figures: dict[str, Any] = {
        "n": len(validation.ids),
        "prior": by_class(shares if request.prior is None else request.prior, outputs.class_names),
        "before": _figures(request.goal, before),
        "after": _figures(request.goal, after),
    }
    if point.set_rule is not None:
        figures["mean_set_size"] = float(point.set_rule.contains(adapted.probabilities).sum(axis=1).mean())
    return replace(point, validation=figures, notes=(*notes, *decision_notes, *weight_notes))


def adapt(outputs: RunOutputs, request: Request) -> OperatingPoint:
    """Choose an operating point and write it, the test split at it, and the report with both.

    Writes ``operating_point.json``, ``predictions/test_at_operating_point.parquet`` and ``report.html``.

    Raises:
        InputError: As :func:`choose`. Nothing is written then.
    """
    point = choose(outputs, request)
    run = outputs.run
    point.applied_to(outputs.predictions("test", point.condition)).write(run.operating_point_predictions)
    point.write(run.operating_point)
    write_report(run, own_images(run))
    return point


def _steps(
    request: Request, validation: Predictions, source: np.ndarray, shares: np.ndarray
) -> tuple[tuple[Step, ...], list[str]]:
    if request.calibration is not None:
        return _calibrated(request, request.calibration, validation, source, shares)
    if request.prior is not None:
        return (PriorShift(source, request.prior),), []
    if request.goal.needs_mix:
        require_each_class(validation, "a goal without --prior")
        return (PriorShift(source, shares),), [_AS_IN_VALIDATION]
    return (), [
        "Probabilities are as the loss reads them: without --prior, --calibrate or --costs they are not moved to any "
        "mix of classes."
    ]


_AS_IN_VALIDATION = "No --prior was given: classes are taken to come as often as in validation."


def _calibrated(
    request: Request, name: str, validation: Predictions, source: np.ndarray, shares: np.ndarray
) -> tuple[tuple[Step, ...], list[str]]:
    """To validation, where the calibration is fitted, and on to the place of use."""
    require_each_class(validation, f"--calibrate {name}")
    shift = PriorShift(source, shares)
    shifted = shift.apply(validation.probabilities)
    calibration = CALIBRATIONS[name].fit(validation.targets, shifted)
    notes = few_cases_note(validation, "the calibration") if name == "vector" else []
    if isinstance(calibration, TemperatureScaling) and calibration.at_its_end:
        notes.append(
            f"The temperature {calibration.temperature:g} is the end of its range: validation has too few mistakes to "
            f"tell it."
        )
    if request.prior is None:
        return (shift, calibration), [_AS_IN_VALIDATION, *notes]
    if np.allclose(request.prior, shares, atol=0, rtol=1e-9):
        return (shift, calibration), notes
    return (shift, calibration, PriorShift(shares, request.prior)), notes


def _last_prior(steps: tuple[Step, ...], source: np.ndarray) -> np.ndarray:
    """The prior that probabilities stand for after the steps."""
    targets = [step.target for step in steps if isinstance(step, PriorShift)]
    return targets[-1] if targets else source


def _weights(
    validation: Predictions, prior: np.ndarray | None, shares: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """How much each validation case counts for classes to be as frequent as at the place of use."""
    if prior is None:
        return np.ones(len(validation.targets)), []
    names = np.asarray(validation.class_names)
    absent = names[shares == 0]
    notes = ["Validation figures count each case so that classes are as frequent as in --prior."]
    if len(absent):
        notes.append(f"Validation has no case of {', '.join(absent)}, so its figures are of the others.")
    per_class = np.divide(prior, shares, out=np.zeros_like(prior), where=shares > 0)
    return per_class[validation.targets], notes


def _set_notes(validation: Predictions, request: Request) -> list[str]:
    assert request.coverage is not None
    needed = ExpectedShare(request.coverage).cases_needed
    counts = np.bincount(validation.targets, minlength=len(validation.class_names))
    always = [
        f"{name} ({count})"
        for name, count in zip(validation.class_names, counts, strict=True)
        if count < needed
    ]
    notes = []
    if always:
        notes.append(
            f"Every set holds {', '.join(always)}: coverage {request.coverage:g} of a class needs {needed} validation "
            f"cases of it."
        )
    if request.calibration is not None:
        notes.append(
            "Calibration and sets are fitted to the same validation cases, so the coverage is slightly optimistic."
        )
    return notes


def _figures(goal: Goal, cases: Cases) -> dict[str, float | None]:
    measured = measure(cases.predictions, cases.weights[:, None])
    figures = {name: float(measured[name][0]) for name in _FIGURES} | goal.figures(cases)
    return {name: defined(value) for name, value in figures.items()}
