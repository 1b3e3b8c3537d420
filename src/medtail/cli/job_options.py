"""Options of commands that train several runs: who trains them."""

from typing import TYPE_CHECKING, Annotated

import typer

from medtail.errors import InputError

if TYPE_CHECKING:
    from medtail.experiments.jobs import Workers

Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", metavar="N", help="Trainings at a time; as many as fill processors and GPUs by default."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="ADDRESS", help="Train on a Ray cluster: HOST:PORT of its head, or auto."
    ),
]


def chosen_workers(jobs: int | None, cluster: str | None) -> "Workers":
    """Return who trains, as ``--jobs`` and ``--cluster`` say.

    Raises:
        InputError: Both are given, one of them is wrong, or no cluster answers.
    """
    # Imported late: trainings take Lightning, which --help need not wait for.
    from medtail.experiments.jobs import LocalWorkers, RayWorkers, ThisProcess
    from medtail.experiments.jobs.machine import fitting_jobs

    if cluster is not None:
        if jobs is not None:
            raise InputError(
                "--jobs is for this machine, a cluster decides by itself; leave --jobs or --cluster out"
            )
        return RayWorkers(cluster)
    count = fitting_jobs() if jobs is None else jobs
    return ThisProcess() if count == 1 else LocalWorkers(count)
