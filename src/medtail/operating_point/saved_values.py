"""Plain values of a file, each checked as it is read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from medtail.errors import InputError

_REMEDY = "write the file again with `adapt()`"


@final
@dataclass(frozen=True)
class Fields:
    """The values of one object in a JSON file.

    Attributes:
        place: Where in the file, for messages.
        values: The object.
        class_names: C names in class-id order; one value per class is saved as an object with these keys.
    """

    place: str
    values: Mapping[str, Any]
    class_names: tuple[str, ...]

    def take(self, key: str) -> Any:
        """Return a value of any kind.

        Raises:
            InputError: The value is missing.
        """
        if not isinstance(self.values, Mapping) or key not in self.values:
            raise InputError(f"{self.place} is missing {key!r}; {_REMEDY}")
        return self.values[key]

    def part(self, key: str) -> "Fields":
        """Return an object inside this one."""
        value = self.take(key)
        if not isinstance(value, Mapping):
            raise InputError(f"{self.place}.{key} must be an object, got {value!r}; {_REMEDY}")
        return Fields(f"{self.place}.{key}", value, self.class_names)

    def parts(self, key: str) -> list["Fields"]:
        """Return the objects in a list."""
        value = self.take(key)
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise InputError(f"{self.place}.{key} must be a list, got {value!r}; {_REMEDY}")
        return [
            Fields(f"{self.place}.{key}[{index}]", entry, self.class_names)
            for index, entry in enumerate(value)
        ]

    def number(self, key: str) -> float:
        """Return a finite number."""
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{self.place}.{key} must be a finite number, got {value!r}; {_REMEDY}")
        return float(value)

    def numbers(self) -> dict[str, float]:
        """Return the whole object, whose values are finite numbers."""
        return {name: self.number(name) for name in self.values}

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self.take(key)
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise InputError(f"{self.place}.{key} must be a list of strings, got {value!r}; {_REMEDY}")
        return tuple(value)

    def per_class(self, key: str) -> np.ndarray:
        """Return a finite number for each class ``(C,)``, saved as an object with class names as keys."""
        part = self.part(key)
        part.check_classes()
        return np.array([part.number(name) for name in self.class_names])

    def matrix(self, key: str) -> np.ndarray:
        """Return finite numbers ``(C, C)``, saved as an object of objects."""
        part = self.part(key)
        part.check_classes()
        return np.stack([part.per_class(name) for name in self.class_names])

    def class_id(self, key: str) -> int:
        """Return the id of a class, saved as its name."""
        name = self.take(key)
        if name not in self.class_names:
            raise InputError(f"{self.place}.{key} must be one of {', '.join(self.class_names)}, got {name!r}")
        return self.class_names.index(name)

    def check_classes(self) -> None:
        """Refuse an object that does not name each class once."""
        if set(self.values) != set(self.class_names):
            raise InputError(
                f"{self.place} must have a value for each of {', '.join(self.class_names)}, "
                f"got {', '.join(map(str, self.values)) or 'none'}; {_REMEDY}"
            )


def by_class(values: np.ndarray, class_names: Sequence[str]) -> dict[str, float]:
    """Return ``(C,)`` numbers by class name, as :meth:`Fields.per_class` reads them."""
    return {name: float(value) for name, value in zip(class_names, values, strict=True)}


def listed(values: np.ndarray, class_names: Sequence[str]) -> str:
    """Return ``(C,)`` numbers with their classes as text; of many classes, the first and last.

    Example:
        >>> listed(np.array([0.9, 0.1]), ["nv", "mel"])
        'nv=0.9, mel=0.1'
    """
    entries = [f"{name}={value:.3g}" for name, value in zip(class_names, values, strict=True)]
    return ", ".join(entries if len(entries) <= 12 else [*entries[:6], "…", *entries[-3:]])
