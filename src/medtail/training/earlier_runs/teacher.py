"""The teacher of a run: another run, frozen."""

import logging
from pathlib import Path

from torch import nn

from medtail.data.transforms import Normalize
from medtail.errors import InputError
from medtail.methods import Teacher
from medtail.recipes.schema import Recipe
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.training.inference.trained_model import TrainedModel

_log = logging.getLogger(__name__)


def load_teacher(recipe: Recipe, facts: DatasetFacts) -> Teacher | None:
    """Return the trained model that the recipe's method learns from; None if it names none.

    Args:
        recipe: Of the student.
        facts: Of its data.

    Raises:
        InputError: The teacher is not a finished run, has other classes, or takes other images.

    A teacher that saw other images or splits may know images that the student is tested on, which is logged.
    """
    if recipe.method.teacher_run is None:
        return None
    run = Run(Path(recipe.method.teacher_run))
    if not run.folder.is_dir():
        raise InputError(
            f"`teacher` must be the folder of a finished run, {run.folder} does not exist; train one first"
        )
    model = TrainedModel.load(run)
    _check_teaches(model, facts, run)
    if model.facts.fingerprint != facts.fingerprint:
        _log.warning(
            "the teacher in %s saw other images or splits than this run: it may know images of the test split",
            run.folder,
        )
    return Teacher(model.method, _between(facts, model))


def _check_teaches(model: TrainedModel, facts: DatasetFacts, run: Run) -> None:
    if model.facts.class_names != facts.class_names:
        raise InputError(
            f"`teacher` must have the classes of the data, {', '.join(facts.class_names)}, the run in {run.folder} "
            f"has {', '.join(model.facts.class_names)}; train a teacher on these data"
        )
    own = (facts.image_size, facts.channels, facts.dimensions)
    theirs = (model.facts.image_size, model.facts.channels, model.facts.dimensions)
    if own != theirs:
        raise InputError(
            f"`teacher` must take images of {own[0]} pixels and {own[1]} channels in {own[2]}D, the run in "
            f"{run.folder} takes {theirs[0]} pixels and {theirs[1]} channels in {theirs[2]}D; train a teacher with "
            f"data.image_size={own[0]} and data.channels={own[1]}"
        )


def _between(facts: DatasetFacts, model: TrainedModel) -> nn.Module | None:
    """Return what turns images normalised for the student into those that the teacher knows."""
    own = (facts.mean, facts.standard_deviation)
    theirs = (model.facts.mean, model.facts.standard_deviation)
    if own == theirs or model.recipe.data.normalization == "masked":
        return None
    mean, deviation = own
    # Undo the student's normalisation, then apply the teacher's.
    undo = Normalize(
        [-centre / width for centre, width in zip(mean, deviation, strict=True)],
        [1 / width for width in deviation],
    )
    return nn.Sequential(undo, Normalize(*theirs))
