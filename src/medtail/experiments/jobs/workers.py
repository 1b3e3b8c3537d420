"""Who does jobs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

from medtail.errors import InputError
from medtail.experiments.jobs.job import Job
from medtail.experiments.jobs.outcome import Outcome
from medtail.experiments.jobs.watch import Watch


class Workers(ABC):
    """Does jobs; abstract.

    A worker that is killed is replaced, and its job continues after the last finished epoch. If the caller is killed,
    its workers end, and the next call continues their jobs: the run folders are the only record.
    """

    @abstractmethod
    def run(self, jobs: Sequence[Job], watch: Watch) -> None:
        """Do all jobs, and tell ``watch`` what becomes of each; a job that fails does not keep the others back."""


@final
class ThisProcess(Workers):
    """The calling process, which does one job after another."""

    def run(self, jobs: Sequence[Job], watch: Watch) -> None:
        for job in jobs:
            watch.started(job)
            try:
                job.train(progress=watch.progress)
            except InputError as error:
                watch.ended(job, Outcome(str(error)))
            else:
                watch.ended(job, Outcome())
