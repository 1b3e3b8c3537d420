"""Files of predictions: the columns that do not depend on what images are labelled with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.files import replacing
from medtail.runs.stored_files import damaged, table_digest

_PREFIX = "probability_"
_LOG_PREFIX = "log_probability_"

#: Where a file keeps the digest of its values. Tables from elsewhere have none, and are taken as they are.
_DIGEST = b"medtail.digest"

_REMEDY = "restore it from a copy or write it again"


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

    Args:
        path: The file, replaced as a whole.
        ids: Names of the images ``(N,)``.
        groups: Patient or lesion of each image ``(N,)``; None where unknown.
        targets: One column, or one per label.
        probabilities: ``(N, C)``.
        log_probabilities: ``(N, C)``; None where they are not known.
        class_names: C names in class-id order.
    """
    table = pd.DataFrame({"id": pd.Series(ids, dtype=str)})
    if groups is not None:
        table["patient"] = pd.Series(groups, dtype=str)
    parts = [table, targets, _columns(_PREFIX, probabilities, class_names)]
    if log_probabilities is not None:
        parts.append(_columns(_LOG_PREFIX, log_probabilities, class_names))
    table = pd.concat(parts, axis=1)
    # Imported here: files are read more often than written, and most readers need pandas alone.
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = pa.Table.from_pandas(table, preserve_index=False)
    content = content.replace_schema_metadata(
        {**(content.schema.metadata or {}), _DIGEST: table_digest(table).encode()}
    )
    with replacing(path) as temporary:
        pq.write_table(content, temporary, write_page_checksum=True)


def _columns(prefix: str, values: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(values.astype(np.float64), columns=[prefix + name for name in class_names])


def read_table(path: Path) -> pd.DataFrame:
    """Read a file of predictions, whatever its targets.

    Raises:
        InputError: It is missing, no Parquet, without a row, or its values are not those that were written.
    """
    if not path.is_file():
        raise InputError(f"predictions file {path} does not exist; evaluate the run first")
    import pyarrow.parquet as pq

    try:
        content = pq.read_table(path, page_checksum_verification=True, partitioning=None)
        table: pd.DataFrame = content.to_pandas()
    except MemoryError:
        raise
    except Exception as error:  # Decoders raise almost anything on broken bytes.
        why = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{path} is not a readable Parquet file ({why}); {_REMEDY}") from error
    written = (content.schema.metadata or {}).get(_DIGEST)
    if written is not None and written.decode(errors="replace") != table_digest(table):
        raise damaged(path, "was changed after it was written (its values differ from its digest)", _REMEDY)
    if table.empty:
        raise InputError(f"{path} must hold a row for each image, got none; {_REMEDY}")
    return table


def probability_classes(table: pd.DataFrame) -> tuple[str, ...]:
    """Class names, in the order of the probability columns."""
    return tuple(name.removeprefix(_PREFIX) for name in map(str, table.columns) if name.startswith(_PREFIX))


def check_complete(
    path: Path, table: pd.DataFrame, targets: Sequence[str], class_names: Sequence[str]
) -> None:
    """Refuse missing values in the columns that are read.

    Raises:
        InputError: A column has some; the message names it.
    """
    patient = ["patient"] if "patient" in table else []
    probabilities = [_PREFIX + name for name in class_names]
    for name in ["id", *targets, *patient, *probabilities, *_log_columns(table, class_names)]:
        if table[name].isna().any():
            raise InputError(
                f"column {name} of {path} must have a value in every row, {table[name].isna().sum()} have none"
            )


def image_columns(table: pd.DataFrame, class_names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of predictions that do not depend on the kind of targets.

    Raises:
        InputError: A column of probabilities holds something else than numbers.
    """
    columns = [_PREFIX + name for name in class_names]
    for name in columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise InputError(f"column {name} must hold numbers, holds {table[name].iloc[0]!r}; {_REMEDY}")
    logs = _log_columns(table, class_names)
    for name in logs:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise InputError(f"column {name} must hold numbers, holds {table[name].iloc[0]!r}; {_REMEDY}")
    return {
        "ids": table["id"].to_numpy(dtype=str),
        "probabilities": table[columns].to_numpy(dtype=np.float64),
        "log_probabilities": table[logs].to_numpy(dtype=np.float64) if logs else None,
        "class_names": class_names,
        "groups": table["patient"].to_numpy(dtype=str) if "patient" in table else None,
    }


def _log_columns(table: pd.DataFrame, class_names: Sequence[str]) -> list[str]:
    """The columns of log-probabilities; none in files from before they were saved."""
    columns = [_LOG_PREFIX + name for name in class_names]
    return columns if set(columns) <= set(table.columns) else []
