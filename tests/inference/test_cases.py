"""Cases of several sequences without labels, from folders and tables."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtail.data.formats.sequences import SequenceFiles
from medtail.errors import InputError
from medtail.inference.cases import find_cases


def write(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 5), grey, dtype=np.uint8)).save(path)


def find(*paths: Path, sequences: tuple[str, ...] = ("t1", "flair")) -> SequenceFiles:
    return find_cases(paths, sequences, volumes=False)


@pytest.mark.parametrize(
    "name", ["{case}/{sequence}.png", "{case}_{sequence}.png", "{case}/x/{case}-{sequence}.PNG"]
)
def test_files_of_a_folder_are_put_together_by_case(tmp_path: Path, name: str) -> None:
    for number, case in enumerate(("case07", "case08")):
        for place, sequence in enumerate(("t1", "FLAIR", "t2")):
            write(tmp_path / name.format(case=case, sequence=sequence), 10 * number + place)
    cases = find(tmp_path)
    assert [
        name.endswith(case) or case in name
        for name, case in zip(cases.names, ("case07", "case08"), strict=True)
    ]
    assert [cases.read(row)[0, 0].tolist() for row in range(2)] == [[0, 1], [10, 11]]
    assert cases.channel_names == ("t1", "flair")


def test_the_longest_sequence_is_meant(tmp_path: Path) -> None:
    write(tmp_path / "native_t1.png", 1)
    write(tmp_path / "t1.png", 2)
    cases = find(tmp_path, sequences=("t1", "native_t1"))
    assert cases.names == [str(tmp_path)]
    assert cases.read(0)[0, 0].tolist() == [2, 1]


def test_a_table_needs_no_labels_and_no_order(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b", "c", "d")):
        write(tmp_path / f"{name}.png", number)
    table = tmp_path / "cases.csv"
    table.write_text("image_flair,id,image_t1\na,first,b\nc.png,second,d.png\n")
    cases = find(table)
    assert cases.names == ["first", "second"]
    assert [cases.read(row)[0, 0].tolist() for row in range(2)] == [[1, 0], [3, 2]]


def test_what_is_no_whole_case_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "case" / "t1.png", 0)
    with pytest.raises(InputError, match=r"case .*case must have the sequences t1, flair, but has no flair"):
        find(tmp_path)
    write(tmp_path / "case" / "flair.png", 0)
    write(tmp_path / "case" / "flair.jpg", 0)
    with pytest.raises(InputError, match=r"must have one file of sequence flair, but has .*; remove one"):
        find(tmp_path)
    with pytest.raises(InputError, match="must be given as folders or tables"):
        find(tmp_path / "case" / "t1.png")
    with pytest.raises(InputError, match="must hold files that are called by sequence"):
        find(tmp_path, sequences=("adc", "dwi"))
    (tmp_path / "cases.csv").write_text("image_t1,image_t2\na,b\n")
    with pytest.raises(InputError, match="is missing columns image_flair"):
        find(tmp_path / "cases.csv")
    (tmp_path / "case" / "flair.jpg").unlink()
    with pytest.raises(InputError, match="occurs twice"):
        find(tmp_path, tmp_path)
