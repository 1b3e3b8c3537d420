"""Many runs on one data set, each in a folder of its own: methods × seeds, or points of a grid × seeds."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from medtail.data import open_collection
from medtail.errors import InputError
from medtail.progress import Progress
from medtail.recipes.choose_recipe import choose_recipe, chosen_columns
from medtail.runs.grid import GridRuns
from medtail.runs.run import Run
from medtail.training.fit import check_same_recipe, train

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
    """

    title: str
    run: Run
    method: str
    settings: Mapping[str, Any]


def plan_methods(methods: Sequence[str], seeds: int, folder: Path) -> list[PlannedRun]:
    """Plan every method with seeds 0, 1, …, in ``folder/METHOD-seedN``."""
    return [
        PlannedRun(f"{method}-seed{seed}", Run(folder / f"{method}-seed{seed}"), method, _with_seed({}, seed))
        for method in methods
        for seed in range(seeds)
    ]


def plan_grid(runs: GridRuns) -> list[PlannedRun]:
    """Plan every point of a grid with every seed, where :class:`~medtail.runs.grid.GridRuns` puts it."""
    return [
        PlannedRun(
            f"{runs.grid.name}/{point.name}-seed{seed}",
            runs.run(point, seed),
            runs.grid.method,
            _with_seed(point.settings, seed),
        )
        for point in runs.grid.points
        for seed in range(runs.seeds)
    ]


def _with_seed(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    training = settings.get("training", {})
    if not isinstance(training, Mapping):
        raise InputError(
            f"the axis training of a grid must be a setting such as training.epochs, got {training!r}"
        )
    return {**settings, "training": {**training, "seed": seed}}


def train_missing(
    data: str,
    planned: Sequence[PlannedRun],
    *,
    recipe: str | None = None,
    changes: Sequence[Mapping[str, Any]] = (),
    progress: Progress | None = None,
) -> list[Run]:
    """Train every planned run unless it is finished; continue those that were stopped.

    The run folders are the only record, so that a sweep that was killed continues where it stopped.

    Args:
        data: As :func:`medtail.data.open_collection` takes it.
        planned: The runs that should exist in the end.
        recipe: Name of a data-set recipe; chosen by the data if None.
        changes: Settings laid over every recipe, in order.
        progress: Told about decoding and predicting.

    Raises:
        InputError: A method or setting is wrong (before any training), or a run was made with other settings.
    """
    collection = open_collection(data, columns=chosen_columns(recipe, changes))
    if collection.multi_label:
        raise InputError(
            f"methods are compared on one class per image, {data} has columns of several labels; train each with "
            f"`train()` and read their summaries"
        )
    recipes = [choose_recipe(collection, plan.method, recipe, [*changes, plan.settings]) for plan in planned]
    for number, (plan, settings) in enumerate(zip(planned, recipes, strict=True), start=1):
        run = plan.run
        _log.info(f"{number}/{len(planned)} {plan.title}")
        if run.summary.is_file():
            check_same_recipe(run, settings)
        else:
            train(collection, settings, run, resume=run.folder.is_dir(), progress=progress)
    return [plan.run for plan in planned]


def check_free(runs: GridRuns, changes: Sequence[Mapping[str, Any]]) -> None:
    """Refuse settings for all runs that a grid sets for each of its points.

    Raises:
        InputError: There is such a setting, which the message names.
    """
    for path in [*runs.grid.axes, "training.seed"]:
        if any(_sets(change, path) for change in changes):
            raise InputError(
                f"{path} must be left to grid {runs.grid.name}, which trains several values of it; "
                f"leave it out, or choose points with `chosen`"
            )


def _sets(change: Mapping[str, Any], path: str) -> bool:
    value: Any = change
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return True
        if key not in value:
            return False
        value = value[key]
    return True
