"""DATA in every layout that is supported, and in some that are not."""

import subprocess
import sys
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtail.data import DataWarning, open_collection
from medtail.errors import InputError

# --- class folders


def test_class_folders(class_folders: Path) -> None:
    collection = open_collection(class_folders)
    assert collection.name == "skin"
    assert collection.data == str(class_folders)
    assert collection.class_names == ("melanoma", "nevus")
    assert collection.class_counts().tolist() == [12, 40]
    assert collection.table["id"].iloc[0] == "melanoma/melanoma_00.png"
    assert "split" not in collection.table
    assert "group" not in collection.table
    assert collection.source.read(0).shape == (16, 16, 3)


def test_other_files_and_hidden_folders_are_ignored(class_folders: Path) -> None:
    (class_folders / "nevus" / "notes.txt").write_text("x")
    (class_folders / "nevus" / "._nevus_00.png").write_text("x")
    (class_folders / ".cache").mkdir()
    (class_folders / "README.md").write_text("x")
    assert open_collection(class_folders).class_counts().tolist() == [12, 40]


def test_images_below_class_folders_belong_to_the_class(class_folders: Path, draw) -> None:
    (class_folders / "nevus" / "patient" / "left").mkdir(parents=True)
    draw(99).save(class_folders / "nevus" / "patient" / "left" / "x.PNG")
    collection = open_collection(class_folders)
    assert collection.class_counts().tolist() == [12, 41]
    assert "nevus/patient/left/x.PNG" in set(collection.table["id"])


def test_split_folders_are_splits_not_classes(tmp_path: Path, draw) -> None:
    for place in ("train/a", "train/b", "val/a", "test/b"):
        (tmp_path / place).mkdir(parents=True)
        draw(1).save(tmp_path / place / "image.png")
    collection = open_collection(tmp_path)
    assert collection.class_names == ("a", "b")
    assert collection.table["split"].tolist() == ["test", "train", "train", "validation"]
    assert collection.class_counts("test").tolist() == [0, 1]


def test_numbers_are_ordered_as_numbers(tmp_path: Path, draw) -> None:
    for label in ("10", "9", "2"):
        (tmp_path / label).mkdir()
        draw(1).save(tmp_path / label / "image.png")
    assert open_collection(tmp_path).class_names == ("2", "9", "10")


def test_an_empty_folder_is_refused(tmp_path: Path, refuses) -> None:
    assert "holds nothing" in refuses(open_collection, tmp_path)


def test_class_folders_without_images_are_refused(tmp_path: Path, refuses) -> None:
    (tmp_path / "a").mkdir()
    assert "holds only a; check the path" in refuses(open_collection, tmp_path)


def test_images_outside_class_folders_are_refused(tmp_path: Path, draw, refuses) -> None:
    draw(1).save(tmp_path / "image.png")
    assert "holds images that lie in no class folder" in refuses(open_collection, tmp_path)


def test_labels_that_differ_by_case_or_spaces_warn_once(tmp_path: Path, draw) -> None:
    for label in ("Nevus", "nevus", "mel a", "mela", "df"):
        (tmp_path / label).mkdir()
        draw(1).save(tmp_path / label / "image.png")
    with pytest.warns(DataWarning) as caught:
        collection = open_collection(tmp_path)
    assert len(caught) == 1
    assert "'Nevus' and 'nevus'; 'mel a' and 'mela'" in str(caught[0].message)
    assert len(collection.class_names) == 5  # kept apart: merging would be a guess


# --- tables


def test_table(table_folder: Path) -> None:
    collection = open_collection(table_folder)
    assert collection.name == "clinic"
    assert collection.class_names == ("mel", "nv")
    assert collection.table["id"].tolist()[:2] == ["00000", "00001"]  # text, zeros kept
    assert collection.table["target"].tolist() == [1] * 20 + [0] * 10
    assert collection.group_column == "patient_id"
    assert collection.table["group"].tolist()[:3] == ["p00", "p00", "p01"]
    assert collection.source.read(29).shape == (16, 16, 3)


def test_the_table_itself_may_be_named(table_folder: Path) -> None:
    path = table_folder / "labels.csv"
    assert open_collection(path).table.equals(open_collection(table_folder).table)
    assert open_collection(path).name == "clinic"


