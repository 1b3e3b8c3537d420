"""The folder of a run before its training: whether it may be written, and what may continue in it."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from medtail.backbones import LoadedWeights
from medtail.data import ImageCollection
from medtail.errors import InputError
from medtail.files import remove_left_over
from medtail.recipes.compose import load_recipe
from medtail.recipes.schema import Recipe
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.runs.stored_files import digest_of
from medtail.training.frozen.solver import with_saved_optimizer
from medtail.training.optimization.precision import with_saved_precision

_log = logging.getLogger(__name__)


def remove_left_over_in(run: Run) -> None:
    """Remove what a killed writer of this run left; the run is ours, so nobody else writes it."""
    for folder in (run.folder, *(path for path in run.folder.iterdir() if path.is_dir())):
        remove_left_over(folder)


def check_outside(run: Run, collection: ImageCollection) -> None:
    """Make sure that what the run writes does not become part of the data.

    Raises:
        InputError: The folder of the run lies in the folder of the data.
    """
    data = Path(collection.data).resolve()
    if data.is_dir() and run.folder.resolve().is_relative_to(data):
        raise InputError(
            f"`out` must lie outside DATA, or its files are read as data, but {run.folder} is in {collection.data}; "
            f"choose another folder"
        )


def check_folder(run: Run, recipe: Recipe, *, resume: bool) -> None:
    """Make sure that no run is overwritten, and none continued with other settings.

    Raises:
        InputError: The folder is not empty; with ``resume``, it is missing or holds a run of other settings.
    """
    if not resume:
        if run.folder.exists() and (not run.folder.is_dir() or _holds_something(run)):
            raise InputError(
                f"`out` must be a new or empty folder, {run.folder} is not; choose another name, "
                f"or continue the run in it with `resume=True`"
            )
        return
    if not run.folder.is_dir():
        raise InputError(
            f"`resume=True` needs a run to continue, {run.folder} does not exist; start without `resume=True`"
        )
    check_same_recipe(run, recipe)


def _holds_something(run: Run) -> bool:
    """Whether a folder holds more than a writer that was killed at once would leave."""
    return any(path != run.claim and not path.name.endswith(".tmp") for path in run.folder.iterdir())


def check_no_folds(run: Run) -> None:
    """Refuse a folder that holds a cross-validation.

    Raises:
        InputError: It holds one.
    """
    if run.folds_facts.is_file():
        count = run.read_folds()["folds"]
        raise InputError(
            f"{run.folder} is a cross-validation of {count} folds; continue it with `folds={count}`, or take another "
            f"folder with `out`"
        )


def check_same_recipe(run: Run, recipe: Recipe) -> None:
    """Refuse settings other than those a run was started with, if it got as far as saving them.

    Raises:
        InputError: Naming every difference.
    """
    if not run.recipe.is_file():
        return
    saved = load_recipe(run.recipe)
    recipe = with_saved_optimizer(with_saved_precision(recipe, saved), saved)
    changes = _differences(saved.model_dump(mode="json"), recipe.model_dump(mode="json"))
    if changes:
        raise InputError(
            f"the run in {run.folder} can only continue with its own settings, got {'; '.join(changes)}; "
            f"give the settings it was started with, or another folder with `out`"
        )


def _differences(saved: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    changes = []
    for key in {**saved, **now}:
        old, new = saved.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            changes.append(f"{prefix}{key}={new} (saved: {old})")
    return changes


def identified(run: Run, recipe: Recipe, facts: DatasetFacts, *, resume: bool) -> DatasetFacts:
    """Return the facts with the identity of the run, after a check that a run to continue has the same data.

    Args:
        run: The folder.
        recipe: Every setting.
        facts: Of the data as they are now.
        resume: Whether to continue what the folder holds.

    Raises:
        InputError: Images, labels or splits are not those the run was started with.
    """
    if not (resume and run.dataset.is_file()):
        settings = recipe.model_dump(mode="json")
        return replace(facts, identity=digest_of({"recipe": settings, "data": facts.fingerprint}))
    saved = DatasetFacts.load(run)
    if saved.fingerprint != facts.fingerprint:
        raise InputError(
            f"`resume=True` needs the data the run was started with, but images, labels or splits of {facts.data} "
            f"differ from those recorded in {run.dataset}; restore them or start a new run"
        )
    if saved.pixels is not None and saved.pixels != facts.pixels:
        what = "pixels" if saved.pixels.startswith("pixels:") else "files (by size and modification time)"
        raise InputError(
            f"`resume=True` needs the images the run was started with, but the {what} of {facts.data} differ from "
            f"those recorded in {run.dataset}; restore them or start a new run"
        )
    return replace(
        facts,
        identity=saved.identity,
        weights=saved.weights,
        mean=saved.mean,
        standard_deviation=saved.standard_deviation,
    )


def with_weights(run: Run, facts: DatasetFacts, loaded: LoadedWeights | None) -> DatasetFacts:
    """Return the facts with the weights that training starts from, and report them.

    Raises:
        InputError: The run to continue was started with other weights.
    """
    if loaded is None:
        return facts
    (_log.warning if loaded.missing else _log.info)(loaded.sentence)
    weights = {"source": loaded.source} | ({"sha256": loaded.sha256} if loaded.sha256 else {})
    if facts.weights is not None and facts.weights.get("sha256") != loaded.sha256:
        raise InputError(
            f"`resume=True` needs the weights the run was started with, but the SHA-256 of {loaded.source} is not the "
            f"one recorded in {run.dataset}; restore the file or start a new run"
        )
    return replace(facts, weights=weights)
