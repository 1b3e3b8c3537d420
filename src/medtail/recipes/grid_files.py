"""Files of grids: those that come with medtail, ``recipes/grids/*.yaml``, and those of users."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from medtail.errors import InputError
from medtail.naming import nearest
from medtail.recipes.compose import describe_axis, read_axis, read_settings, recipe_names
from medtail.recipes.schema import Settings
from medtail.runs.grid import Grid


class GridFile(Settings):
    """The content of a grid file."""

    method: str
    baseline: str | None = None
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(min_length=1)


def read_grid(name: str, chosen: tuple[int, ...] | None = None) -> Grid:
    """Read a grid.

    Args:
        name: One of ``recipe_names("grids")``, or the path of a file like those.
        chosen: Numbers of the points to train; all of them if None.

    Raises:
        InputError: There is no such grid, or its file is wrong.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        content, description, name = _read_file(path), _first_comment(path), path.stem
    else:
        content, description = read_axis("grids", name), describe_axis("grids", name)
    try:
        file = GridFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise InputError(
            f"grid {name} must have method, a recipe of it, and grid, lists of values by the path of a setting: "
            f"{place}: {first['msg'].lower()}; see docs/tuning_after_training.md"
        ) from error
    known = recipe_names("methods")
    if file.method not in known:
        raise InputError(
            f"method of grid {name} must be a method recipe, got {file.method!r}{nearest(file.method, known)}"
        )
    return Grid(name, description, file.method, file.grid, file.baseline, chosen)


def _read_file(path: Path) -> Any:
    if not path.exists():
        raise InputError(
            f"grid file {path} does not exist; give one that does, or one of {', '.join(recipe_names('grids'))}"
        )
    return read_settings(path, "grid", "it has the keys method, baseline, grid")


def _first_comment(path: Path) -> str:
    line = path.read_text(encoding="utf-8").partition("\n")[0]
    return line.removeprefix("#").strip() if line.startswith("#") else ""
