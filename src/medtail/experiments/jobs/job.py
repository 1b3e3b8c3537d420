"""A job: one training that should exist in the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from medtail.data import TableColumns, open_collection
from medtail.data.decoded.cache import PixelCache
from medtail.progress import Progress
from medtail.recipes.compose import validate
from medtail.recipes.schema import Recipe
from medtail.runs.run import EvaluatedSplit, Run
from medtail.training.fit import train, train_trial
from medtail.training.fold_training import cross_validate
from medtail.training.run_folder import check_same_recipe


@final
@dataclass(frozen=True)
class Job:
    """One training, or the trainings of a cross-validation, whether it exists or not.

    Attributes:
        title: Its name in progress and messages.
        data: As :func:`medtail.data.open_collection` takes it.
        recipe: Every setting, ``data.columns`` included.
        run: The folder to write. It is the only record of how far the job is: ``summary.json`` marks its end.
        folds: The number of folds of a cross-validation; None for one training.
        judged_on: The split that judges the training in the end. A trial of a search is judged on validation alone: no
            test image reaches its model.

    Example:
        >>> from medtail.recipes.compose import compose
        >>> job = Job("ce-seed0", "digits-lt", compose("digits-lt", "ce"), Run(Path("runs/ce-seed0")))
        >>> Job.from_dict(job.to_dict()) == job
        True
    """

    title: str
    data: str
    recipe: Recipe
    run: Run
    folds: int | None = None
    judged_on: EvaluatedSplit = "test"

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.run.summary.is_file()

    def check(self) -> None:
        """Refuse a folder that holds a run of other settings.

        Raises:
            InputError: Naming every difference.
        """
        check_same_recipe(self.run, self.recipe)

    def epochs(self) -> tuple[int, int]:
        """Return how many epochs are finished, and how many there are, over all folds."""
        runs = [self.run] if self.folds is None else [self.run.fold(k) for k in range(1, self.folds + 1)]
        return sum(map(_finished_epochs, runs)), len(runs) * self.recipe.training.epochs

    def train(self, *, progress: Progress | None = None, cache: PixelCache | None = None) -> None:
        """Train, or continue after the last finished epoch; the result is that of an unbroken training.

        Raises:
            InputError: As :func:`medtail.training.train` and :func:`medtail.training.cross_validate`.
        """
        columns = TableColumns(**self.recipe.data.columns.model_dump())
        collection = open_collection(self.data, columns=columns)
        resume = self.run.folder.is_dir()
        if self.folds is None:
            training = _TRAININGS[self.judged_on]
            training(collection, self.recipe, self.run, resume=resume, progress=progress, cache=cache)
        else:
            cross_validate(
                collection, self.recipe, self.run, self.folds, resume=resume, progress=progress, cache=cache
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the job as values that JSON can hold, for another process."""
        return {
            "title": self.title,
            "data": self.data,
            "recipe": self.recipe.model_dump(mode="json"),
            "run": str(self.run.folder),
            "folds": self.folds,
            "judged_on": self.judged_on,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Job":
        """Return the job that :meth:`to_dict` described."""
        run, recipe = Run(Path(saved["run"])), validate(saved["recipe"])
        return cls(saved["title"], saved["data"], recipe, run, saved["folds"], saved["judged_on"])


#: How a job is trained, by the split that judges it.
_TRAININGS: Mapping[EvaluatedSplit, Callable[..., dict[str, Any]]] = {
    "test": train,
    "validation": train_trial,
}


def _finished_epochs(run: Run) -> int:
    try:
        return max(0, len(run.metrics.read_text(encoding="utf-8").splitlines()) - 1)
    except FileNotFoundError:
        return 0