def test_parquet_gives_the_same_table_as_csv(table_folder: Path, refuses) -> None:
    expected = open_collection(table_folder).table
    pd.read_csv(table_folder / "labels.csv", dtype=str).to_parquet(table_folder / "labels.parquet")
    assert "name one" in refuses(open_collection, table_folder)
    (table_folder / "labels.csv").unlink()
    assert open_collection(table_folder).table.equals(expected)


def test_names_win_over_numbers(edit) -> None:
    assert open_collection(edit(label=["1"] * 20 + ["0"] * 10)).class_names == ("mel", "nv")
    assert open_collection(edit(label=["mole"] * 20 + ["cancer"] * 10)).class_names == ("cancer", "mole")


def test_the_patient_wins_over_the_lesion(edit) -> None:
    assert open_collection(edit(lesion_id=[str(n) for n in range(30)])).group_column == "patient_id"
    assert open_collection(edit(patient_id=None)).group_column == "lesion_id"


def test_split_names_are_mapped(edit) -> None:
    folder = edit(split=["Training"] * 10 + ["dev"] * 10 + ["testing"] * 10)
    splits = open_collection(folder).table["split"].tolist()
    assert splits == ["train"] * 10 + ["validation"] * 10 + ["test"] * 10


def test_paths_with_and_without_folder_and_extension(table_folder: Path, edit) -> None:
    (table_folder / "images" / "00002.jpg").rename(table_folder / "00002.jpg")
    names = [f"{n:05d}" for n in range(30)]
    names[0], names[1], names[3] = "images/00000.jpg", "00001.jpg", str(table_folder / "images" / "00003.jpg")
    collection = open_collection(edit(image=names))
    assert collection.table["id"].tolist() == names
    assert all(collection.source.form(row).height == 16 for row in range(30))


def test_the_file_system_is_asked_once_and_not_once_per_image(table_folder: Path, monkeypatch) -> None:
    import os

    asked = []
    real_stat, real_open = os.stat, os.open
    monkeypatch.setattr(os, "stat", lambda *a, **k: (asked.append(a[0]), real_stat(*a, **k))[1])
    monkeypatch.setattr(os, "open", lambda *a, **k: (asked.append(a[0]), real_open(*a, **k))[1])
    open_collection(table_folder)
    assert not [path for path in asked if str(path).endswith(".jpg")]


@pytest.mark.parametrize("name", ["../outside.jpg", "/etc/hostname", "images/../../x.jpg", "."])
def test_paths_out_of_the_folder_are_refused(edit, refuses, name: str) -> None:
    sentence = refuses(open_collection, edit(image=[name, *(f"{n:05d}" for n in range(1, 30))]))
    assert f"1 of {sentence.split('1 of ')[1].split(' do not')[0]} do not: {name}" in sentence


def test_an_id_that_matches_two_files_is_refused(table_folder: Path, draw, refuses) -> None:
    draw(1).save(table_folder / "images" / "00004.png")
    sentence = refuses(open_collection, table_folder)
    assert "image 00004 must name one file, but images/00004.jpg, images/00004.png match" in sentence


def test_repeated_ids_are_refused(edit, refuses) -> None:
    names = [f"{n:05d}" for n in range(30)]
    assert "1 of" in (sentence := refuses(open_collection, edit(image=[*names[:29], "00003"])))
    assert "00003; remove" in sentence


def test_two_names_of_one_file_are_refused(edit, refuses) -> None:
    names = [f"{n:05d}" for n in range(30)]
    sentence = refuses(open_collection, edit(image=[*names[:29], "images/00003.jpg"]))
    assert "00003 and images/00003.jpg" in sentence


def test_a_missing_column_is_named_with_those_there_are(edit, refuses) -> None:
    sentence = refuses(open_collection, edit(dx=None, diag=["x"] * 30))
    assert "none of the columns label, diagnosis, dx" in sentence
    assert "(columns: image, patient_id, diag)" in sentence
    sentence = refuses(open_collection, edit(image=None, images=["x"] * 30))
    assert "column image is not in" in sentence
    assert "did you mean images?" in sentence
    sentence = refuses(open_collection, edit(images=None, image_id=["x"] * 30))
    assert "none of the 30 images" in sentence  # one column is no sequence, but a column of images


