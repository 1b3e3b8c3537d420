"""Which columns of a table are used, which are not, and what is said about them."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from medtail.data import DataWarning, TableColumns, assign_splits, open_collection

PATIENTS = [f"p{number // 3}" for number in range(30)]
SPLITS = ["train"] * 18 + ["val"] * 6 + ["test"] * 6


@pytest.fixture
def plain(edit: Callable[..., Path]) -> Callable[..., Path]:
    """The folder of 30 images without a column of groups; keyword arguments replace or add columns."""

    def change(**columns: object) -> Path:
        return edit(patient_id=None, **columns)

    return change


def crossing(folder: Path, values: list[str]) -> int:
    """How many values lie in several drawn splits."""
    table = assign_splits(open_collection(folder)).table.assign(value=values)
    return int((table.groupby("value")["split"].nunique() > 1).sum())


@pytest.mark.parametrize(
    "name",
    [
        "Patient",
        "PATIENT_ID",
        "Patient ID",
        "PatientID",
        "patient-id",
        "patient_id ",
        "subject_id",
        "Subject",
        "participant",
        "PatientNumber",
        "case_id",
        "lesion",
        "Study UID",
        "accession_number",
        "ID",
    ],
)
def test_groups_are_found_however_their_column_is_called(plain, name: str) -> None:
    folder = plain(**{name: PATIENTS})
    assert open_collection(folder).group_column == name.strip()
    assert crossing(folder, PATIENTS) == 0


@pytest.mark.parametrize(
    "name", ["Split", "SET", "subset", "data split", "Dataset_type", "partition", "fold"]
)
def test_splits_are_found_however_their_column_is_called(plain, name: str) -> None:
    collection = open_collection(plain(**{name: SPLITS}, dx=["nv", "mel"] * 15))
    assert collection.table["split"].value_counts().to_dict() == {"train": 18, "validation": 6, "test": 6}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("image_id", "Diagnosis"),
        ("Image Index", "Finding Labels"),
        ("id_code", "diagnosis"),
        ("filename", "class"),
        ("img_id", "diagnostic"),
        ("File Path", "Category"),
        ("path", "Label"),
        ("id", "target"),
    ],
)
def test_images_and_labels_are_found_however_their_columns_are_called(edit, image: str, label: str) -> None:
    names = [f"{number:05d}" for number in range(30)]
    folder = edit(image=None, dx=None, **{image: names, label: ["nv"] * 20 + ["mel"] * 10})
    assert open_collection(folder).class_counts().tolist() == [10, 20]


def test_a_column_of_images_is_known_by_its_files(plain) -> None:
    names = [f"{number:05d}" for number in range(30)]
    assert open_collection(plain(image=None, scan=names)).table["id"].tolist() == names


def test_one_line_says_what_is_used_and_what_is_not(edit, caplog) -> None:
    folder = edit(age=["50"] * 30, Split=["train"] * 30)
    with caplog.at_level(logging.INFO, "medtail"):
        open_collection(folder)
    assert caplog.messages == [
        f"{folder / 'labels.csv'}: labels from dx; groups from patient_id; splits from Split; not used: age"
    ]


def test_named_columns_win_over_names(edit) -> None:
    names = [f"{number:05d}" for number in range(30)]
    folder = edit(scan=names, other=["a", "b"] * 15, scanner=PATIENTS, when=SPLITS)
    columns = TableColumns("scan", "Other", "scanner", "when")
    collection = open_collection(folder, columns=columns)
    assert collection.class_names == ("a", "b")
    assert collection.group_column == "scanner"
    assert set(collection.table["split"]) == {"train", "validation", "test"}


@pytest.mark.parametrize("argument", ["image_column", "label_column", "group_column", "split_column"])
def test_a_named_column_that_is_not_there_is_refused(edit, refuses, argument: str) -> None:
    sentence = refuses(open_collection, edit(), columns=TableColumns(**{argument: "patient"}))
    assert f"`{argument}` must be a column of" in sentence
    assert "(image, dx, patient_id), got 'patient'; did you mean patient_id?" in sentence


def test_columns_of_data_without_a_table_are_refused(class_folders: Path, refuses) -> None:
    sentence = refuses(open_collection, class_folders, columns=TableColumns(label_column="dx"))
    assert "`label_column` names a column of a table, but" in sentence


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"treating_group": PATIENTS}, "columns look like groups.*`group_column`.*: treating_group"),
        ({"when": SPLITS}, "columns look like splits.*`split_column`.*: when"),
        ({"source": [f"smear_{number // 2}" for number in range(30)]}, "columns look like groups.*: source"),
        ({"is_test": ["0", "1"] * 15}, "columns look like splits.*: is_test"),
        ({"fold": ["1", "2", "3"] * 10}, "columns look like splits.*: fold"),
        ({"study": ["A", "B"] * 15, "eye_number": PATIENTS}, "columns look like groups.*: eye_number"),
    ],
)
def test_an_unused_column_that_looks_like_groups_or_splits_is_named(plain, columns: dict, words: str) -> None:
    with pytest.warns(DataWarning, match=words):
        open_collection(plain(**columns))


def test_groups_that_cross_those_in_use_are_named(edit) -> None:
    with pytest.warns(DataWarning, match="columns look like groups.*: lesion_id"):
        open_collection(edit(lesion_id=[f"l{number % 7}" for number in range(30)]))


def test_harmless_columns_are_not_warned_about(edit) -> None:
    lesions = [f"l{number}" for number in range(30)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_collection(edit(lesion_id=lesions, patient_age=["50", "60"] * 15, site=["back"] * 30))
        open_collection(edit(label=["0"] * 20 + ["1"] * 10))


def test_a_second_column_of_labels_that_differs_is_named(edit) -> None:
    with pytest.warns(DataWarning, match="labels are read from column dx, but class may hold labels too"):
        open_collection(edit(**{"class": ["a", "b", "c"] * 10}))


# --- values


@pytest.mark.parametrize(
    "values",
    [
        [value + " " * (row % 2) for row, value in enumerate(PATIENTS)],
        [str(row // 3) + ".0" * (row % 2) for row in range(30)],
        ["Jos\u00e9" if row % 2 else "Jose\u0301" for row in range(3)] + PATIENTS[3:],
    ],
)
def test_spellings_of_one_patient_are_one_group(edit, values: list[str]) -> None:
    folder = edit(patient_id=values)
    assert open_collection(folder).table["group"].nunique() == 10
    assert crossing(folder, PATIENTS) == 0


@pytest.mark.parametrize(
    "spelling", [str.upper, lambda value: value.replace("p", "p 0"), lambda value: f"p0{value[1:]}"]
)
def test_patients_that_differ_by_case_blanks_or_zeros_are_named(edit, spelling: Callable[[str], str]) -> None:
    values = [spelling(value) if row % 2 else value for row, value in enumerate(PATIENTS)]
    with pytest.warns(DataWarning, match="values of patient_id in .* differ only by case, blanks or zeros"):
        open_collection(edit(patient_id=values))


@pytest.mark.parametrize("missing", ["", "NaN", "NA", "  "])
def test_an_image_without_a_patient_is_a_group_of_its_own(edit, missing: str) -> None:
    values = [missing if row in (3, 7) else value for row, value in enumerate(PATIENTS)]
    with pytest.warns(DataWarning, match="column patient_id of .* is empty for 2 of 30 images"):
        collection = open_collection(edit(patient_id=values))
    assert collection.table["group"].nunique() == 12


def test_a_column_without_any_value_is_no_column_of_groups(edit) -> None:
    assert open_collection(edit(patient_id=[""] * 30)).group_column is None


def test_numbers_are_alike_in_csv_and_parquet(table_folder: Path) -> None:
    grades = pd.read_csv(table_folder / "labels.csv", dtype={"image": str}).drop(columns="dx")
    opened = []
    for label in (["2.0", "10", "2"] * 10, [2.0, 10.0, 2.0] * 10, [2, 10, 2] * 10):
        for path in (table_folder / "labels.csv", table_folder / "labels.parquet"):
            grades.assign(label=label).to_csv(path, index=False) if path.suffix == ".csv" else grades.assign(
                label=label
            ).to_parquet(path)
            opened.append(open_collection(path))
            path.unlink()
    assert {collection.class_names for collection in opened} == {("2", "10")}


def test_classes_of_fractions_are_ordered_as_numbers(edit) -> None:
    folder = edit(dx=["0.5", "10", "2"] * 10)
    assert open_collection(folder).class_names == ("0.5", "2", "10")
