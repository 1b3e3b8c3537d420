"""Several labels in one value, and columns named like the classes."""

import warnings

import numpy as np
import pytest

from medtail.data import DataWarning, TableColumns, open_collection

JOINED = ["No Finding", "Effusion", "Effusion|Mass", "Mass", "Nodule|Mass|Effusion"] * 6


@pytest.mark.parametrize("separator", ["|", ";", ", "])
def test_joined_labels_are_named(edit, separator: str) -> None:
    folder = edit(dx=[value.replace("|", separator) for value in JOINED])
    with pytest.warns(
        DataWarning, match=rf'look like several labels joined by .*`label_separator="\{separator[0]}"`'
    ):
        assert len(open_collection(folder).class_names) == 5


def test_joined_labels_are_read_as_several(edit) -> None:
    columns = TableColumns(label_separator="|")
    collection = open_collection(edit(dx=JOINED), columns=columns)
    assert collection.multi_label
    assert collection.class_names == ("Effusion", "Mass", "Nodule")
    assert collection.targets[:5].tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 1, 1]]


def test_a_separator_that_separates_nothing_is_refused(edit, refuses) -> None:
    sentence = refuses(open_collection, edit(dx=["nv"] * 30), columns=TableColumns(label_separator="|"))
    assert "holds only nv; leave out `label_separator`" in sentence


@pytest.mark.parametrize("value", ["carcinoma, squamous", "nevus/naevus", "T1+"])
def test_a_class_with_a_comma_in_its_name_is_one_class(edit, value: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_collection(edit(dx=[value] * 15 + ["nv"] * 15)).class_names == tuple(
            sorted((value, "nv"))
        )


def test_lists_that_python_wrote_lose_their_brackets(edit) -> None:
    assert open_collection(edit(dx=["['N']", "['D']"] * 15)).class_names == ("D", "N")
    assert open_collection(edit(dx=["[/nv]", "[nv]"] * 15)).class_names == ("[/nv]", "[nv]")
    columns = TableColumns(label_separator=",")
    assert open_collection(edit(dx=["['N', 'D']", "['D']"] * 15), columns=columns).targets[0].tolist() == [
        1,
        1,
    ]


def test_columns_of_zero_and_one_are_classes(edit) -> None:
    rows = np.eye(4, dtype=int)[np.arange(30) % 3]
    folder = edit(
        dx=None,
        **{
            name: [f"{value}.0" for value in rows[:, n]] for n, name in enumerate(("MEL", "NV", "BCC", "UNK"))
        },
    )
    collection = open_collection(folder)
    assert collection.class_names == ("BCC", "MEL", "NV")  # UNK has no image
    assert collection.table["label"].tolist()[:4] == ["MEL", "NV", "BCC", "MEL"]


def test_what_describes_the_person_is_no_class(edit) -> None:
    columns = {"sex": ["1", "0"] * 15, "MEL": ["1,0"] * 10 + ["0,0"] * 20, "NV": ["0,0"] * 10 + ["1,0"] * 20}
    assert open_collection(edit(dx=None, **columns)).class_counts().tolist() == [10, 20]


def test_columns_of_any_number_of_ones_are_several_labels(edit) -> None:
    columns = {"Edema": ["1", "0", "1"] * 10, "Mass": ["True", "True", "False"] * 10, "age": ["50"] * 30}
    with pytest.warns(DataWarning, match="read as labels, of which an image may carry several: Edema, Mass;"):
        collection = open_collection(edit(dx=None, **columns))
    assert collection.targets[:3].tolist() == [[1, 1], [0, 1], [1, 0]]


def test_a_single_column_of_zero_and_one_is_no_label(edit, refuses) -> None:
    assert "or give two or more columns of 0 and 1" in refuses(
        open_collection, edit(dx=None, Edema=["1", "0"] * 15)
    )
