"""Files of tables: delimiters, encodings, and rows that do not fit the header."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medtail.data import DataWarning, open_collection

ROWS = [(f"{number:05d}", "nævus" if number < 20 else "mel", f"p{number // 2}") for number in range(30)]


@pytest.fixture
def written(table_folder: Path) -> Callable[..., Path]:
    """Write the table of 30 images as bytes."""

    def write(content: str, encoding: str = "utf-8", name: str = "labels.csv") -> Path:
        (table_folder / "labels.csv").unlink()
        (table_folder / name).write_bytes(content.encode(encoding))
        return table_folder

    return write


def text(delimiter: str = ",", end: str = "\n") -> str:
    rows = [("image", "label", "patient"), *ROWS]
    return "".join(delimiter.join(row) + end for row in rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_told_apart(written, delimiter: str) -> None:
    collection = open_collection(written(text(delimiter)))
    assert collection.class_names == ("mel", "nævus")
    assert collection.group_column == "patient"


def test_a_file_of_tabs_may_say_so(written) -> None:
    assert len(open_collection(written(text("\t"), name="labels.tsv"))) == 30


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_read_however_it_is_encoded(written, encoding: str) -> None:
    assert open_collection(written(text(end="\r\n"), encoding)).class_names == ("mel", "nævus")


def test_the_encoding_of_spreadsheets_is_read_and_named(written) -> None:
    with pytest.warns(DataWarning, match="is not UTF-8 and is read as Windows-1252"):
        assert open_collection(written(text(), "cp1252")).class_names == ("mel", "nævus")


def test_the_line_in_which_a_spreadsheet_names_the_delimiter_is_no_header(written) -> None:
    assert len(open_collection(written("sep=;\n" + text(";")))) == 30


def test_rows_wider_than_the_header_are_refused(written, refuses) -> None:
    rows = "".join(f"{label},A,x,{image}\n" for image, label, _ in ROWS)
    sentence = refuses(open_collection, written("label,site,image\n" + rows))
    assert "30 of 30 have more than 3: row 2 (4 fields), row 3 (4 fields)" in sentence


def test_one_wide_row_is_refused(written, refuses) -> None:
    sentence = refuses(open_collection, written(text().replace("00007,nævus", "00007,nævus,of skin")))
    assert "1 of 30 have more than 3: row 9 (4 fields); put" in sentence


@pytest.mark.parametrize(
    "content",
    [
        text(end=",\n"),
        text().replace("p0\n", "p0,\n", 1),
        "image,label,patient\n" + "".join(",".join(row) + ",,\n" for row in ROWS),
        "image,label,patient\n" + "".join(f"{n},{','.join(row)}\n" for n, row in enumerate(ROWS, start=1)),
        ",image,label,patient\n" + "".join(f"{n},{','.join(row)}\n" for n, row in enumerate(ROWS)),
        text().replace("\n", "\n\n"),
    ],
    ids=[
        "comma behind",
        "one comma behind",
        "two commas behind",
        "row names of R",
        "index of pandas",
        "empty lines",
    ],
)
def test_empty_fields_and_row_names_are_harmless(written, content: str) -> None:
    collection = open_collection(written(content))
    assert collection.class_counts().tolist() == [10, 20]
    assert collection.table["group"].nunique() == 15


def test_short_rows_are_named(written) -> None:
    with pytest.warns(DataWarning, match=r"fewer fields than the header.*1 of 30 \(row 2\)"):
        open_collection(written(text().replace("00000,nævus,p0", "00000,nævus")))


def test_a_column_that_occurs_twice_is_refused(written, refuses) -> None:
    sentence = refuses(open_collection, written(text().replace("image,label,patient", "image,label,label")))
    assert "a name of its own, but label occur more than once" in sentence


def test_fields_in_quotes_may_hold_the_delimiter(written) -> None:
    content = text().replace("nævus", '"nævus, ""of"" skin"')
    assert open_collection(written(content)).class_names == ("mel", 'nævus, "of" skin')


def test_a_spreadsheet_is_refused_with_a_remedy(tmp_path: Path, refuses) -> None:
    (tmp_path / "labels.xlsx").write_bytes(b"x")
    assert "save the sheet as .csv" in refuses(open_collection, tmp_path / "labels.xlsx")
