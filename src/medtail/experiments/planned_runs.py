"""Many runs, each in a folder of its own: planned, checked before the first of them starts, and trained if missing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from medtail.data import ImageCollection, open_collection
from medtail.errors import InputError
from medtail.experiments.jobs import Job, Workers, run_jobs
from medtail.experiments.trainable import check_trainable, chosen_classes
from medtail.progress import Progress
from medtail.recipes.choose_recipe import choose_recipe, chosen_columns
from medtail.runs.facts import DatasetFacts
from medtail.runs.grid import GridRuns
from medtail.runs.run import Run
from medtail.training.run_folder import check_outside


@final
@dataclass(frozen=True)
class PlannedRun:
    """A run that is planned, whether it exists or not.

    Attributes:
        title: Its name in the log.
        run: Its folder.
        method: Key of a method recipe.
        settings: Its own settings, laid over all others.
        recipe: Name of a data-set recipe for it alone; None takes that of all runs.
        folds: The number of folds of a cross-validation; None for one training.
    """

    title: str
    run: Run
    method: str
    settings: Mapping[str, Any]
    recipe: str | None = None
    folds: int | None = None


def plan_grid(runs: GridRuns) -> list[PlannedRun]:
    """Plan every point of a grid with every seed, where :class:`~medtail.runs.grid.GridRuns` puts it."""
    return [
        PlannedRun(
            f"{runs.grid.name}/{point.name}-seed{seed}",
            runs.run(point, seed),
            runs.grid.method,
            with_seed(point.settings, seed),
        )
        for point in runs.grid.points
        for seed in range(runs.seeds)
    ]


def with_seed(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return settings with ``training.seed``.

    Raises:
        InputError: ``training`` is set to something other than a section.
    """
    training = settings.get("training", {})
    if not isinstance(training, Mapping):
        raise InputError(
            f"training must be set by its parts, such as training.epochs, got {training!r}; name one of them"
        )
    return {**settings, "training": {**training, "seed": seed}}


def check_planned(
    collection: ImageCollection,
    planned: Sequence[PlannedRun],
    *,
    recipe: str | None = None,
    changes: Sequence[Mapping[str, Any]] = (),
    awaited: Collection[Path] = (),
) -> list[Job]:
    """Compose the recipe of every planned run and build its method, so that nothing starts if one of them is wrong.

    Args:
        collection: The images.
        planned: Runs, finished or not.
        recipe: Name of a data-set recipe; chosen by the data if None.
        changes: Settings laid over every recipe, in order.
        awaited: Folders of runs that will be finished before these start, so that they need not exist yet.

    Raises:
        InputError: A method or setting is wrong, a method cannot be built, or a folder holds a run of other settings or
            on other data.
    """
    jobs = []
    built: set[str] = set()
    for plan in planned:
        composed = choose_recipe(collection, plan.method, plan.recipe or recipe, [*changes, plan.settings])
        without_seed = composed.model_copy(
            update={"training": composed.training.model_copy(update={"seed": 0})}
        )
        if (key := without_seed.model_dump_json()) not in built:
            check_trainable(collection, composed, awaited)
            built.add(key)
        jobs.append(Job(plan.title, collection.data, composed, plan.run, plan.folds))
    for job in jobs:
        _check_place(job, collection)
    return jobs


def check_one_class_per_image(collection: ImageCollection, what: str) -> None:
    """Refuse data with several labels per image.

    Args:
        collection: The images.
        what: What needs one class per image, in the plural.

    Raises:
        InputError: They have columns of labels.
    """
    if collection.multi_label:
        raise InputError(
            f"{what} need one class per image, {collection.data} has columns of several labels; compare methods on "
            f"these instead"
        )


def _check_place(job: Job, collection: ImageCollection) -> None:
    """Refuse a folder in the data, and one that holds another run."""
    check_outside(job.run, collection)
    folder = job.run.folder
    if folder.exists() and not folder.is_dir():
        raise InputError(
            f"{folder} must be a folder for a run, but is a file; choose another folder with `out`"
        )
    job.check()
    if job.run.folds_facts.is_file() or job.run.dataset.is_file():
        saved = job.run.read_folds()["folds"] if job.run.folds_facts.is_file() else None
        if saved != job.folds:
            raise InputError(
                f"{folder} holds {_kind(saved)}, not {_kind(job.folds)}; choose another folder with `out`"
            )
        _check_same_images(job, collection)


def _check_same_images(job: Job, collection: ImageCollection) -> None:
    """Refuse a run on other data, whose recipe may be the same."""
    held = job.run if job.folds is None else job.run.fold(1)
    if not (held.dataset.is_file() and held.splits.is_file()):
        return
    split_of = held.read_splits().set_index("id")["split"]
    chosen = chosen_classes(collection, job.recipe)
    images = chosen.select(np.flatnonzero(chosen.table["id"].isin(split_of.index)))
    same = len(images) == len(split_of)
    if not same or images.with_splits(images.table["id"].map(split_of)).fingerprint() != (
        DatasetFacts.load(held).fingerprint
    ):
        raise InputError(
            f"{job.run.folder} holds a run on other images, labels or splits than those of {collection.data}; choose "
            f"another folder with `out`"
        )


def _kind(folds: int | None) -> str:
    return "one training" if folds is None else f"a cross-validation of {folds} folds"


def train_missing(
    data: str,
    planned: Sequence[PlannedRun],
    *,
    recipe: str | None = None,
    changes: Sequence[Mapping[str, Any]] = (),
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> list[Run]:
    """Train every planned run on one data set unless it is finished.

    Args:
        data: As :func:`medtail.data.open_collection` takes it.
        planned: The runs that should exist in the end.
        recipe: Name of a data-set recipe; chosen by the data if None.
        changes: Settings laid over every recipe, in order.
        workers: Who trains; this process, one run after another, if None.
        progress: Told about the epochs of every training, and about all trainings.

    Raises:
        InputError: The data have several labels per image; as :func:`check_planned`, before any training; and as
            :func:`medtail.experiments.jobs.run_jobs`.
    """
    collection = open_collection(data, columns=chosen_columns(recipe, changes))
    check_one_class_per_image(collection, "grids")
    run_jobs(check_planned(collection, planned, recipe=recipe, changes=changes), workers, progress)
    return [plan.run for plan in planned]


def check_free(runs: GridRuns, changes: Sequence[Mapping[str, Any]]) -> None:
    """Refuse settings for all runs that a grid sets for each of its points.

    Raises:
        InputError: There is such a setting, which the message names.
    """
    for path in [*runs.grid.axes, "training.seed"]:
        if any(sets(change, path) for change in changes):
            raise InputError(
                f"{path} must be left to grid {runs.grid.name}, which trains several values of it; "
                f"leave it out, or choose points with `chosen`"
            )


def sets(change: Mapping[str, Any], path: str) -> bool:
    """Return whether settings hold a value for a path such as ``training.seed``."""
    value: Any = change
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return True
        if key not in value:
            return False
        value = value[key]
    return True