@pytest.mark.parametrize("missing", ["", "NaN", "NA", "  "])
@pytest.mark.parametrize("column", ["dx", "image"])
def test_missing_values_are_counted_and_placed(edit, refuses, column: str, missing: str) -> None:
    values = [f"{n:05d}" for n in range(30)]
    values[3] = values[7] = missing
    sentence = refuses(open_collection, edit(**{column: values}))
    assert f"column {column} of" in sentence
    assert "2 of 30 have none (rows 5, 9, the header is row 1)" in sentence


def test_none_is_a_name_that_a_class_may_have(edit) -> None:
    assert open_collection(edit(dx=["None"] * 20 + ["mel"] * 10)).class_names == ("None", "mel")


def test_missing_values_of_parquet_are_refused_too(table_folder: Path, refuses) -> None:
    table = pd.read_csv(table_folder / "labels.csv", dtype={"image": str})
    table["label"] = [1.0] * 20 + [0.0] * 9 + [None]
    table.drop(columns="dx").to_parquet(table_folder / "labels.parquet")
    (table_folder / "labels.csv").unlink()
    assert "1 of 30 have none (rows 31" in refuses(open_collection, table_folder)
    table["label"] = [1.0] * 20 + [0.0] * 10
    table.drop(columns="dx").to_parquet(table_folder / "labels.parquet")
    assert open_collection(table_folder).class_names == ("0", "1")


def test_unknown_splits_are_refused(edit, refuses) -> None:
    sentence = refuses(open_collection, edit(split=["train"] * 29 + ["holdout"]))
    assert "train, validation (val) or test, got holdout" in sentence


def test_if_no_image_is_found_the_folders_are_named(edit, refuses) -> None:
    sentence = refuses(open_collection, edit(image=[f"x{n}" for n in range(30)]))
    assert "none of the 30 images" in sentence
    assert "first: x0" in sentence


def test_a_table_without_rows_is_refused(table_folder: Path, refuses) -> None:
    (table_folder / "labels.csv").write_text("image,dx\n")
    assert "must have a row for each image, but has none" in refuses(open_collection, table_folder)


def test_an_empty_table_file_is_refused(table_folder: Path, refuses) -> None:
    (table_folder / "labels.csv").write_text("")
    assert "cannot be read as .csv" in refuses(open_collection, table_folder)


def test_a_garbled_parquet_is_refused(tmp_path: Path, refuses) -> None:
    (tmp_path / "labels.parquet").write_bytes(b"no parquet")
    assert "cannot be read as .parquet" in refuses(open_collection, tmp_path)


# --- archives


def test_npz(write_npz) -> None:
    collection = open_collection(write_npz())
    assert collection.name == "small"
    assert collection.class_names == ("0", "1")
    assert [collection.class_counts(split).tolist() for split in ("train", "validation", "test")] == [
        [6, 6],
        [2, 2],
        [2, 2],
    ]
    assert collection.table["id"].tolist()[11:13] == ["train/11", "val/0"]
    assert collection.source.read(0).shape == (8, 8, 3)


def test_npz_with_train_and_test_only_and_class_names(write_npz) -> None:
    names = np.array(["benign", "malignant", "never seen"])
    collection = open_collection(write_npz(val_images=None, val_labels=None, class_names=names))
    assert collection.class_names == tuple(names)
    assert set(collection.table["split"]) == {"train", "test"}
    assert collection.class_counts().tolist() == [8, 8, 0]


def test_npz_rows_follow_their_splits(write_npz) -> None:
    path = write_npz()
    collection = open_collection(path)
    with np.load(path) as archive:
        first_test = int(collection.rows("test")[0])
        np.testing.assert_array_equal(collection.source.read(first_test), archive["test_images"][0])
        assert collection.table["target"].iloc[first_test + 1] == archive["test_labels"][1, 0]


