"""An experiment: variants × seeds × data sets, each training in a folder that follows from these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from medtail.data import ImageCollection, open_collection
from medtail.errors import InputError
from medtail.experiments.jobs import Job, Workers, run_jobs
from medtail.experiments.planned_runs import (
    PlannedRun,
    check_planned,
    sets,
    with_seed,
)
from medtail.experiments.trainable import chosen_classes
from medtail.experiments.variants import Variant, check_different
from medtail.progress import Progress
from medtail.recipes.choose_recipe import chosen_columns
from medtail.runs.run import Run
from medtail.runs.tasks import Task, task_of

#: Settings of the data that say which classes and images there are, and those that say how they are split.
_CLASSES = ("merge", "classes", "positive", "negative", "subsample")
_SPLITS = ("validation", "validation_fraction", "test_fraction", "split_seed", "keep_together", "drawn_first")


@final
@dataclass(frozen=True)
class ExperimentRun:
    """A run of an experiment.

    Attributes:
        data_set: Name of the data set.
        label: That of the variant.
        seed: Of the training.
        job: Its training.
        class_names: Of the data, in class-id order.
        task: Whether each image has one class or any number of labels.
    """

    data_set: str
    label: str
    seed: int
    job: Job
    class_names: tuple[str, ...]
    task: Task

    @property
    def run(self) -> Run:
        """Its folder."""
        return self.job.run


@final
@dataclass(frozen=True)
class Experiment:
    """Variants × seeds × data sets.

    The runs of one data set are in ``FOLDER/LABEL-seedN``, those of several in ``FOLDER/DATA_SET/LABEL-seedN``.

    Attributes:
        variants: The rows of the table.
        data: Data sets, as :func:`medtail.data.open_collection` takes them.
        folder: Where the runs are, or will be.
        seeds: How many seeds; they are 0, 1, ….
        recipe: Name of a data-set recipe for all; chosen by the data if None.
        changes: Settings laid over every recipe, in order; those of a variant come last.
        folds: The number of folds, if each training is to be a cross-validation.

    Raises:
        InputError: There is no variant or no data set, two labels are alike, or the seed is set.

    Example:
        >>> from medtail.experiments.variants import product_of, variants_of
        >>> variants = product_of(variants_of(["dal"]), {"loss.scale": [4, 8]})
        >>> experiment = Experiment(variants, ["digits-lt"], Path("out"), seeds=1)
        >>> [one.run.folder.name for one in experiment.prepared()]
        ['dal_loss.scale=4-seed0', 'dal_loss.scale=8-seed0']
    """

    variants: Sequence[Variant]
    data: Sequence[str]
    folder: Path
    seeds: int = 3
    recipe: str | None = None
    changes: Sequence[Mapping[str, Any]] = ()
    folds: int | None = None

    def __post_init__(self) -> None:
        if not self.variants or not self.data:
            missing = "variants" if not self.variants else "data"
            raise InputError(f"{missing} must not be empty, got none; name at least one")
        check_different(self.variants)
        for change in (*self.changes, *(variant.settings for variant in self.variants)):
            if sets(change, "training.seed"):
                raise InputError(
                    "training.seed must be left to the comparison, which trains several; set `seeds` instead"
                )

    def prepared(self) -> list[ExperimentRun]:
        """Return every run, finished or not, after a check of all of them; nothing is written.

        Raises:
            InputError: A data set cannot be opened, a recipe is wrong, its method cannot be built, or a folder holds
                another run.
        """
        prepared = [self._prepared(data) for data in self.data]
        names = [runs[0].data_set for runs in prepared]
        if len(set(names)) < len(names):
            raise InputError(
                f"data sets must have different names, got {', '.join(names)}; give each once, or rename a folder"
            )
        return [run for runs in prepared for run in runs]

    def _prepared(self, data: str) -> list[ExperimentRun]:
        """The runs of one data set, which is opened once for each choice of its columns."""
        columns = [
            chosen_columns(variant.recipe or self.recipe, [*self.changes, variant.settings])
            for variant in self.variants
        ]
        opened = {chosen: open_collection(data, columns=chosen) for chosen in dict.fromkeys(columns)}
        runs = [
            run
            for variant, chosen in zip(self.variants, columns, strict=True)
            for run in self._of_variant(variant, opened[chosen])
        ]
        _check_same_images(runs, next(iter(opened.values())))
        return runs

    def _of_variant(self, variant: Variant, collection: ImageCollection) -> list[ExperimentRun]:
        several = len(self.data) > 1
        folder = self.folder / collection.name if several else self.folder
        seeds = range(self.seeds)
        planned = [
            PlannedRun(
                f"{collection.name}: {variant.label}, seed {seed}"
                if several
                else f"{variant.label}, seed {seed}",
                Run(folder / f"{variant.folder}-seed{seed}"),
                variant.method,
                with_seed(variant.settings, seed),
                variant.recipe,
                self.folds,
            )
            for seed in seeds
        ]
        jobs = check_planned(collection, planned, recipe=self.recipe, changes=self.changes)
        return [
            ExperimentRun(
                collection.name,
                variant.label,
                seed,
                job,
                chosen_classes(collection, job.recipe).class_names,
                task_of(collection.multi_label),
            )
            for seed, job in zip(seeds, jobs, strict=True)
        ]

    def run(self, workers: Workers | None = None, progress: Progress | None = None) -> list[ExperimentRun]:
        """Train what is missing, and return every run.

        Args:
            workers: Who trains; this process, one run after another, if None.
            progress: Told about the epochs of every training, and about all trainings.

        Raises:
            InputError: As :meth:`prepared`, before any training, and as :func:`medtail.experiments.jobs.run_jobs`.
        """
        prepared = self.prepared()
        train_prepared(prepared, workers, progress)
        return prepared


def _check_same_images(runs: Sequence[ExperimentRun], collection: ImageCollection) -> None:
    """Refuse rows of one data set that would be judged on other images, or as other classes.

    Raises:
        InputError: There are such rows.
    """
    given = set(collection.table["split"]) if "split" in collection.table else set()
    decide = _CLASSES if {"validation", "test"} <= given else (*_CLASSES, *_SPLITS)
    first = runs[0]
    for run in runs[1:]:
        for key in decide:
            one, other = (getattr(each.job.recipe.data, key) for each in (first, run))
            if one != other:
                raise InputError(
                    f"rows of one table must be of the same classes and splits, but data.{key} is {one} in "
                    f"{first.label} and {other} in {run.label}; set it for all rows alike"
                )


def train_prepared(
    prepared: Sequence[ExperimentRun], workers: Workers | None = None, progress: Progress | None = None
) -> None:
    """Train those of the runs that are missing; arguments as for :meth:`Experiment.run`."""
    run_jobs([one.job for one in prepared], workers, progress)
