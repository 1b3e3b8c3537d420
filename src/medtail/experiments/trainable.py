"""A check of a recipe before anything is decoded: can its method be built, and its optimizer, for these data?"""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from medtail.data import ImageCollection, choose_classes, positive_versus_rest
from medtail.recipes.schema import Recipe
from medtail.runs.run import Run
from medtail.training.build import BuildContext, build_method
from medtail.training.earlier_runs.first_stage import FirstStage
from medtail.training.frozen.solver import with_chosen_optimizer
from medtail.training.multi_label import check_multi_label_recipe
from medtail.training.optimization.optimizers import build_optimizer


def chosen_classes(collection: ImageCollection, recipe: Recipe) -> ImageCollection:
    """Return the images with the classes that a recipe asks for."""
    collection = choose_classes(collection, recipe.data.classes, recipe.data.merge)
    if recipe.data.positive is None:
        return collection
    return positive_versus_rest(collection, recipe.data.positive, recipe.data.negative)


def check_trainable(collection: ImageCollection, recipe: Recipe, awaited: Collection[Path] = ()) -> None:
    """Build what a recipe describes, with its weights, and train nothing.

    Args:
        collection: The images; nothing is decoded, so class counts are those of all images.
        recipe: Every setting.
        awaited: Folders of runs that will be finished before the training, so that they need not exist yet.

    Raises:
        InputError: A name or setting is wrong, weights or head do not fit, the recipe cannot train the method, or a run
            that it starts from or learns from is not finished.
    """
    collection = chosen_classes(collection, recipe)
    if collection.multi_label:
        check_multi_label_recipe(recipe, collection)
    first_stage, teacher = recipe.backbone.from_run, recipe.method.teacher_run
    for earlier in filter(None, (first_stage, teacher)):
        run = Run.of(str(earlier))
        if run.folder not in awaited:
            run.require(run.summary)
    if first_stage is None:
        # A head that keeps a classifier, or features of a trained network, need a first stage.
        FirstStage.of(recipe, collection)
    counts = np.maximum(collection.class_counts(), 1)
    context = BuildContext(
        recipe,
        counts,
        collection.dimensions,
        # A teacher that exists is checked when it is loaded.
        for_training=teacher is None,
    )
    method = build_method(context)
    build_optimizer(with_chosen_optimizer(recipe, method), method)
