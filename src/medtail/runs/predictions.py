"""A saved table of probabilities: what every number after training is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

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
        decided: Class ids ``(N,)`` where another rule than the highest probability decided, or None.

    Raises:
        InputError: Sizes disagree, an id occurs twice, a target or decision is no class, or a row is no distribution.

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
    decided: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_images(self.ids, self.probabilities, self.class_names, self.groups)
        self._check_class_ids("target", self.targets)
        if self.decided is not None:
            self._check_class_ids("decision", self.decided)
        in_range = ((self.probabilities >= 0) & (self.probabilities <= 1 + _TOLERANCE)).all(axis=1)
        sums_to_one = np.abs(self.probabilities.sum(axis=1) - 1) <= _TOLERANCE
        for row in np.flatnonzero(~(in_range & sums_to_one))[:1]:
            raise InputError(
                f"probabilities must lie in [0, 1] and sum to 1, got {np.round(self.probabilities[row], 4).tolist()} "
                f"for image {str(self.ids[row])!r}; pass loss.probabilities(outputs), not outputs"
            )

    def _check_class_ids(self, name: str, values: np.ndarray) -> None:
        size, classes = len(self.ids), len(self.class_names)
        if values.shape != (size,) or not np.issubdtype(values.dtype, np.integer):
            raise InputError(
                f"{name}s must be {size} integer class ids, got {values.dtype} of shape {values.shape}"
            )
        for row in np.flatnonzero((values < 0) | (values >= classes))[:1]:
            raise InputError(
                f"{name} must be a class id from 0 to {classes - 1}, got {values[row]} "
                f"for image {str(self.ids[row])!r}"
            )

    @property
    def decisions(self) -> np.ndarray:
        """The decided class id of each image ``(N,)``: the most probable, the lowest of equals, unless ``decided``."""
        return self.probabilities.argmax(axis=1) if self.decided is None else self.decided

    @property
    def units(self) -> np.ndarray:
        """What a bootstrap draws: the group of each image, or the image itself where none is known."""
        return np.arange(len(self.ids)) if self.groups is None else self.groups

    def write(self, path: Path) -> None:
        """Save as Parquet: ``id``, ``patient`` if groups are known, ``target``, ``probability_<class>`` columns.

        Also ``decision``, a class id, where another rule than the highest probability decided.
        """
        targets = pd.DataFrame({"target": self.targets.astype(np.int64)})
        if self.decided is not None:
            targets["decision"] = self.decided.astype(np.int64)
        write_table(path, self.ids, self.groups, targets, self.probabilities, self.class_names)

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """Read what :meth:`write` saved; the order of the probability columns is that of the class ids.

        Raises:
            InputError: The file is missing, is no Parquet, lacks a column, or holds what predictions must not.
        """
        table = read_table(path)
        names = probability_classes(table)
        if "target" not in table and any(str(name).startswith("target_") for name in table.columns):
            raise InputError(
                f"{path} holds several labels an image, which only train, evaluate and predict take; "
                f"give a run of one class an image"
            )
        if not {"id", "target"} <= set(table.columns) or not names:
            raise InputError(
                f"{path} must have the columns id, target and {_PREFIX}<class>, "
                f"got {', '.join(map(str, table.columns)) or 'none'}"
            )
        decided = ["decision"] if "decision" in table else []
        check_complete(path, table, ["target", *decided], names)
        try:
            return cls(
                **image_columns(table, names),
                targets=table["target"].to_numpy(),
                decided=table["decision"].to_numpy() if decided else None,
            )
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def check_images(
    ids: np.ndarray, probabilities: np.ndarray, class_names: tuple[str, ...], groups: np.ndarray | None
) -> None:
    """Refuse what no predictions can be, whatever their targets."""
    size, classes = len(ids), len(class_names)
    if classes < 2 or len(set(class_names)) != classes:
        raise InputError(f"class_names must be two or more different names, got {list(class_names)}")
    if probabilities.shape != (size, classes):
        raise InputError(
            f"probabilities must be a row an image and a column a class, ({size}, {classes}), "
            f"got {probabilities.shape}"
        )
    if groups is not None and groups.shape != (size,):
        raise InputError(f"groups must name one group for each of {size} images, got {len(groups)}")
    if len(np.unique(ids)) != size:
        names, occurrences = np.unique(ids, return_counts=True)
        raise InputError(f"ids must be unique, {str(names[occurrences > 1][0])!r} occurs more than once")


def write_table(
    path: Path,
    ids: np.ndarray,
    groups: np.ndarray | None,
    targets: pd.DataFrame,
    probabilities: np.ndarray,
    class_names: Sequence[str],
) -> None:
    """Save ``id``, ``patient`` if groups are known, the columns of targets, and ``probability_<class>``."""
    table = pd.DataFrame({"id": pd.Series(ids, dtype=str)})
    if groups is not None:
        table["patient"] = pd.Series(groups, dtype=str)
    columns = [_PREFIX + name for name in class_names]
    table = pd.concat(
        [table, targets, pd.DataFrame(probabilities.astype(np.float64), columns=columns)], axis=1
    )
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """Read a file of predictions, whatever its targets.

    Raises:
        InputError: It is missing or no Parquet.
    """
    if not path.is_file():
        raise InputError(f"predictions file {path} does not exist; evaluate the run first")
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise InputError(f"{path} is not a readable Parquet file ({str(error).splitlines()[0]})") from error


def probability_classes(table: pd.DataFrame) -> tuple[str, ...]:
    """Class names, in the order of the probability columns."""
    return tuple(name.removeprefix(_PREFIX) for name in map(str, table.columns) if name.startswith(_PREFIX))


def check_complete(
    path: Path, table: pd.DataFrame, targets: Sequence[str], class_names: Sequence[str]
) -> None:
    """Refuse missing values in the columns that are read."""
    patient = ["patient"] if "patient" in table else []
    for name in ["id", *targets, *patient, *(_PREFIX + name for name in class_names)]:
        if table[name].isna().any():
            raise InputError(
                f"column {name} of {path} must have a value in every row, {table[name].isna().sum()} have none"
            )


def image_columns(table: pd.DataFrame, class_names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of predictions that do not depend on the kind of targets."""
    return {
        "ids": table["id"].to_numpy(dtype=str),
        "probabilities": table[[_PREFIX + name for name in class_names]].to_numpy(dtype=np.float64),
        "class_names": class_names,
        "groups": table["patient"].to_numpy(dtype=str) if "patient" in table else None,
    }
