"""Files of predictions: the columns that do not depend on what images are labelled with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.files import replacing

_PREFIX = "probability_"
_LOG_PREFIX = "log_probability_"


def write_table(
    path: Path,
    ids: np.ndarray,
    groups: np.ndarray | None,
    targets: pd.DataFrame,
    probabilities: np.ndarray,
    log_probabilities: np.ndarray | None,
    class_names: Sequence[str],
) -> None:
    """Save ``id``, ``patient`` if groups are known, the columns of targets, ``probability_<class>`` and the logarithms.

    These are ``log_probability_<class>``, float64, where they are known.
    """
    table = pd.DataFrame({"id": pd.Series(ids, dtype=str)})
    if groups is not None:
        table["patient"] = pd.Series(groups, dtype=str)
    parts = [table, targets, _columns(_PREFIX, probabilities, class_names)]
    if log_probabilities is not None:
        parts.append(_columns(_LOG_PREFIX, log_probabilities, class_names))
    table = pd.concat(parts, axis=1)
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def _columns(prefix: str, values: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(values.astype(np.float64), columns=[prefix + name for name in class_names])


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
    probabilities = [_PREFIX + name for name in class_names]
    for name in ["id", *targets, *patient, *probabilities, *_log_columns(table, class_names)]:
        if table[name].isna().any():
            raise InputError(
                f"column {name} of {path} must have a value in every row, {table[name].isna().sum()} have none"
            )


def image_columns(table: pd.DataFrame, class_names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of predictions that do not depend on the kind of targets."""
    logs = _log_columns(table, class_names)
    return {
        "ids": table["id"].to_numpy(dtype=str),
        "probabilities": table[[_PREFIX + name for name in class_names]].to_numpy(dtype=np.float64),
        "log_probabilities": table[logs].to_numpy(dtype=np.float64) if logs else None,
        "class_names": class_names,
        "groups": table["patient"].to_numpy(dtype=str) if "patient" in table else None,
    }


def _log_columns(table: pd.DataFrame, class_names: Sequence[str]) -> list[str]:
    """The columns of log-probabilities; none in files from before they were saved."""
    columns = [_LOG_PREFIX + name for name in class_names]
    return columns if set(columns) <= set(table.columns) else []
