"""What else a table says of each judged image: age, sex, site, scanner. Subgroups are made of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.files import replacing
from medtail.runs.run import Run
from medtail.runs.stored_files import damaged

#: A column of more different values names images or people, not groups of them.
MOST_VALUES = 30

#: Numbers of more different values are kept as this many ranges.
RANGES = 4


def kept_attributes(columns: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that make subgroups, as text; an empty value is unknown.

    Columns of 2 to 30 different values are kept as they are, and numbers of more values as four ranges with about as
    many images each. All others (names, dates, free text, identifiers) are left out.

    Args:
        columns: Text, one row per image.

    Example:
        >>> ages = pd.DataFrame({"age": [str(age) for age in range(40)], "name": [f"P{row}" for row in range(40)]})
        >>> kept_attributes(ages)["age"].unique().tolist()
        ['0 to 9', '10 to 19', '20 to 29', '30 to 39']
    """
    grouped = {str(name): _grouped(columns[name].astype(str).str.strip()) for name in columns.columns}
    return pd.DataFrame(
        {name: values for name, values in grouped.items() if values is not None}, index=columns.index
    )


def _grouped(values: "pd.Series[str]") -> "pd.Series[str] | None":
    known = values != ""
    distinct = values[known].nunique()
    if distinct < 2:
        return None
    if distinct <= MOST_VALUES:
        return values
    numbers = pd.to_numeric(values[known], errors="coerce")
    # A number of its own for nearly every image is an identifier.
    if numbers.isna().any() or distinct > known.sum() / 2 > MOST_VALUES:
        return None
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, RANGES + 1)))
    place = np.searchsorted(edges[1:-1], numbers, side="left")
    ranges = numbers.groupby(place).agg(["min", "max"])
    names = {part: f"{row['min']:g} to {row['max']:g}" for part, row in ranges.iterrows()}
    return pd.Series([names[part] for part in place], index=numbers.index).reindex(
        values.index, fill_value=""
    )


def write_attributes(run: Run, ids: Sequence[str], attributes: pd.DataFrame | None) -> None:
    """Write ``predictions/attributes.parquet``: ``id`` and the columns of :func:`kept_attributes`.

    Nothing is written where there is none.
    """
    kept = pd.DataFrame() if attributes is None else kept_attributes(attributes)
    if kept.empty:
        return
    kept.columns = [_PREFIX + name for name in kept.columns]
    kept.insert(0, "id", np.asarray(ids, dtype=str))
    with replacing(run.attributes) as temporary:
        kept.to_parquet(temporary, index=False)


def read_attributes(run: Run, ids: np.ndarray) -> pd.DataFrame:
    """Return the attributes of these images, one row each; no column where the run kept none.

    Raises:
        InputError: The file is damaged, or does not name every image.
    """
    if not run.attributes.is_file():
        return pd.DataFrame(index=range(len(ids)))
    try:
        table = pd.read_parquet(run.attributes)
        table = table.set_index("id").loc[ids].reset_index(drop=True)
    except (OSError, ValueError, KeyError) as error:
        raise damaged(run.attributes, "does not name the images of the run") from error
    if not all(name.startswith(_PREFIX) for name in table.columns):
        raise InputError(f"columns of {run.attributes} must start with {_PREFIX}; train the run again")
    return table.rename(columns=lambda name: name.removeprefix(_PREFIX))


#: A column may be called id, too.
_PREFIX = "attribute_"
