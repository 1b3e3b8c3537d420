"""A reproduction as it is written down in ``definitions/``; what the tables of a paper share is in ``protocols/``."""

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, final

import yaml
from pydantic import Field

from medtail.errors import InputError
from medtail.experiments.reproductions.kinds.angles import NegativeAngles, OwnAngles
from medtail.experiments.reproductions.kinds.class_counts import ClassShares
from medtail.experiments.reproductions.kinds.confusions import Confusions
from medtail.experiments.reproductions.kinds.crossed import CrossedTable
from medtail.experiments.reproductions.kinds.equations import Densities, Margins, ScaleCurves
from medtail.experiments.reproductions.kinds.gradients import Gradients
from medtail.experiments.reproductions.kinds.grid_figures import HeatMap, OneModel, PrecisionAtRecalls
from medtail.experiments.reproductions.kinds.grids import GridTable
from medtail.experiments.reproductions.kinds.methods import MethodsTable
from medtail.experiments.reproductions.kinds.pictures import AugmentedImages, Embeddings
from medtail.experiments.reproductions.kinds.sweep import Sweep
from medtail.experiments.reproductions.plan import Row
from medtail.naming import nearest
from medtail.recipes.schema import Settings

BudgetName = Literal["quick", "paper"]

AnyKind = Annotated[
    MethodsTable
    | CrossedTable
    | GridTable
    | PrecisionAtRecalls
    | OneModel
    | HeatMap
    | NegativeAngles
    | OwnAngles
    | ClassShares
    | Confusions
    | Sweep
    | Embeddings
    | AugmentedImages
    | ScaleCurves
    | Densities
    | Margins
    | Gradients,
    Field(discriminator="name"),
]


@final
class Part(Settings):
    """A part of a table: one data set.

    Attributes:
        data: Name of the paper's data set; None where none is needed.
        recipe: Name of a data-set recipe at the budget of the paper, where the part has its own.
        set: Settings laid over those of the budget.
        stand_in_set: From the name of a stand-in to the settings that replace ``set``.
    """

    data: str | None = None
    recipe: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    stand_in_set: dict[str, dict[str, Any]] = Field(default_factory=dict)


@final
class Budget(Settings):
    """How much is trained.

    Attributes:
        seeds: How many.
        folds: The number of folds, if every training is a cross-validation, whose folds are judged each by itself.
        says: What is trained, in a sentence.
        recipe: Name of a data-set recipe; chosen by the data if None.
        set: Settings laid over every recipe.
        parts: The parts that are trained; all if None.
        rows: The rows that are trained; all if None.
        grid_points: Numbers of the points of each grid; all if None.
    """

    seeds: int = Field(1, ge=1)
    folds: int | None = Field(None, ge=2)
    says: str
    recipe: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    parts: list[str] | None = None
    rows: list[str] | None = None
    grid_points: tuple[int, ...] | None = None


@final
class Definition(Settings):
    """A table or figure of a paper, and how it is reproduced.

    Attributes:
        name: Such as ``dal-table1``.
        title: One line.
        source: The paper.
        protocol: How the paper trains and judges.
        kind: What is computed and shown.
        parts: The data sets, by the names in ``printed.csv``.
        rows: What is trained.
        budgets: ``quick`` and ``paper``.
        notes: What to know about the printed numbers.
    """

    name: str
    title: str
    source: str
    protocol: str
    kind: AnyKind
    parts: dict[str, Part]
    rows: list[Row] = Field(default_factory=list)
    budgets: dict[BudgetName, Budget]
    notes: list[str] = Field(default_factory=list)

    @property
    def paper(self) -> str:
        """Short name of the paper."""
        return self.name.rpartition("-")[0]

    @property
    def item(self) -> str:
        """The table or figure, as in ``printed.csv``."""
        return self.name.rpartition("-")[2]


_HERE = resources.files(__package__)


@cache
def reproduction_names() -> list[str]:
    """Return every name, by paper and number."""
    names = [
        Path(entry.name).stem for entry in (_HERE / "definitions").iterdir() if entry.name.endswith(".yaml")
    ]
    papers = ["dal", "lct", "alpa", "metric-losses", "dbm"]

    def place(name: str) -> tuple[int, str, int]:
        paper, _, item = name.rpartition("-")
        letters = item.rstrip("0123456789")
        return papers.index(paper), "" if letters == "table" else letters, int(item[len(letters) :])

    return sorted(names, key=place)


def read_definition(name: str) -> Definition:
    """Read the definition of a reproduction.

    Raises:
        InputError: There is none of this name; the message names the nearest.
    """
    known = reproduction_names()
    if name not in known:
        raise InputError(f"`name` must be one of {', '.join(known)}, got {name!r}{nearest(name, known)}")
    own = _content("definitions", name)
    shared = _content("protocols", own.pop("shared")) if "shared" in own else {}
    return Definition.model_validate({"name": name, **shared, **own})


def describe(name: str) -> str:
    """Return the title of a reproduction without reading all of it."""
    return str(_content("definitions", name)["title"])


def _content(folder: str, name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((_HERE / folder / f"{name}.yaml").read_text(encoding="utf-8")))
