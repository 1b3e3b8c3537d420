"""Whatever is missing runs."""

from collections.abc import Sequence

from medtail.errors import InputError
from medtail.experiments.jobs.job import Job
from medtail.experiments.jobs.one_precision import in_one_precision
from medtail.experiments.jobs.watch import Watch
from medtail.experiments.jobs.workers import ThisProcess, Workers
from medtail.naming import listing
from medtail.progress import Progress


def run_jobs(jobs: Sequence[Job], workers: Workers | None = None, progress: Progress | None = None) -> None:
    """Do every job that is not finished; continue those that were stopped.

    The run folders are the only record, so that jobs that were killed at any moment continue where they were, and none
    runs twice.

    Args:
        jobs: What should exist in the end.
        workers: Who does them; this process, one after another, if None.
        progress: Told about the epochs of every running job, and about all jobs together.

    Raises:
        InputError: Two jobs share a title or a folder, or a folder holds a run of other settings (nothing is started
            then); or some jobs failed, after all others are finished.
    """
    _check_distinct(jobs)
    for job in jobs:
        job.check()
    missing = [job for job in jobs if not job.finished]
    if not missing:
        return
    workers = workers or ThisProcess()
    for job in missing:
        workers.check(job)
    watch = Watch(len(jobs), len(jobs) - len(missing), progress)
    workers.run(in_one_precision(missing, workers.precision, jobs), watch)
    if not watch.failed:
        return
    if len(jobs) == 1:
        raise InputError(watch.failed[jobs[0].title])
    told = listing((f"{title} ({why})" for title, why in watch.failed.items()), most=3)
    raise InputError(
        f"{len(watch.failed)} of {len(jobs)} trainings failed: {told}; the others are kept, and the same call "
        f"continues with what is missing"
    )


def _check_distinct(jobs: Sequence[Job]) -> None:
    for what, names in (
        ("titles", [job.title for job in jobs]),
        ("run folders", [str(job.run.folder.resolve()) for job in jobs]),
    ):
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise InputError(
                f"jobs must have different {what}, got {listing(sorted(repeated))} more than once; rename one of them"
            )
