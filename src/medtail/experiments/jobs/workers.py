"""Who does jobs."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import final

from medtail.errors import InputError
from medtail.experiments.jobs.job import Job
from medtail.experiments.jobs.outcome import Outcome
from medtail.experiments.jobs.watch import Watch
from medtail.recipes.schema import Recipe
from medtail.training.optimization.precision import choose_precision


class Workers(ABC):
    """Does jobs; abstract.

    A worker that is killed is replaced, and its job continues after the last finished epoch. If the caller is killed,
    its workers end, and the next call continues their jobs: the run folders are the only record.
    """

    def check(self, job: Job) -> None:
        """Refuse a job that these workers cannot do.

        Raises:
            InputError: It needs several devices, which workers beside each other cannot share.
        """
        devices = job.recipe.training.devices
        if devices > 1:
            raise InputError(
                f"training.devices must be 1 where several trainings run at a time, got {devices} for {job.title}; "
                f"take `jobs=1`"
            )

    def precision(self, recipe: Recipe) -> str:
        """Return what ``training.precision=auto`` stands for on their machine, this one unless they say otherwise."""
        return choose_precision(recipe)

    @abstractmethod
    def run(self, jobs: Iterator[Job], watch: Watch) -> None:
        """Do all jobs, and tell ``watch`` what becomes of each; a job that fails does not keep the others back.

        Args:
            jobs: A job is taken when there is a worker for it, so that it may depend on the outcomes so far.
            watch: Told about every start and end.
        """


@final
class ThisProcess(Workers):
    """The calling process, which does one job after another."""

    def check(self, job: Job) -> None:
        """Refuse nothing: one training at a time may have all devices."""

    def run(self, jobs: Iterator[Job], watch: Watch) -> None:
        for job in jobs:
            watch.started(job)
            try:
                job.train(progress=watch.progress)
            except InputError as error:
                watch.ended(job, Outcome(str(error)))
            else:
                watch.ended(job, Outcome())
