"""A grid of trainings: one method at every combination of some settings, and the folder of each run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, final

from medtail.errors import InputError
from medtail.files import write_json
from medtail.runs.run import Run
from medtail.runs.stored_files import read_json

_FILE = "grid.json"


@final
@dataclass(frozen=True)
class Point:
    """One training of a grid, for any seed.

    Attributes:
        number: Its place in the grid, from 0; the last axis changes fastest.
        values: Value of each axis, by the path of the setting.
    """

    number: int
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """For a folder: ``gamma=0.1,tau=2``, or ``gamma=0_0.3_3.3`` for a value of several numbers."""
        return ",".join(f"{short_name(path)}={value_name(value)}" for path, value in self.values.items())

    @property
    def title(self) -> str:
        """For people: ``gamma = 0.1, tau = 2``, or ``gamma ~ L(0, 0.3, 3.3)`` for a distribution."""
        return ", ".join(axis_value(path, value) for path, value in self.values.items())

    @property
    def settings(self) -> dict[str, Any]:
        """The values as the sections of a recipe."""
        settings: dict[str, Any] = {}
        for path, value in self.values.items():
            *sections, key = path.split(".")
            inner = settings
            for section in sections:
                inner = inner.setdefault(section, {})
            inner[key] = value
        return settings


@final
@dataclass(frozen=True)
class Grid:
    """Trainings of one method over the product of some settings.

    Attributes:
        name: Also that of its folder.
        description: One line.
        method: Key of a method recipe.
        axes: Values of each setting, by its path in a recipe, e.g. ``loss.gamma``.
        baseline: Name of the grid that figures compare it with, if any.
        chosen: Numbers of the points to train; all of them when None.

    Raises:
        InputError: Two points would share a folder, or there is no point with a chosen number.

    Example:
        >>> grid = Grid("vs", "", "vector_scaling", {"loss.gamma": [0, 0.1], "loss.tau": [0, 1, 2]}, chosen=(0, 5))
        >>> [point.name for point in grid.points]
        ['gamma=0,tau=0', 'gamma=0.1,tau=2']
        >>> grid.points[1].settings
        {'loss': {'gamma': 0.1, 'tau': 2}}
    """

    name: str
    description: str
    method: str
    axes: Mapping[str, Sequence[Any]]
    baseline: str | None = None
    chosen: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        every = self._every_point()
        names = [point.name for point in every]
        if len(set(names)) < len(names) or len({short_name(path) for path in self.axes}) < len(self.axes):
            raise InputError(
                f"grid {self.name} must have axes with different last names and different values, "
                f"got {', '.join(self.axes)}; leave the repeated one out"
            )
        for number in self.chosen or ():
            if not 0 <= number < len(every):
                raise InputError(
                    f"`chosen` must be numbers from 0 to {len(every) - 1} for grid {self.name}, got {number}; "
                    f"they count its combinations, the last setting changing fastest"
                )
        if self.chosen is not None and (not self.chosen or len(set(self.chosen)) < len(self.chosen)):
            raise InputError(
                f"`chosen` must name at least one point and each once, got {list(self.chosen)}; correct the list"
            )

    def _every_point(self) -> list[Point]:
        return [
            Point(number, dict(zip(self.axes, values, strict=True)))
            for number, values in enumerate(product(*self.axes.values()))
        ]

    @property
    def size(self) -> int:
        """The number of points, trained or not."""
        return len(self._every_point())

    @property
    def points(self) -> list[Point]:
        """The points that are trained, in their order."""
        every = self._every_point()
        return every if self.chosen is None else [every[number] for number in sorted(self.chosen)]


@final
@dataclass(frozen=True)
class GridRuns:
    """The runs of a grid, in one folder with the file ``grid.json``.

    Attributes:
        folder: Where they lie.
        grid: What was trained.
        seeds: How many seeds; they are 0, 1, ….
    """

    folder: Path
    grid: Grid
    seeds: int

    def run(self, point: Point, seed: int) -> Run:
        """The run of a point and a seed."""
        return Run(self.folder / f"{point.name}-seed{seed}")

    def write(self) -> None:
        """Write ``grid.json``."""
        write_json(
            self.folder / _FILE,
            {
                "format": 1,
                "name": self.grid.name,
                "description": self.grid.description,
                "method": self.grid.method,
                "baseline": self.grid.baseline,
                "axes": {path: list(values) for path, values in self.grid.axes.items()},
                "chosen": None if self.grid.chosen is None else list(self.grid.chosen),
                "seeds": self.seeds,
            },
        )

    @staticmethod
    def in_folder(folder: Path) -> bool:
        """Whether a folder holds the runs of a grid."""
        return (folder / _FILE).is_file()

    @classmethod
    def read(cls, folder: Path) -> "GridRuns":
        """Read ``grid.json``.

        Raises:
            InputError: It is missing or damaged.
        """
        path = folder / _FILE
        if not path.is_file():
            raise InputError(
                f"{folder} is not a grid of runs: {_FILE} is missing; train one with `compare()` and `grids`"
            )
        try:
            saved = read_json(path, "train it again with `compare()` and `grids`; finished runs are kept")
            chosen = None if saved["chosen"] is None else tuple(saved["chosen"])
            names = ("name", "description", "method", "axes", "baseline")
            grid = Grid(**{name: saved[name] for name in names}, chosen=chosen)
            return cls(folder, grid, int(saved["seeds"]))
        except InputError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} is damaged ({error}); train it again with `compare()` and `grids`; finished runs are kept"
            ) from error


def short_name(path: str) -> str:
    """The last part of a setting's path: ``gamma`` of ``loss.gamma``."""
    return path.rpartition(".")[2]


def axis_value(path: str, value: Any) -> str:
    """A value of an axis with its name, for people."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{short_name(path)} ~ {axis_label(value)}"
    return f"{short_name(path)} = {axis_label(value)}"


def axis_label(value: Any) -> str:
    """A value of an axis alone: ``0.1``, or ``L(0, 0.3, 3.3)``."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"L({', '.join(map(_text, value))})"
    return _text(value)


def value_name(value: Any) -> str:
    """A value of an axis in the name of a folder: ``0.1``, or ``0_0.3_3.3`` for several numbers."""
    several = isinstance(value, Iterable) and not isinstance(value, str)
    return ("_".join(map(_text, value)) if several else _text(value)).replace("/", "-")


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
