"""Many runs, each in a folder of its own: planned, checked before the first of them starts, and trained if missing."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from medtail.data import ImageCollection, open_collection
from medtail.errors import InputError
from medtail.experiments.trainable import check_trainable
from medtail.progress import Progress
from medtail.recipes.choose_recipe import choose_recipe, chosen_columns
from medtail.recipes.schema import Recipe
from medtail.runs.grid import GridRuns
from medtail.runs.run import Run
from medtail.training.fit import check_outside, check_same_recipe, train
from medtail.training.fold_training import cross_validate

_log = logging.getLogger(__name__)


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


@final
@dataclass(frozen=True)
class ReadyRun:
    """A planned run whose recipe was composed and checked: all that its training needs.

    Attributes:
        title: Its name in the log.
        run: Its folder.
        collection: The images, as :func:`medtail.data.open_collection` opened them.
        recipe: Every setting.
        folds: The number of folds of a cross-validation; None for one training.
    """

    title: str
    run: Run
    collection: ImageCollection
    recipe: Recipe
    folds: int | None = None

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.run.summary.is_file()

    def train(self, progress: Progress | None = None) -> None:
        """Train, or continue after the last finished epoch."""
        resume = self.run.folder.is_dir()
        if self.folds is None:
            train(self.collection, self.recipe, self.run, resume=resume, progress=progress)
        else:
            cross_validate(
                self.collection, self.recipe, self.run, self.folds, resume=resume, progress=progress
            )


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
) -> list[ReadyRun]:
    """Compose the recipe of every planned run and build its method, so that nothing starts if one of them is wrong.

    Args:
        collection: The images.
        planned: Runs, finished or not.
        recipe: Name of a data-set recipe; chosen by the data if None.
        changes: Settings laid over every recipe, in order.

    Raises:
        InputError: A method or setting is wrong, a method cannot be built, or a folder holds another run.
    """
    if collection.multi_label:
        raise InputError(
            f"methods are compared on one class per image, {collection.data} has columns of several labels; train "
            f"each with `train()` and read their summaries"
        )
    ready = []
    built: set[str] = set()
    for plan in planned:
        composed = choose_recipe(collection, plan.method, plan.recipe or recipe, [*changes, plan.settings])
        without_seed = composed.model_copy(
            update={"training": composed.training.model_copy(update={"seed": 0})}
        )
        if (key := without_seed.model_dump_json()) not in built:
            check_trainable(collection, composed)
            built.add(key)
        ready.append(ReadyRun(plan.title, plan.run, collection, composed, plan.folds))
    for one in ready:
        _check_place(one)
    return ready


def _check_place(ready: ReadyRun) -> None:
    """Refuse a folder in the data, and one that holds another run."""
    check_outside(ready.run, ready.collection)
    folder = ready.run.folder
    if folder.exists() and not folder.is_dir():
        raise InputError(
            f"{folder} must be a folder for a run, but is a file; choose another folder with `out`"
        )
    check_same_recipe(ready.run, ready.recipe)
    if ready.run.folds_facts.is_file() or ready.run.dataset.is_file():
        saved = ready.run.read_folds()["folds"] if ready.run.folds_facts.is_file() else None
        if saved != ready.folds:
            raise InputError(
                f"{folder} holds {_kind(saved)}, not {_kind(ready.folds)}; choose another folder with `out`"
            )


def _kind(folds: int | None) -> str:
    return "one training" if folds is None else f"a cross-validation of {folds} folds"


def train_ready(ready: Sequence[ReadyRun], progress: Progress | None = None) -> list[Run]:
    """Train every run unless it is finished; continue those that were stopped.

    The run folders are the only record, so that what was killed continues where it stopped.
    """
    for number, one in enumerate(ready, start=1):
        _log.info(f"{number}/{len(ready)} {one.title}")
        if not one.finished:
            one.train(progress)
    return [one.run for one in ready]


def train_missing(
    data: str,
    planned: Sequence[PlannedRun],
    *,
    recipe: str | None = None,
    changes: Sequence[Mapping[str, Any]] = (),
    progress: Progress | None = None,
) -> list[Run]:
    """Train every planned run on one data set unless it is finished.

    Args:
        data: As :func:`medtail.data.open_collection` takes it.
        planned: The runs that should exist in the end.
        recipe: Name of a data-set recipe; chosen by the data if None.
        changes: Settings laid over every recipe, in order.
        progress: Told about decoding and predicting.

    Raises:
        InputError: As :func:`check_planned`, before any training.
    """
    collection = open_collection(data, columns=chosen_columns(recipe, changes))
    return train_ready(check_planned(collection, planned, recipe=recipe, changes=changes), progress)


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
