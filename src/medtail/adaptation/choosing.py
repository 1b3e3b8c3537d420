"""Choose an operating point on validation, and show what it does to the test split."""

from dataclasses import replace
from typing import Any

import numpy as np

from medtail.adaptation.goals import Cases, Goal, few_cases_note, require_each_class
from medtail.adaptation.request import Request
from medtail.adaptation.run_predictions import Adaptable, RunPredictions
from medtail.evaluation.report.report import write_report
from medtail.evaluation.summaries.json_values import defined
from medtail.metrics.metric import HEADLINE_METRICS
from medtail.operating_point.calibration import CALIBRATIONS
from medtail.operating_point.class_sets import ClassConditionalSets
from medtail.operating_point.decisions import MostProbable
from medtail.operating_point.point import OperatingPoint
from medtail.operating_point.prior_shift import PriorShift, checked_prior
from medtail.operating_point.probability_maps import ProbabilityMap
from medtail.operating_point.promises import ExpectedShare
from medtail.operating_point.saved_values import by_class
from medtail.runs.predictions import Predictions


def choose(outputs: Adaptable, request: Request) -> OperatingPoint:
    """Return the operating point that a request asks for, chosen on validation alone.

    A prior alone is applied without any case, so that a run without validation can be moved to it: to the uniform
    prior, this is post-hoc logit adjustment.

    Args:
        outputs: Predictions of a finished run, or of several together.
        request: What is asked.

    Raises:
        InputError: Validation holds too few cases, or a setting is wrong.
    """
    if request.prior is not None:
        checked_prior("`prior`", request.prior, len(outputs.class_names))
    condition = outputs.condition if request.condition is None else request.condition
    source = outputs.score_prior(condition)
    point = OperatingPoint(
        class_names=outputs.class_names,
        decision=MostProbable(),
        condition=condition,
        run=outputs.name,
        goal={
            **request.goal.plain(outputs.class_names),
            "prior": None if request.prior is None else by_class(request.prior, outputs.class_names),
            "calibrate": request.calibrate,
            "coverage": request.coverage,
        },
    )
    if not outputs.has_validation and request.prior is not None and not request.needs_cases:
        return replace(point, steps=_shift(source, request.prior), notes=(_BY_THE_PRIOR_ALONE,))
    validation = outputs.predictions("validation", condition)
    shares = np.bincount(validation.targets, minlength=len(outputs.class_names)) / len(validation.targets)
    steps, notes = _steps(request, validation, source, shares)
    point = replace(point, steps=steps)
    adapted = point.applied_to(validation)
    weights, weight_notes = _weights(validation, request.prior, shares)
    cases = Cases(adapted, weights, _last_prior(steps, source), outputs.positive)
    decision, decision_notes = request.goal.decision(cases)
    point = replace(point, decision=decision)
    if request.coverage is not None:
        rule = ClassConditionalSets.fit(adapted.targets, adapted.probabilities, request.coverage)
        point = replace(point, set_rule=rule)
        notes += _always_in_sets(adapted, request.coverage)
    notes += _fitted_twice(request)
    before = replace(cases, predictions=outputs.predictions("validation"))
    after = replace(cases, predictions=point.applied_to(validation))
    measured: dict[str, Any] = {
        "n": len(validation.ids),
        "prior": by_class(shares if request.prior is None else request.prior, outputs.class_names),
        "before": _metrics(request.goal, before),
        "after": _metrics(request.goal, after),
    }
    if alternatives := request.goal.alternatives(cases):
        measured["thresholds"] = alternatives
    if point.set_rule is not None:
        measured["mean_set_size"] = float(point.set_rule.contains(adapted.probabilities).sum(axis=1).mean())
    return replace(point, validation=measured, notes=(*notes, *decision_notes, *weight_notes))


def adapt(outputs: RunPredictions, request: Request) -> OperatingPoint:
    """Choose an operating point and write it, the test split at it, and the report with both.

    Writes ``operating_point.json``, ``predictions/test_at_operating_point.parquet`` and ``report.html``.

    Raises:
        InputError: As :func:`choose`. Nothing is written then.
    """
    # Opening images needs torch; choosing an operating point does not.
    from medtail.data.collection_images import own_images

    point = choose(outputs, request)
    run = outputs.run
    point.applied_to(outputs.predictions("test", point.condition)).write(run.operating_point_predictions)
    point.write(run.operating_point)
    write_report(run, own_images(run))
    return point


