"""Columns that make subgroups: what is kept of a table, and what is not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtail.errors import InputError
from medtail.runs.images.attributes import kept_attributes, read_attributes, write_attributes
from medtail.runs.run import Run


def test_only_what_makes_groups_is_kept() -> None:
    rows = 200
    columns = pd.DataFrame(
        {
            "sex": ["female", "male"] * (rows // 2),
            "scanner": ["A", "", "B", "A"] * (rows // 4),
            "age": [str(row % 80) for row in range(rows)],
            "name": [f"Jane {row}" for row in range(rows)],
            "record": [str(10_000 + row) for row in range(rows)],
            "constant": ["x"] * rows,
            "visit": [f"2024-01-{row % 31 + 1:02d}" for row in range(rows)],
        }
    )
    kept = kept_attributes(columns)
    assert list(kept.columns) == ["sex", "scanner", "age"]
    assert kept["scanner"].value_counts().to_dict() == {"A": 100, "": 50, "B": 50}
    ages = columns["age"].astype(int).groupby(kept["age"]).agg(["min", "max", "size"])
    assert (
        len(ages) == 4
        and (ages.index == [f"{low} to {high}" for low, high in ages[["min", "max"]].to_numpy()]).all()
    )
    assert ages["size"].min() > 40


def test_what_was_written_is_read_in_the_order_of_the_images(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert read_attributes(run, np.array(["a", "b"])).shape == (2, 0)
    write_attributes(run, ["a", "b", "c"], None)
    assert not run.attributes.exists()
    write_attributes(run, ["a", "b", "c"], pd.DataFrame({"id": ["x", "y", "x"]}))
    assert read_attributes(run, np.array(["c", "b"]))["id"].tolist() == ["x", "y"]
    with pytest.raises(InputError, match="does not name the images of the run"):
        read_attributes(run, np.array(["d"]))
    run.attributes.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="does not name the images of the run"):
        read_attributes(run, np.array(["a"]))
