"""What became of a job, as another process is told."""

import os
import tempfile
import traceback
import warnings
from dataclasses import asdict, dataclass
from typing import Any, final

from medtail.data.collection import DataWarning
from medtail.data.decoded.cache import PixelCache, default_cache_folder
from medtail.errors import InputError
from medtail.experiments.jobs.job import Job


@final
@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        refusal: Why it failed, in one sentence; None if it is finished.
        warnings: What the data was warned about.
    """

    refusal: str | None = None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Outcome":
        """Return the outcome that :meth:`to_dict` described."""
        return cls(saved["refusal"], tuple(saved["warnings"]))


def outcome_of(job: Job) -> Outcome:
    """Do a job, unless it is finished, and say what became of it.

    Decoded pixels are kept in the user's cache, so that of several jobs on one data set one decodes the images and all
    map them into memory.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        refusal = None if job.finished else _refusal(job)
    about_data = [str(warning.message) for warning in caught if issubclass(warning.category, DataWarning)]
    return Outcome(refusal, tuple(about_data))


def _refusal(job: Job) -> str | None:
    try:
        job.train(cache=PixelCache(default_cache_folder(), keeps_all=True))
    except InputError as error:
        return str(error)
    except Exception as error:
        if isinstance(error, MemoryError) or "out of memory" in str(error):
            return "memory is exhausted; run fewer jobs at a time with `jobs`, or lower `training.batch_size`"
        return f"{type(error).__name__}: {str(error)[:160]} (details in {_written(error)})"
    return None


def _written(error: Exception) -> str:
    """The path of a file that holds the traceback."""
    handle, path = tempfile.mkstemp(prefix="medtail-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return path