def _images(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"train_images": _images(12, 8, 8, 8)}, "one shape in all splits, got (8, 8, 3), (8, 8, 8)"),
        ({"train_images": _images(12, 64)}, "shape (N, H, W), (N, H, W, 3), (N, D, H, W) or "),
        ({"train_images": _images(12, 8, 8, 8, 3, 1)}, "got (12, 8, 8, 8, 3, 1); reshape them"),
        ({"val_images": _images(4, 9, 8, 3)}, "one shape in all splits, got (8, 8, 3), (9, 8, 3)"),
        ({"train_images": np.zeros((12, 8, 8, 3))}, "train_images of"),
        ({"train_labels": None}, "train_labels beside train_images"),
        ({"train_images": None}, "must hold train_images"),
        ({"train_labels": _images(12, 14)}, "one number of columns in all splits, got 1, 14"),
        ({"train_labels": _images(11)}, "each of 12 images, got shape (11,)"),
        ({"val_labels": np.array([0, 1, np.nan, 1])}, "NaN or infinity"),
        ({"val_labels": np.array([0, 1, 0.5, 1])}, "fractions"),
        ({"val_labels": np.array([0, 1, -1, 1])}, "negative, got -1"),
        ({"val_labels": np.array([0, 1, None, 1], dtype=object)}, "val_labels of"),
        ({"class_names": np.array(["only one"])}, "1 names for label 1"),
        ({"class_names": np.array(["a", "a"])}, "must differ"),
        ({"validation_images": _images(4, 8, 8, 3), "validation_labels": _images(4)}, "each split once"),
    ],
)
def test_npz_of_another_form_is_refused(write_npz, refuses, arrays: dict, expected: str) -> None:
    assert expected in refuses(open_collection, write_npz(**arrays))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_a_garbled_npz_is_refused(tmp_path: Path, refuses, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    assert "must be an .npz archive" in refuses(open_collection, tmp_path / "x.npz")


def test_a_damaged_member_of_an_npz_is_refused(write_npz, refuses) -> None:
    path = write_npz()
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("train_images.npy").header_offset + 400
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(content)
    assert "Bad CRC-32" in refuses(open_collection, path)


# --- names


def test_digits_are_imbalanced_in_training_only_and_always_the_same() -> None:
    digits = open_collection("digits-lt")
    assert digits.class_counts("train").tolist() == [100, 64, 41, 27, 17, 11, 7, 4, 3, 2]
    assert digits.class_counts("validation").tolist() == [20] * 10
    assert digits.class_counts("test").tolist() == [40] * 10
    assert digits.source.read(0).shape == (8, 8, 1)
    assert digits.fingerprint() == open_collection("digits-lt").fingerprint()


def test_digits_are_the_real_ones() -> None:
    from sklearn.datasets import load_digits

    original = load_digits()
    digits = open_collection("digits-lt")
    for row in (0, 300, 875):
        position = int(digits.table["id"].iloc[row].removeprefix("digit-"))
        assert digits.table["label"].iloc[row] == str(original.target[position])
        np.testing.assert_allclose(
            digits.source.read(row)[..., 0] / 255 * 16, original.images[position], atol=0.04
        )


def test_the_nearest_built_in_name_is_suggested(refuses) -> None:
    assert "did you mean digits-lt?" in refuses(open_collection, "digit-lt")


def test_a_missing_path_is_refused(tmp_path: Path, refuses) -> None:
    sentence = refuses(open_collection, tmp_path / "nothing")
    assert f"got '{tmp_path / 'nothing'}'" in sentence
    assert "did you mean" not in sentence


def test_another_file_is_refused(tmp_path: Path, refuses) -> None:
    (tmp_path / "image.jpg").write_bytes(b"x")
    assert "got the file" in refuses(open_collection, tmp_path / "image.jpg")


# --- real data


@pytest.mark.parametrize(
    ("name", "classes", "counts"),
    [
        ("ham10000_128", "akiec bcc bkl df mel nv vasc", [128, 185, 408, 42, 344, 3026, 56]),
        ("ham10000_28.npz", "0 1 2 3 4 5 6", [128, 185, 408, 42, 344, 3026, 56]),
        ("bccd_cells_64", "Platelets RBC WBC", [253, 2936, 261]),
        ("pneumoniamnist_ir9.npz", "0 1", [388, 3494]),
        ("cifar/cifar10_auto_truck_beta100.npz", "automobile truck", [5000, 50]),
    ],
)
def test_real_sets_have_the_counts_their_readme_states(
    shared_data: Path, name: str, classes: str, counts: list[int]
) -> None:
    collection = open_collection(shared_data / name)
    assert collection.class_names == tuple(classes.split())
    assert collection.class_counts("train").tolist() == counts


def test_cifar_has_its_hundred_classes(shared_data: Path) -> None:
    collection = open_collection(shared_data / "cifar" / "cifar100_lt_if100.npz")
    expected = [int(500 * 0.01 ** (c / 99)) for c in range(100)]
    assert collection.class_counts("train").tolist() == expected
    assert collection.class_names[0] == "apple"


# --- the collection


def test_selecting_rows_keeps_pixels_and_classes_together(write_npz) -> None:
    collection = open_collection(write_npz())
    rows = np.array([19, 3, 7])
    chosen = collection.select(rows)
    assert chosen.class_names == collection.class_names
    for new, old in enumerate(rows):
        assert chosen.table["id"].iloc[new] == collection.table["id"].iloc[old]
        np.testing.assert_array_equal(chosen.source.read(new), collection.source.read(old))
    rest = collection.without(rows)
    assert len(rest) == 17
    np.testing.assert_array_equal(rest.source.read(3), collection.source.read(4))
    np.testing.assert_array_equal(rest.without(np.arange(5)).source.read(0), collection.source.read(6))
    assert len(collection.select(np.array([], dtype=np.int64))) == 0


def test_the_fingerprint_depends_on_ids_labels_and_splits(write_npz) -> None:
    collection = open_collection(write_npz())
    seen = {collection.fingerprint()}
    for column, value in (("id", "other"), ("label", "1"), ("split", "test")):
        table = collection.table.copy()
        table.loc[0, column] = value
        seen.add(replace(collection, table=table).fingerprint())
    for first, second in (("ab", "c"), ("a", "bc")):
        table = collection.table.copy()
        table.loc[[0, 1], "id"] = [first, second]
        seen.add(replace(collection, table=table).fingerprint())
    assert len(seen) == 6


def test_rows_of_unknown_or_missing_splits_are_refused(class_folders: Path, refuses) -> None:
    collection = open_collection(class_folders)
    assert "one of train, validation, test, got 'val'" in refuses(collection.rows, "val")
    assert "call assign_splits first" in refuses(collection.rows, "train")


def test_the_first_form_skips_files_that_cannot_be_read(class_folders: Path, refuses) -> None:
    for name in ("melanoma_00.png", "melanoma_01.png"):
        (class_folders / "melanoma" / name).write_bytes(b"")
    form = open_collection(class_folders).first_form()
    assert (form.height, form.width, form.mode) == (16, 16, "RGB")
    for path in class_folders.rglob("*.png"):
        path.write_bytes(b"")
    assert "melanoma_00.png is empty" in refuses(open_collection(class_folders).first_form)


def test_reading_data_needs_neither_pydantic_nor_lightning() -> None:
    heavy = {"pydantic", "lightning", "monai", "pydicom", "nibabel", "timm", "sklearn"}
    code = f"import sys, medtail.data.samplers, medtail.inspection.audit; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_good_data_causes_no_warning(class_folders: Path, table_folder: Path, write_npz) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in (class_folders, table_folder, write_npz(), "digits-lt"):
            open_collection(data)


def test_the_typical_form_is_that_of_median_size(tmp_path: Path, draw) -> None:
    for number in range(9):
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        draw(number, size=20 if number < 2 else 50).save(tmp_path / "ab"[number % 2] / f"{number}.png")
    (tmp_path / "a" / "broken.png").write_bytes(b"")
    collection = open_collection(tmp_path)
    assert collection.first_form().shape == (20, 20)
    assert collection.typical_form().shape == (50, 50)


def test_an_empty_text_is_not_the_current_folder() -> None:
    with pytest.raises(InputError, match="DATA must be a path or the name of a data set, got an empty text"):
        open_collection("")
