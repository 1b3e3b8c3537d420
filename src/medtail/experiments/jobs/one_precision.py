"""Trainings of one network have one precision, whoever does them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from medtail.experiments.jobs.job import Job
from medtail.recipes.compose import load_recipe
from medtail.recipes.schema import Recipe
from medtail.runs.stored_files import digest_of
from medtail.training.optimization.precision import in_precision, network_settings


def in_one_precision(
    jobs: Iterable[Job], choose: Callable[[Recipe], str], others: Iterable[Job] = ()
) -> Iterator[Job]:
    """Yield the jobs with ``training.precision=auto`` resolved, once for all that train the same network.

    Rows and seeds of a table could otherwise differ in it where machines do, or versions that began them.

    Args:
        jobs: To do. Those whose runs are begun continue as they were begun.
        choose: Decides for a recipe if no run of its network is begun.
        others: The runs among these that are begun decide for their networks.
    """
    chosen: dict[str, str] = {}
    for job in others:
        if _undecided(job) and job.run.recipe.is_file():
            chosen.setdefault(_network(job), load_recipe(job.run.recipe).training.precision)
    for job in jobs:
        if not _undecided(job) or job.run.recipe.is_file():
            yield job
            continue
        network = _network(job)
        if network not in chosen:
            chosen[network] = choose(job.recipe)
        yield replace(job, recipe=in_precision(job.recipe, chosen[network]))


def _undecided(job: Job) -> bool:
    return job.recipe.training.precision == "auto"


def _network(job: Job) -> str:
    return digest_of(network_settings(job.recipe))
