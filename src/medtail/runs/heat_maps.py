"""The heat maps of a run's test images: pictures, and what each of them shows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

from medtail.files import write_json
from medtail.runs.run import Run
from medtail.runs.stored_files import damaged, read_json

_REMEDY = "write it again with `evaluate()`"


@final
@dataclass(frozen=True)
class Example:
    """One explained test image.

    Attributes:
        id: Of the image.
        class_name: A class that it is of.
        recognised: Whether that class was decided.
        explained: Names of the classes whose evidence is drawn, in the order of the picture.
        probability: Of ``class_name``.
        picture: Name of the picture's file.
    """

    id: str
    class_name: str
    recognised: bool
    explained: Sequence[str]
    probability: float
    picture: str


@final
@dataclass(frozen=True)
class HeatMaps:
    """The content of ``heat_maps/examples.json``.

    Attributes:
        heat_map: How maps were weighed.
        examples: In the order of the report.
    """

    heat_map: str
    examples: Sequence[Example]

    def save(self, run: Run) -> None:
        """Write the file, after the pictures that it names."""
        write_json(run.heat_maps, asdict(self))

    @classmethod
    def load(cls, run: Run) -> "HeatMaps | None":
        """Read the file; None if the run has none.

        Raises:
            InputError: It is damaged, or a picture is missing.
        """
        if not run.heat_maps.is_file():
            return None
        content = read_json(run.heat_maps, _REMEDY)
        try:
            heat_maps = cls(content["heat_map"], [Example(**example) for example in content["examples"]])
        except (KeyError, TypeError) as error:
            raise damaged(run.heat_maps, "does not describe heat maps", _REMEDY) from error
        for example in heat_maps.examples:
            if Path(example.picture).name != example.picture or not heat_maps.picture(run, example).is_file():
                raise damaged(
                    run.heat_maps, f"names the picture {example.picture!r}, which is missing", _REMEDY
                )
        return heat_maps

    def picture(self, run: Run, example: Example) -> Path:
        """The file of a picture."""
        return run.heat_maps.parent / example.picture
