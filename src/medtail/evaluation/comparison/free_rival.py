"""The free rival of every method: the same run with the prior of its training taken out of its probabilities."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medtail.errors import InputError
from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.naming import nearest
from medtail.operating_point.decisions import MostProbable
from medtail.operating_point.point import OperatingPoint
from medtail.operating_point.prior_shift import PriorShift
from medtail.recipes.recorded_prior import saved_score_prior

_log = logging.getLogger(__name__)

#: Follows the label of the run that was adapted.
ADAPTED = ", adapted"

#: A prior that is this close to uniform leaves nothing to adapt.
_UNIFORM = 1e-6


def check_reference(named: str | None, known: Sequence[str]) -> None:
    """Refuse a reference that is no row; None stands for the usual one.

    Raises:
        InputError: There is no such row.
    """
    if named is not None and named not in known:
        raise InputError(
            f"`reference` must be a row of the table ({'; '.join(known)}), got {named}{nearest(named, known)}"
        )


def with_adapted(judged: Sequence[JudgedRun]) -> list[JudgedRun]:
    """Return runs, followed by each run whose scores stand for unequal class shares, adapted to equal ones.

    This is post-hoc logit adjustment (Menon et al. 2021) of saved predictions: it needs no second training, and reads
    training counts but no label of a judged image.
    """
    return [*judged, *(one for run in judged if (one := _adapted(run)) is not None)]


def _adapted(run: JudgedRun) -> JudgedRun | None:
    """The run at equal class shares; None where its scores stand for these already, or for shares nobody knows."""
    if run.predictions.multi_label:
        # No loss says which shares of a label its probabilities stand for.
        return None
    try:
        prior = saved_score_prior(run.run, run.facts)
    except InputError as error:
        _log.warning(f"{run.run.folder} has no row{ADAPTED}, because its prior is unknown: {error}")
        return None
    uniform = np.full(len(prior), 1 / len(prior))
    if np.allclose(prior, uniform, atol=_UNIFORM):
        return None
    point = OperatingPoint(run.predictions.class_names, MostProbable(), (PriorShift(prior, uniform),))
    return replace(
        run,
        label=run.label + ADAPTED,
        predictions=point.applied_to(run.predictions),
        adapted_from=run.label,
    )
