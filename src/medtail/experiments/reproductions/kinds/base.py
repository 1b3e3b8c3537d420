"""What every kind of reproduction has in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import numpy as np
from markupsafe import Markup

from medtail.experiments.jobs import Job
from medtail.experiments.planned_runs import PlannedRun, check_planned, with_seed
from medtail.experiments.reproductions.plan import PlannedPart, Row
from medtail.experiments.variants import Variant
from medtail.recipes.compose import merge
from medtail.recipes.schema import Settings
from medtail.runs.run import Run


@final
@dataclass(frozen=True)
class Reached:
    """A number of ours.

    Attributes:
        values: One per seed; NaN where it is undefined.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(self.values)) if self.values else float("nan")

    @property
    def deviation(self) -> float:
        """The sample standard deviation over seeds; NaN for one seed."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else float("nan")


@final
@dataclass(frozen=True)
class DrawnFigure:
    """A figure of the page.

    Attributes:
        caption: What it shows, and of what.
        drawing: Inline SVG, or an image.
    """

    caption: str
    drawing: Markup


@final
@dataclass(frozen=True)
class Findings:
    """What one part came to.

    Attributes:
        cells: Our numbers, by row and column.
        figures: In the order they are shown.
        remarks: Sentences.
    """

    cells: dict[tuple[str, str], Reached] = field(default_factory=dict)
    figures: list[DrawnFigure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Kind(Settings, ABC):
    """A kind of table or figure; abstract.

    Attributes:
        needs_data: Whether images are needed.
    """

    needs_data: ClassVar[bool] = True

    def teachers(self, part: PlannedPart) -> list[Job]:
        """Return the trainings that others of a part learn from, checked.

        Raises:
            InputError: As :meth:`jobs`.
        """
        return []

    def jobs(self, part: PlannedPart) -> list[Job]:
        """Return the trainings of a part, checked; none for a kind that trains nothing. Teachers need not exist yet.

        Raises:
            InputError: A recipe is wrong, or a folder holds another run.
        """
        return []

    @abstractmethod
    def findings(self, part: PlannedPart) -> Findings:
        """Return what a part came to, once its trainings are finished."""

    def label_of(self, row: Row) -> str:
        """Return the label of the table's row that a trained row belongs to."""
        return row.label

    def columns_of(self, part: str) -> Sequence[str]:
        """Return the columns of a part whose numbers are ours or printed; none for a figure without numbers."""
        return []


class OfVariants(Kind, ABC):
    """A kind whose rows are trained as one method each; abstract."""

    def teachers(self, part: PlannedPart) -> list[Job]:
        teachers = [row.teacher for row in part.trained_rows if row.teacher is not None]
        planned = [
            replace(_planned(part, teacher.variant, 0, part.trainings(teacher.variant)[0]), folds=None)
            for teacher in teachers
        ]
        return check_planned(part.collection, planned, recipe=part.recipe, changes=part.changes)

    def jobs(self, part: PlannedPart) -> list[Job]:
        planned, awaited = [], []
        for row in part.trained_rows:
            variant = row.variant
            if row.teacher is not None:
                teacher = part.trainings(row.teacher.variant)[0].folder.resolve()
                awaited.append(teacher)
                learning = {"method": {"teacher": str(teacher)}}
                variant = replace(variant, settings=merge(variant.settings, learning))
            planned += [
                _planned(part, variant, seed, run) for seed, run in enumerate(part.trainings(variant))
            ]
        return check_planned(
            part.collection, planned, recipe=part.recipe, changes=part.changes, awaited=awaited
        )


def _planned(part: PlannedPart, variant: Variant, seed: int, run: Run) -> PlannedRun:
    title = f"{part.title}: {variant.label}, seed {seed}"
    return PlannedRun(title, run, variant.method, with_seed(variant.settings, seed), folds=part.folds)
