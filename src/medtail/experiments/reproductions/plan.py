"""What a reproduction is about to do: its parts with their data, rows and folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

from pydantic import Field

from medtail.data import ImageCollection, open_collection
from medtail.experiments.planned_runs import check_one_class_per_image
from medtail.experiments.reproductions.data_sets import GivenData
from medtail.experiments.variants import Variant, nested
from medtail.recipes.choose_recipe import chosen_columns
from medtail.recipes.schema import Settings
from medtail.runs.run import Run


@final
class TrainedFirst(Settings):
    """A training that a row starts from or learns from.

    Attributes:
        label: Its name.
        method: Key of a method recipe.
        set: Settings laid over those of the budget, nested or by their paths.
    """

    label: str
    method: str
    set: dict[str, Any] = Field(default_factory=dict)

    @property
    def variant(self) -> Variant:
        """What is trained."""
        return Variant(self.label, self.method, nested(self.set))


@final
class Row(Settings):
    """A row of a table.

    Attributes:
        label: As in ``printed.csv``.
        method: Key of a method recipe; None for a row that is not trained or is a grid.
        grid: Name of a grid of trainings.
        set: Settings laid over those of the budget, nested or by their paths.
        teacher: The training that it learns from, one for all seeds.
        not_run: Why it is not trained.
        row: Its row in a table of rows × columns.
        column: Its column there.
    """

    label: str
    method: str | None = None
    grid: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    teacher: TrainedFirst | None = None
    not_run: str | None = None
    row: str | None = None
    column: str | None = None

    @property
    def variant(self) -> Variant:
        """What is trained for a row with a method."""
        return Variant(self.label, str(self.method), nested(self.set))


@final
@dataclass(frozen=True)
class PlannedPart:
    """A part of a table or figure, which is of one data set.

    Attributes:
        title: As in ``printed.csv``.
        given: The data; None for a part that needs none.
        rows: What is trained.
        folder: Where its runs are.
        seeds: How many seeds; they are 0, 1, ….
        folds: The number of folds, if every training is a cross-validation.
        recipe: Name of a data-set recipe; chosen by the data if None.
        changes: Settings laid over every recipe, in order.
        grid_points: Numbers of the points of each grid to train; all if None.
    """

    title: str
    given: GivenData | None
    rows: Sequence[Row]
    folder: Path
    seeds: int
    recipe: str | None
    changes: Sequence[Mapping[str, Any]]
    grid_points: tuple[int, ...] | None = None
    folds: int | None = None

    @cached_property
    def collection(self) -> ImageCollection:
        """The images.

        Raises:
            InputError: They cannot be opened.
        """
        assert self.given is not None
        opened = open_collection(self.given.data, columns=chosen_columns(self.recipe, self.changes))
        check_one_class_per_image(opened, "the papers' tables")
        return opened

    @property
    def trained_rows(self) -> list[Row]:
        """The rows that are trained as one method each."""
        return [row for row in self.rows if row.method is not None and row.not_run is None]

    def trainings(self, variant: Variant) -> list[Run]:
        """The folders that a variant is trained into, one per seed."""
        return [Run(self.folder / f"{variant.folder}-seed{seed}") for seed in range(self.seeds)]

    def runs(self, row: Row) -> list[Run]:
        """The runs that a row is judged by, one per seed, or per seed and fold."""
        trainings = self.trainings(row.variant)
        if self.folds is None:
            return trainings
        return [run.fold(number) for run in trainings for number in range(1, self.folds + 1)]
