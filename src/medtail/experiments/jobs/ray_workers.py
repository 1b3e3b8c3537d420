"""Workers on the machines of a Ray cluster."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from medtail.errors import InputError
from medtail.experiments.jobs.job import Job
from medtail.experiments.jobs.outcome import Outcome, outcome_of
from medtail.experiments.jobs.watch import Watch
from medtail.experiments.jobs.workers import Workers
from medtail.recipes.compose import validate
from medtail.recipes.schema import Recipe
from medtail.training.optimization.precision import choose_precision

_log = logging.getLogger(__name__)

#: How often a job is given to another worker when its worker is killed.
RETRIES = 5

#: Seconds within which the head of a cluster has to answer, first its machine, then Ray.
_ANSWER, _HEALTH = 3.0, 10.0

#: Seconds between two looks at how far the jobs are.
_LOOK = 0.5


@final
class RayWorkers(Workers):
    """The machines of a Ray cluster, which share a file system that holds DATA and the run folders.

    Ray gives each job one GPU where the cluster has GPUs, and else one processor. medtail must be installed on every
    machine, in the version of the caller.

    Args:
        address: As ``ray.init`` takes it: ``HOST:PORT`` of the head, or ``auto`` for the cluster of this machine.

    Raises:
        InputError: Ray is not installed, or no cluster answers there.
    """

    def __init__(self, address: str) -> None:
        # Ray asks for a token otherwise, which a cluster has only if somebody made one.
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        try:
            import ray
        except ModuleNotFoundError as error:
            raise InputError(
                "`cluster` needs the package ray; install it with pip install 'medtail[cluster]'"
            ) from error
        self._ray: Any = ray
        self.address = address
        if address != "auto":
            _check_answers(address)

    def precision(self, recipe: Recipe) -> str:
        """Return what a machine of the cluster that has what a job gets decides for all of them."""
        choose = self._ray.remote(num_cpus=0, num_gpus=min(self._number_of("GPU"), 1))(_precision)
        precision: str = self._ray.get(choose.remote(recipe.model_dump(mode="json"), str(Path.cwd())))
        return precision

    def run(self, jobs: Iterator[Job], watch: Watch) -> None:
        ray = self._ray
        with self._connected():
            gpus, processors = self._number_of("GPU"), self._number_of("CPU")
            _log.info(
                f"a cluster of {len(ray.nodes())} machines, {processors} processors and {gpus} GPUs; one "
                f"{'GPU' if gpus else 'processor'} for each training"
            )
            work = ray.remote(num_cpus=1, num_gpus=min(gpus, 1), max_retries=RETRIES)(_work)
            here = str(Path.cwd())
            running: dict[Any, Job] = {}
            while True:
                while len(running) < max(1, gpus or processors) and (job := next(jobs, None)) is not None:
                    watch.started(job)
                    running[work.remote(job.to_dict(), here)] = job
                if not running:
                    return
                for reference in ray.wait(list(running), timeout=_LOOK)[0]:
                    watch.ended(running.pop(reference), self._outcome(reference))
                watch.show()

    def _number_of(self, resource: str) -> int:
        """How many of a resource the connected cluster has."""
        return int(self._ray.cluster_resources().get(resource, 0))

    def _outcome(self, reference: Any) -> Outcome:
        try:
            return Outcome.from_dict(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            said = str(error).strip().splitlines() or [""]
            return Outcome(
                f"its worker ended {RETRIES + 1} times or could not start ({type(error).__name__}: {said[0][:160]}); "
                f"look into the logs of Ray"
            )

    @contextmanager
    def _connected(self) -> Iterator[None]:
        ray = self._ray
        try:
            ray.init(address=self.address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _no_answer(self.address, str(error).strip().splitlines()[0][:160]) from error
        try:
            yield
        finally:
            # Ends the jobs of this caller that still run; their folders say how far they are.
            ray.shutdown()


def _work(job: dict[str, Any], folder: str) -> dict[str, Any]:
    """What a worker does: a job whose relative paths start at a folder."""
    os.chdir(folder)
    return outcome_of(Job.from_dict(job)).to_dict()


def _precision(recipe: dict[str, Any], folder: str) -> str:
    """What a worker decides for a recipe whose relative paths start at a folder."""
    os.chdir(folder)
    return choose_precision(validate(recipe))


def _check_answers(address: str) -> None:
    """Refuse an address at once at which Ray would try for a minute and then end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"`cluster` must be HOST:PORT or auto, got {address!r}; e.g. 10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _no_answer(address, str(error)) from error
    if address.startswith("ray://"):
        return
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check"]
    environment = {**os.environ, "RAY_ADDRESS": address}
    try:
        healthy = (
            subprocess.run(
                check, capture_output=True, timeout=_HEALTH, check=False, env=environment
            ).returncode
            == 0
        )
    except subprocess.TimeoutExpired:
        healthy = False
    if not healthy:
        raise _no_answer(address, "what listens there is no Ray cluster")


def _no_answer(address: str, why: str) -> InputError:
    return InputError(
        f"`cluster` must be the address of a Ray cluster, but none answers at {address} ({why}); start one with "
        f"ray start and the option head, or leave `cluster` out"
    )
