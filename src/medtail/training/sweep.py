"""Many runs of one data set: methods × seeds, each in a folder of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from medtail.data import open_collection
from medtail.errors import InputError
from medtail.run import Run
from medtail.training.choose import choose_recipe
from medtail.training.fit import check_same_recipe, train
from medtail.training.prepare import Progress


def train_missing(
    data: str,
    methods: Sequence[str],
    seeds: int,
    folder: Path,
    *,
    recipe: str | None = None,
    changes: Sequence[Mapping[str, Any]] = (),
    progress: Progress | None = None,
) -> list[Run]:
    """Train every method with every seed unless its run is finished; continue those that were stopped.

    The state of record is the run folders: a sweep that was killed goes on where it stopped.

    Args:
        data: As for ``train``.
        methods: Keys of method recipes.
        seeds: Number of seeds; they are 0, 1, ….
        folder: Runs go to ``folder/METHOD-seedN``.
        recipe: Name of a data-set recipe; chosen by the data when None.
        changes: Settings laid over every recipe, in order.
        progress: Told about decoding and predicting.

    Raises:
        InputError: A method or setting is wrong (before any training), or a run was made with other settings.
    """
    collection = open_collection(data)
    if collection.multi_label:
        raise InputError(
            f"methods are compared on one class an image, {data} has columns of several labels; train each with "
            f"medtail train and read their summaries"
        )
    recipes = [
        choose_recipe(collection, method, recipe, [*changes, {"training": {"seed": seed}}])
        for method in methods
        for seed in range(seeds)
    ]
    runs = []
    for settings in recipes:
        name = f"{settings.recipe.method}-seed{settings.training.seed}"
        run = Run(folder / name)
        runs.append(run)
        typer.echo(f"{len(runs)}/{len(recipes)} {name}", err=True)
        if run.summary.is_file():
            check_same_recipe(run, settings)
        else:
            train(collection, settings, run, resume=run.folder.is_dir(), progress=progress)
    return runs
