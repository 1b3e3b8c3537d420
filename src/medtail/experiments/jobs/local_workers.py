"""Workers that are processes of this machine."""

import json
import logging
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import final

from medtail.errors import InputError, TerminatedError
from medtail.experiments.jobs.job import Job
from medtail.experiments.jobs.machine import num_cores, worker_environment
from medtail.experiments.jobs.outcome import Outcome
from medtail.experiments.jobs.watch import Watch
from medtail.experiments.jobs.workers import Workers

_log = logging.getLogger(__name__)

#: How often the process of a job may end before the job counts as failed.
ATTEMPTS = 3

#: Seconds between two looks at how far the jobs are.
_LOOK = 0.5


@final
class LocalWorkers(Workers):
    """Several processes of this machine, each with its share of the processors and one of the GPUs.

    Decoded pixels are kept in the user's cache: the first worker that needs those of a data set decodes them, and all
    others map the same file into memory.

    Args:
        count: How many jobs run at a time.

    Raises:
        InputError: ``count`` is less than 1.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise InputError(f"`jobs` must be 1 or more, got {count}; leave it out to fill the machine")
        self.count = count

    def run(self, jobs: Iterator[Job], watch: Watch) -> None:
        threads = worker_environment(0, self.count)["OMP_NUM_THREADS"]
        _log.info(
            f"up to {self.count} trainings at a time on {num_cores()} processors, threads of each: {threads}"
        )
        idle = [_Slot(number, self.count) for number in range(self.count)]
        slots = list(idle)
        pool = ThreadPoolExecutor(self.count)
        running: dict[Future[Outcome], tuple[Job, _Slot]] = {}
        try:
            while True:
                while idle and (job := next(jobs, None)) is not None:
                    slot = idle.pop(0)
                    watch.started(job)
                    running[pool.submit(slot.train, job)] = (job, slot)
                if not running:
                    return
                for future in wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED).done:
                    job, slot = running.pop(future)
                    idle.append(slot)
                    watch.ended(job, future.result())
                watch.show()
        except TerminatedError:
            for slot in slots:
                slot.ask_to_end()
            for slot in slots:
                slot.wait()
            raise
        finally:
            for slot in slots:
                slot.close()
            pool.shutdown(wait=False)


@final
class _Slot:
    """A worker, and the process that it is; a process that dies is replaced."""

    def __init__(self, number: int, count: int) -> None:
        self._environment = worker_environment(number, count)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[str] | None = None
        self._closed = False

    def train(self, job: Job) -> Outcome:
        """Have a job done, by another process if one is killed."""
        for _ in range(ATTEMPTS):
            answer = self._answer(job)
            if answer:
                return Outcome.from_dict(json.loads(answer))
            if self._closed:
                return Outcome("it was stopped")
            _log.warning(
                f"the process of {job.title} ended; another one continues after the last finished epoch"
            )
        return Outcome(
            f"its process ended {ATTEMPTS} times{self._last_words()}; run fewer jobs at a time with `jobs`"
        )

    def _answer(self, job: Job) -> str:
        """What the process answers; nothing if it ended."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "medtail.experiments.jobs.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                env=self._environment,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(job.to_dict()) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return ""
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
        return answer

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f" (it said last: {said[:160]})" if said else ""

    def ask_to_end(self) -> None:
        """Ask the process to end after its epoch."""
        self._closed = True
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait until the process has ended."""
        if self._process is not None:
            self._process.wait()

    def close(self) -> None:
        """End the process, wherever it is."""
        self._closed = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._errors.close()
