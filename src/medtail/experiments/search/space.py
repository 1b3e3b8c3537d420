"""Which settings a search may change, and between which values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, final

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from medtail.errors import InputError
from medtail.experiments.variants import nested
from medtail.recipes.compose import read_axis, read_settings, recipe_names
from medtail.recipes.schema import Settings

#: The space of methods that have none of their own.
_OF_ANY_METHOD = "optimizer"

_FORM = "settings by their paths, each a list of values or {low, high, log, step}"


class Range(Settings):
    """Numbers from ``low`` to ``high``; whole ones where both and ``step`` are."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _is_a_range(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs low above 0 and no step")
        return self

    @property
    def ends(self) -> tuple[Any, Any]:
        """The lowest and the highest value."""
        return self.low, self.high

    def distribution(self) -> Any:
        """Return the range as Optuna knows it."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if all(isinstance(value, int) for value in (self.low, self.high, self.step)):
            return IntDistribution(int(self.low), int(self.high), step=int(self.step or 1))
        return FloatDistribution(float(self.low), float(self.high), log=self.log, step=self.step)


@final
@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]
    log = False

    @property
    def ends(self) -> tuple[Any, Any]:
        """The first and the last value."""
        return self.values[0], self.values[-1]

    def distribution(self) -> Any:
        """Return the choice as Optuna knows it."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)


_AXES: TypeAdapter[dict[str, Range | list[bool | int | float | str]]] = TypeAdapter(
    Annotated[
        dict[str, Range | Annotated[list[bool | int | float | str], Field(min_length=2)]], Field(min_length=1)
    ]
)


@final
@dataclass(frozen=True)
class Space:
    """Settings of a recipe and the values they may take.

    Attributes:
        axes: A range or a choice by the path of each setting.
    """

    axes: Mapping[str, Range | Choice]

    def distributions(self) -> dict[str, Any]:
        """Return the axes as Optuna knows them."""
        return {path: axis.distribution() for path, axis in self.axes.items()}

    def corners(self) -> list[dict[str, Any]]:
        """Return two sets of settings to check: every axis at its lowest or first value, and at its last."""
        return [nested({path: axis.ends[end] for path, axis in self.axes.items()}) for end in (0, 1)]

    def to_dict(self) -> dict[str, Any]:
        """Return the space as a file of spaces holds it."""
        return {
            path: list(axis.values) if isinstance(axis, Choice) else axis.model_dump()
            for path, axis in self.axes.items()
        }


def space_of(method: str) -> Space:
    """Return the space that comes with medtail for a method; that of the optimizer where there is none."""
    name = method if method in recipe_names("spaces") else _OF_ANY_METHOD
    return _space(read_axis("spaces", name), f"space {name}")


def read_space(path: Path) -> Space:
    """Read a file of a space.

    It holds settings by their paths, each a list of values or a range::

        loss.gamma: {low: 0.0, high: 5.0}
        optimizer.learning_rate: {low: 0.0003, high: 0.03, log: true}
        head.name: [linear, cosine]

    Raises:
        InputError: The file is missing or wrong, or it would change the data that all trials share.
    """
    return _space(read_settings(path, "space", f"it holds {_FORM}"), f"space file {path}")


def _space(content: Any, place: str) -> Space:
    try:
        axes = _AXES.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][0]) + ": " if first["loc"] else ""
        raise InputError(
            f"{place} must hold {_FORM}: {where}{first['msg'].removeprefix('Value error, ').lower()}"
        ) from error
    for setting in axes:
        if setting.startswith("data.") or setting in ("training.seed", "training.monitor"):
            raise InputError(
                f"{place} must leave {setting} alone, because trials are compared on the same validation images; "
                f"leave it out, or set it for all trials"
            )
    return Space(
        {path: axis if isinstance(axis, Range) else Choice(tuple(axis)) for path, axis in axes.items()}
    )
