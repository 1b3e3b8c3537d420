"""A saved table of probabilities: what every number after training is computed from."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.files import replacing

_PREFIX = "probability_"

#: How far a row of probabilities may be from summing to 1: half precision, rounded to four digits in a file.
_TOLERANCE = 1e-3


@final
@dataclass(frozen=True)
class Predictions:
    """Class probabilities of N images, with their true classes.

    Attributes:
        ids: Names of the images ``(N,)``, unique.
        targets: True class ids ``(N,)``.
        probabilities: ``(N, C)``; rows sum to 1.
        class_names: C names in class-id order, unique.
        groups: Patient or lesion of each image ``(N,)``, or None where unknown.

    Raises:
        InputError: Sizes disagree, an id occurs twice, a target is no class, or a row is no distribution.

    Example:
        >>> predictions = Predictions(
        ...     ids=np.array(["a", "b"]),
        ...     targets=np.array([0, 1]),
        ...     probabilities=np.array([[0.9, 0.1], [0.6, 0.4]]),
        ...     class_names=("nevus", "melanoma"),
        ...     groups=None,
        ... )
        >>> predictions.decisions
        array([0, 0])
    """

    ids: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    groups: np.ndarray | None

    def __post_init__(self) -> None:
        size, classes = len(self.ids), len(self.class_names)
        if classes < 2 or len(set(self.class_names)) != classes:
            raise InputError(f"class_names must be two or more different names, got {list(self.class_names)}")
        if self.probabilities.shape != (size, classes):
            raise InputError(
                f"probabilities must be a row an image and a column a class, ({size}, {classes}), "
                f"got {self.probabilities.shape}"
            )
        if self.targets.shape != (size,) or not np.issubdtype(self.targets.dtype, np.integer):
            raise InputError(
                f"targets must be {size} integer class ids, got {self.targets.dtype} of shape {self.targets.shape}"
            )
        if self.groups is not None and self.groups.shape != (size,):
            raise InputError(f"groups must name one group for each of {size} images, got {len(self.groups)}")
        if len(np.unique(self.ids)) != size:
            names, occurrences = np.unique(self.ids, return_counts=True)
            raise InputError(f"ids must be unique, {str(names[occurrences > 1][0])!r} occurs more than once")
        for row in np.flatnonzero((self.targets < 0) | (self.targets >= classes))[:1]:
            raise InputError(
                f"target must be a class id from 0 to {classes - 1}, got {self.targets[row]} "
                f"for image {str(self.ids[row])!r}"
            )
        in_range = ((self.probabilities >= 0) & (self.probabilities <= 1 + _TOLERANCE)).all(axis=1)
        sums_to_one = np.abs(self.probabilities.sum(axis=1) - 1) <= _TOLERANCE
        for row in np.flatnonzero(~(in_range & sums_to_one))[:1]:
            raise InputError(
                f"probabilities must lie in [0, 1] and sum to 1, got {np.round(self.probabilities[row], 4).tolist()} "
                f"for image {str(self.ids[row])!r}; pass loss.probabilities(outputs), not outputs"
            )

    @property
    def decisions(self) -> np.ndarray:
        """The most probable class id of each image ``(N,)``; the lowest id of equals."""
        decisions: np.ndarray = self.probabilities.argmax(axis=1)
        return decisions

    @property
    def units(self) -> np.ndarray:
        """What a bootstrap draws: the group of each image, or the image itself where none is known."""
        return np.arange(len(self.ids)) if self.groups is None else self.groups

    def write(self, path: Path) -> None:
        """Save as Parquet: ``id``, ``patient`` if groups are known, ``target``, ``probability_<class>`` columns."""
        table = pd.DataFrame({"id": pd.Series(self.ids, dtype=str)})
        if self.groups is not None:
            table["patient"] = pd.Series(self.groups, dtype=str)
        table["target"] = self.targets.astype(np.int64)
        columns = [_PREFIX + name for name in self.class_names]
        table = pd.concat(
            [table, pd.DataFrame(self.probabilities.astype(np.float64), columns=columns)], axis=1
        )
        with replacing(path) as temporary:
            table.to_parquet(temporary, index=False)

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """Read what :meth:`write` saved; the order of the probability columns is that of the class ids.

        Raises:
            InputError: The file is missing, is no Parquet, lacks a column, or holds what predictions must not.
        """
        if not path.is_file():
            raise InputError(f"predictions file {path} does not exist; evaluate the run first")
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
            raise InputError(
                f"{path} is not a readable Parquet file ({str(error).splitlines()[0]})"
            ) from error
        columns = [name for name in map(str, table.columns) if name.startswith(_PREFIX)]
        missing = [name for name in ("id", "target") if name not in table]
        if missing or not columns:
            raise InputError(
                f"{path} must have the columns id, target and {_PREFIX}<class>, "
                f"got {', '.join(map(str, table.columns)) or 'none'}"
            )
        needed = ["id", "target", *(["patient"] if "patient" in table else []), *columns]
        for name in needed:
            if table[name].isna().any():
                raise InputError(
                    f"column {name} of {path} must have a value in every row, {table[name].isna().sum()} have none"
                )
        try:
            return cls(
                ids=table["id"].to_numpy(dtype=str),
                targets=table["target"].to_numpy(),
                probabilities=table[columns].to_numpy(dtype=np.float64),
                class_names=tuple(name.removeprefix(_PREFIX) for name in columns),
                groups=table["patient"].to_numpy(dtype=str) if "patient" in table else None,
            )
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
