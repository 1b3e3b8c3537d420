"""What is known of jobs while they run."""

import logging
import warnings
from collections.abc import Callable
from typing import final

from medtail.data.collection import DataWarning
from medtail.experiments.jobs.job import Job
from medtail.experiments.jobs.outcome import Outcome
from medtail.progress import Progress

_log = logging.getLogger(__name__)


@final
class Watch:
    """Reports how far jobs are: one line for each that runs, and one for all of them.

    Args:
        total: How many jobs there are, those that were finished before included.
        done: How many were finished before.
        progress: Told about epochs and jobs.
        on_end: Called with every job that is finished or failed, and its outcome.

    Attributes:
        failed: The jobs that failed so far, and why.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        progress: Progress | None = None,
        on_end: Callable[[Job, Outcome], None] | None = None,
    ) -> None:
        self.progress = progress
        self.failed: dict[str, str] = {}
        self._total = total
        self._done = done
        self._on_end = on_end
        self._begun = self._done
        self._running: dict[str, Job] = {}
        if self._done > 0:
            _log.info(f"{self._done} of {self._total} trainings are finished already")

    def started(self, job: Job) -> None:
        """A worker has taken a job."""
        self._running[job.title] = job
        self._begun += 1
        _log.info(f"{self._begun}/{self._total} {job.title}")

    def ended(self, job: Job, outcome: Outcome) -> None:
        """A job is finished, or failed."""
        self._running.pop(job.title, None)
        if self._on_end is not None:
            self._on_end(job, outcome)
        for text in outcome.warnings:
            warnings.warn(text, DataWarning, stacklevel=2)
        if outcome.refusal is None:
            self._done += 1
            _log.info(f"{job.title} is finished ({self._done} of {self._total})")
        else:
            self.failed[job.title] = outcome.refusal
            _log.error(f"{job.title} failed: {outcome.refusal}")
        if self.progress is not None:
            total = job.epochs()[1]
            self.progress(job.title, total, total)

    def show(self) -> None:
        """Report how far every running job is, by its run folder."""
        if self.progress is None:
            return
        self.progress("all trainings", self._done + len(self.failed), self._total)
        for title, job in list(self._running.items()):
            done, total = job.epochs()
            # The last epoch is not the end: evaluation follows.
            self.progress(title, min(done, total - 1), total)
