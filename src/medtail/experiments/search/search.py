"""A search for good settings of a method."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from medtail.data import ImageCollection, open_collection
from medtail.errors import InputError
from medtail.evaluation.tuning.search_page import SearchResult, write_search
from medtail.experiments.jobs import Job, ThisProcess, Workers
from medtail.experiments.jobs.one_precision import in_one_precision
from medtail.experiments.jobs.outcome import Outcome
from medtail.experiments.jobs.watch import Watch
from medtail.experiments.search.space import Space
from medtail.experiments.search.study import SAMPLERS, Sampler, Study, import_optuna
from medtail.experiments.trainable import check_trainable
from medtail.experiments.variants import nested
from medtail.progress import Progress
from medtail.recipes.choose_recipe import choose_recipe, chosen_columns
from medtail.recipes.schema import Recipe
from medtail.runs.claim import claimed
from medtail.runs.run import Run
from medtail.training.run_folder import check_outside


@final
@dataclass(frozen=True)
class Search:
    """Trials of one method on one data set, judged on validation.

    No test image reaches a model. A trial that fails, for example because it diverges, is recorded and counts; the
    search goes on. Killed at any moment, the same call continues with the trials that have not ended.

    Attributes:
        data: As :func:`medtail.data.open_collection` takes it.
        method: Key of a method recipe.
        folder: Where trials, database, page and best recipe are, or will be.
        space: What trials change.
        recipe: Name of a data-set recipe; chosen by the data if None.
        changes: Settings laid over every recipe, in order; those of a trial come last.
        sampler: ``random``, or ``tpe`` (a Parzen estimator of what was good so far, Bergstra et al. 2011).
        seed: Of the proposals, and of every training.
        storage: Address of a database; ``study.db`` in the folder if None.
    """

    data: str
    method: str
    folder: Path
    space: Space
    recipe: str | None = None
    changes: Sequence[Mapping[str, Any]] = ()
    sampler: Sampler = "random"
    seed: int = 0
    storage: str | None = None

    def run(
        self, trials: int, workers: Workers | None = None, progress: Progress | None = None
    ) -> SearchResult:
        """Run trials until there are this many, and write ``best.yaml`` and ``tuning.html``.

        Args:
            trials: How many there should be in the end, those of earlier calls included.
            workers: Who trains; this process, one trial after another, if None.
            progress: Told about the epochs of every trial, and about all trials.

        Raises:
            InputError: A setting is wrong anywhere in the space, the folder holds another search, or every trial
                failed.
        """
        import_optuna()
        if trials < 1:
            raise InputError(f"`trials` must be 1 or more, got {trials}; give a number of trainings")
        if self.sampler not in SAMPLERS:
            raise InputError(f"`sampler` must be {' or '.join(SAMPLERS)}, got {self.sampler!r}; choose one")
        workers = workers or ThisProcess()
        collection = open_collection(self.data, columns=chosen_columns(self.recipe, self.changes))
        base = self._checked(collection, workers)
        with claimed(Run(self.folder)):
            study = Study(
                self.folder,
                self.storage,
                {"recipe": base.model_dump(mode="json"), "data": self.data, "space": self.space.to_dict()},
                self.space.distributions(),
                sampler=self.sampler,
                seed=self.seed,
            )
            self._finish(study, collection, trials, workers, progress)
            return self._written(study, collection, base)

    def _checked(self, collection: ImageCollection, workers: Workers) -> Recipe:
        """Return the recipe that all trials share, after a check of both ends of the space."""
        base = self._recipe(collection, {})
        if base.data.validation != "drawn":
            raise InputError(
                f"data.validation must be drawn for a search, got {base.data.validation}: trials are judged on "
                f"validation; leave it out"
            )
        for corner in self.space.corners():
            recipe = self._recipe(collection, corner)
            check_trainable(collection, recipe)
            workers.check(Job(self.method, self.data, recipe, Run(self.folder)))
        check_outside(Run(self.folder), collection)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"`out` must be a folder, {self.folder} is a file; choose another name")
        return base

    def _recipe(self, collection: ImageCollection, settings: Mapping[str, Any]) -> Recipe:
        seed = {"training": {"seed": self.seed}}
        return choose_recipe(collection, self.method, self.recipe, [*self.changes, seed, settings])

    def _job(self, collection: ImageCollection, number: int, settings: Mapping[str, Any]) -> Job:
        return Job(
            f"trial {number}",
            self.data,
            self._recipe(collection, nested(settings)),
            self._trial(number),
            judged_on="validation",
        )

    def _trial(self, number: int) -> Run:
        return Run(self.folder / "trials" / f"{number:04d}")

    def _finish(
        self,
        study: Study,
        collection: ImageCollection,
        trials: int,
        workers: Workers,
        progress: Progress | None,
    ) -> None:
        unfinished = study.open_trials()
        numbers: dict[str, int] = {}

        def jobs() -> Iterator[Job]:
            waiting = iter(unfinished)
            while (
                asked := next(waiting, None) or (study.ask() if len(study) < trials else None)
            ) is not None:
                job = self._job(collection, *asked)
                numbers[job.title] = asked[0]
                yield job

        def ended(job: Job, outcome: Outcome) -> None:
            number = numbers[job.title]
            value = None if outcome.refusal else self._value(job)
            if value is None:
                study.tell_failed(number, outcome.refusal or "the metric is undefined on validation")
            else:
                study.tell(number, value)

        done = len(study) - len(unfinished)
        trained = in_one_precision(jobs(), workers.precision)
        workers.run(trained, Watch(max(trials, len(study)), done, progress, ended))

    def _value(self, job: Job) -> float | None:
        """The metric of a trial that chose its epoch; None where it is undefined."""
        value = job.run.read_summary()[_metric(job.recipe)]
        return None if value is None or math.isnan(value) else float(value)

    def _written(self, study: Study, collection: ImageCollection, base: Recipe) -> SearchResult:
        results = study.results()
        result = SearchResult(
            dataset=collection.name,
            method=self.method,
            metric=_metric(base),
            sampler=self.sampler,
            trials=results,
            importances=study.importances(),
            logarithmic=frozenset(path for path, axis in self.space.axes.items() if axis.log),
        )
        best = self._job(collection, result.best.number, result.best.settings).recipe
        best.save(self.folder / "best.yaml")
        write_search(result, self.folder)
        return result


def _metric(recipe: Recipe) -> str:
    """The metric that judges a trial: the one that chooses its epoch."""
    return "auc" if recipe.training.monitor == "auc" else "balanced_accuracy"