def _steps(
    request: Request, validation: Predictions, source: np.ndarray, shares: np.ndarray
) -> tuple[tuple[ProbabilityMap, ...], list[str]]:
    if request.calibrate != "none":
        return _calibrated(request, validation, source, shares)
    if request.prior is not None:
        return _shift(source, request.prior), []
    if request.goal.needs_prior:
        require_each_class(validation, "costs, or λ by a metric of ranks, without `prior`")
        return _shift(source, shares), [_AS_IN_VALIDATION]
    return (), [
        "Probabilities are left as the loss gives them: they are moved to the class shares of a place of use only for "
        "a prior, a calibration, costs or λ."
    ]


_BY_THE_PRIOR_ALONE = (
    "The run has no validation split; a prior needs none, because it is applied and not chosen."
)

_AS_IN_VALIDATION = "No prior was given, so classes are assumed to be as frequent as in validation."


def _calibrated(
    request: Request, validation: Predictions, source: np.ndarray, shares: np.ndarray
) -> tuple[tuple[ProbabilityMap, ...], list[str]]:
    """To validation, where the calibration is fitted, and on to the place of use."""
    require_each_class(validation, f"`calibrate={request.calibrate}`")
    shifted = PriorShift(source, shares).apply(validation.probabilities)
    calibration = CALIBRATIONS[request.calibrate].fit(validation.targets, shifted)
    notes = few_cases_note(validation, "the calibration") if request.calibrate == "vector" else []
    if (shifted.argmax(axis=1) == validation.targets).all():
        notes.append(
            "Validation has no mistakes, so it cannot tell how confident to be: the calibration means little."
        )
    steps = (*_shift(source, shares), calibration)
    if request.prior is None:
        return steps, [_AS_IN_VALIDATION, *notes]
    return (*steps, *_shift(shares, request.prior)), notes


def _shift(source: np.ndarray, target: np.ndarray) -> tuple[ProbabilityMap, ...]:
    """From one prior to another; nothing where they are the same."""
    return () if np.allclose(source, target, atol=0, rtol=1e-9) else (PriorShift(source, target),)


def _last_prior(steps: tuple[ProbabilityMap, ...], source: np.ndarray) -> np.ndarray:
    """The prior that probabilities stand for after the steps."""
    targets = [step.target for step in steps if isinstance(step, PriorShift)]
    return targets[-1] if targets else source


def _weights(
    validation: Predictions, prior: np.ndarray | None, shares: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """The weight of each validation case that makes classes as frequent as at the place of use."""
    if prior is None or np.allclose(prior, shares, atol=0, rtol=1e-9):
        return np.ones(len(validation.targets)), []
    names = np.asarray(validation.class_names)
    absent = names[shares == 0]
    notes = ["Validation metrics weight cases so that classes are as frequent as in the prior."]
    if len(absent):
        notes.append(
            f"Validation has no case of {', '.join(absent)}, so its metrics are of the other classes."
        )
    per_class = np.divide(prior, shares, out=np.zeros_like(prior), where=shares > 0)
    return per_class[validation.targets], notes


def _always_in_sets(validation: Predictions, coverage: float) -> list[str]:
    needed = ExpectedShare(coverage).cases_needed
    counts = np.bincount(validation.targets, minlength=len(validation.class_names))
    always = [
        f"{name} ({count})"
        for name, count in zip(validation.class_names, counts, strict=True)
        if count < needed
    ]
    if not always:
        return []
    return [
        f"Every set contains {', '.join(always)}: coverage {coverage:g} needs {needed} validation cases of a class."
    ]


def _fitted_twice(request: Request) -> list[str]:
    promised = [request.goal.promises, None if request.coverage is None else "coverage"]
    named = " and ".join(what for what in promised if what is not None)
    if request.calibrate == "none" or not named:
        return []
    return [
        f"The calibration and the {named} are from the same validation cases, so the latter is slightly optimistic."
    ]


def _metrics(goal: Goal, cases: Cases) -> dict[str, float | None]:
    measured = cases.predictions.measure(cases.weights[:, None])
    values = {name: float(measured[name][0]) for name in HEADLINE_METRICS} | goal.own_metrics(cases)
    return {name: defined(value) for name, value in values.items()}
