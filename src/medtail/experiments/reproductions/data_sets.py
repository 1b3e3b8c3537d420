"""The data sets of the papers by name, and which others may stand in for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import final

import yaml
from pydantic import Field, TypeAdapter

from medtail.errors import InputError
from medtail.naming import nearest
from medtail.recipes.schema import Settings


@final
class KnownDataSet(Settings):
    """An entry of ``data_sets.yaml``.

    Attributes:
        title: What it is.
        classes: What its classes are; data sets of the same ones share their names. None where no column names one.
        stand_ins: Which others may stand in for it, the nearest first.
    """

    title: str
    classes: str | None = None
    stand_ins: list[str] = Field(default_factory=list)


@final
@dataclass(frozen=True)
class GivenData:
    """The data that a part of a table is reproduced on.

    Attributes:
        name: Under which name they were given.
        data: As :func:`medtail.data.open_collection` takes them.
        stands_in_for: Title of the paper's data set, if these are others.
        same_classes: Whether the classes are those of the paper's data set.
    """

    name: str
    data: str
    stands_in_for: str | None
    same_classes: bool = True


@cache
def known_data_sets() -> dict[str, KnownDataSet]:
    """Return every name that data may be given under."""
    text = (resources.files(__package__) / "data_sets.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, KnownDataSet]).validate_python(yaml.safe_load(text))


def check_names(given: Mapping[str, str]) -> None:
    """Refuse names of data that no paper uses.

    Raises:
        InputError: There is one; the message names the nearest.
    """
    known = known_data_sets()
    for name in given:
        if name not in known:
            raise InputError(
                f"`data` must be given under one of the names {', '.join(known)}, got {name}{nearest(name, known)}"
            )


def choose_data(name: str, given: Mapping[str, str]) -> GivenData | None:
    """Return the data set of a name, or the first one given that may stand in for it; None if there is neither.

    Example:
        >>> choose_data("isic2018", {"ham10000": "images/"}).stands_in_for
        'ISIC 2018 task 3, the official training and test images'
    """
    if name in given:
        return GivenData(name, given[name], None)
    entry = known_data_sets()[name]
    for other in entry.stand_ins:
        if other in given:
            same = entry.classes is not None and entry.classes == known_data_sets()[other].classes
            return GivenData(other, given[other], entry.title, same)
    return None


def missing_data(name: str, wanted: Sequence[str]) -> InputError:
    """Return the refusal of a reproduction for which no data were given.

    Args:
        name: Of the reproduction.
        wanted: Names of the paper's data sets.
    """
    known = known_data_sets()
    wanted = list(dict.fromkeys(wanted))
    stand_ins = list(dict.fromkeys(other for each in wanted for other in known[each].stand_ins))
    others = [other for other in stand_ins if other not in wanted]
    instead = f", or to stand in for them {', '.join(f'{other}=PATH' for other in others)}" if others else ""
    return InputError(
        f"`data` must name the images of {name}, none of which were given; "
        f"give {', '.join(f'{each}=PATH' for each in wanted)}{instead}"
    )
