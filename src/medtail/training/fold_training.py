"""Cross-validation: a fresh model per fold, and every image judged by the model that was trained without it."""

import logging
import time
from typing import Any

import numpy as np

from medtail.data import ImageCollection, choose_classes, positive_versus_rest
from medtail.data.collection_images import read_image
from medtail.data.decoded.cache import PixelCache
from medtail.data.splitting.folds import (
    assign_folds,
    folds_fingerprint,
    with_test_fold,
    without_test_split,
    write_folds,
)
from medtail.errors import InputError
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.report import write_cross_validation_report
from medtail.evaluation.summaries.cross_validation import (
    pooled_facts,
    pooled_predictions,
    summarize_folds,
)
from medtail.evaluation.summaries.summary import protocol_summary
from medtail.files import write_json
from medtail.progress import Progress
from medtail.recipes.recorded_prior import prior_summary
from medtail.recipes.schema import Recipe
from medtail.runs.run import Run
from medtail.runs.settings import RunSettings
from medtail.training.build import check_backbone
from medtail.training.callbacks import AtStart
from medtail.training.finishing import environment
from medtail.training.fit import train
from medtail.training.optimization.precision import with_precision
from medtail.training.prepare import decoded, look_alikes
from medtail.training.run_folder import check_folder, check_outside, check_same_recipe

_log = logging.getLogger(__name__)


def cross_validate(
    collection: ImageCollection,
    recipe: Recipe,
    run: Run,
    folds: int,
    *,
    resume: bool = False,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
    cache: PixelCache | None = None,
) -> dict[str, Any]:
    """Train one model per fold, and judge all images by the models that were trained without them.

    Fold k is the test split of a whole run in ``RUN/folds/fold-k``; its validation split, which chooses the
    checkpoint, is drawn from the other folds (``data.validation_fraction`` of these). Every fold starts from the same
    recipe and a fresh model. If the data comes with a test split, that split stays out of all folds.

    Args:
        collection: Images with labels.
        recipe: Every setting of every fold; folds are drawn with ``data.split_seed``.
        run: The folder to write; it must not hold a run unless ``resume`` is true.
        folds: The number of folds, 2 or more.
        resume: Leave finished folds as they are, continue the one that was stopped, and train the others.
        skip_unreadable: Leave unreadable images out instead of refusing them.
        progress: Told about decoding and predicting.
        cache: Where decoded pixels are kept; the user's cache if None.

    Returns:
        The content of ``summary.json``: metrics of the out-of-fold predictions, and of each fold.

    Raises:
        InputError: As :func:`medtail.training.train` and :func:`medtail.data.splitting.folds.assign_folds`; the recipe
            asks for several devices, or the folds of the run to continue differ.
    """
    started = time.time()
    if recipe.training.devices > 1:
        raise InputError(
            f"folds are trained on one device, got training.devices={recipe.training.devices}; leave it out, or train "
            f"each fold by itself"
        )
    check_outside(run, collection)
    check_folder(run, recipe, resume=resume)
    check_backbone(recipe, collection.dimensions)
    recipe = with_precision(recipe, run)
    collection = choose_classes(collection, recipe.data.classes, recipe.data.merge)
    if recipe.data.positive is not None:
        collection = positive_versus_rest(collection, recipe.data.positive, recipe.data.negative)
    images = without_test_split(collection)
    pixels = decoded(images, recipe, skip_unreadable=skip_unreadable, progress=progress, cache=cache)
    together = look_alikes(pixels, recipe, progress).joined_groups(images)
    del pixels
    assigned = assign_folds(images, folds, recipe.split_seed, together=together)
    facts = {
        "format": 1,
        "folds": folds,
        "seed": recipe.split_seed,
        "images": len(images),
        "test_images_left_out": len(collection) - len(images),
        "sha256": folds_fingerprint(images, assigned),
    }
    _check_same_folds(run, facts)

    def record() -> None:
        write_folds(images, assigned, run.folds)
        write_json(run.folds_facts, facts)
        recipe.save(run.recipe)

    if facts["test_images_left_out"]:
        _log.info(
            f"{facts['test_images_left_out']} images of the test split that {collection.data} brings are in no fold"
        )
    runs = [run.fold(number) for number in range(1, folds + 1)]
    for number, fold in enumerate(runs, start=1):
        _log.info(f"fold {number}/{folds}")
        if fold.summary.is_file():
            check_same_recipe(fold, recipe)
        else:
            train(
                with_test_fold(images, assigned, number),
                recipe,
                fold,
                resume=fold.folder.is_dir(),
                skip_unreadable=skip_unreadable,
                progress=progress,
                callbacks=[AtStart(record)],
                cache=cache,
            )
    return _pool(run, runs, images, str(facts["sha256"]), started)


def _check_same_folds(run: Run, facts: dict[str, Any]) -> None:
    if not run.folds_facts.is_file():
        if run.dataset.is_file():
            raise InputError(
                f"{run.folder} holds one run, not folds; continue it without `folds`, or take another folder"
            )
        return
    saved = run.read_folds()
    if saved["folds"] != facts["folds"]:
        raise InputError(
            f"the cross-validation in {run.folder} has {saved['folds']} folds, got `folds={facts['folds']}`; "
            f"give the number it was started with, or another folder with `out`"
        )
    if saved["sha256"] != facts["sha256"]:
        raise InputError(
            f"`resume=True` needs the data the folds were drawn from, but images, labels or groups differ from those "
            f"recorded in {run.folds}; restore them or start anew"
        )


def _pool(
    run: Run, folds: list[Run], images: ImageCollection, fingerprint: str, started: float
) -> dict[str, Any]:
    pooled = pooled_predictions(folds, images.table["id"].tolist())
    pooled.write(run.out_of_fold)
    facts = pooled_facts(folds, fingerprint)
    summary = summarize_folds(pooled, folds, np.asarray(facts.class_counts["train"]))
    summary |= protocol_summary(RunSettings.load(run)) | prior_summary(run, facts)
    seconds = sum(fold.read_environment()["seconds"] for fold in folds)
    surroundings = {**environment(started), "seconds": round(seconds, 1)}
    write_json(run.environment, surroundings)
    write_cross_validation_report(
        Evidence.pooled(run, pooled, facts, read_image(images), summary=summary, environment=surroundings)
    )
    # Last, because it marks a finished run.
    write_json(run.summary, summary)
    return summary
