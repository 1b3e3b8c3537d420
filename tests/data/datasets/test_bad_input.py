"""Everything that can be wrong with data: one sentence that names the file, before anything is lost."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtail.data import DataWarning, ImageFiles, image_paths, load_pixels, open_collection
from medtail.errors import InputError
from medtail.recipes.compose import compose
from medtail.recipes.schema import Recipe
from medtail.training.prepare import prepare

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")
pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")

DICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SERIES = DICOM_FILES / "dicomdirtests" / "98892001" / "CT5N"


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def png_that_unpacks_to_much(side: int = 12_000) -> bytes:
    """A whole, valid PNG: 144 MB of grey in 140 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compressobj(9)
    data = b"".join([*(rows.compress(bytes(side + 1)) for _ in range(side)), rows.flush()])
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def volume(*shape: int, nan: bool = False) -> bytes:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    if nan:
        values[0, 0, 0] = np.nan
    return bytes(nibabel.Nifti1Image(values, np.eye(4)).to_bytes())


def of_pydicom(name: str) -> Callable[[Callable], bytes]:
    return lambda draw: (DICOM_FILES / name).read_bytes()


#: Content and reason by name; the others of the set are pictures.
BAD: dict[str, tuple[Callable[[Callable], bytes], str]] = {
    "cut.jpg": (lambda draw: encoded(draw(0, size=64), "JPEG")[:400], "is truncated"),
    "bomb.png": (
        lambda draw: png_that_unpacks_to_much(),
        "has 12000 x 12000 pixels, more than the limit of 8",
    ),
    "empty.png": (lambda draw: b"", "is empty (0 bytes)"),
    "empty.dcm": (lambda draw: b"", "is empty (0 bytes)"),
    "empty.nii": (lambda draw: b"", "is empty (0 bytes)"),
    "plan.dcm": (of_pydicom("rtplan.dcm"), "holds no pixels (DICOM of the kind RT Plan Storage)"),
    "cut.dcm": (of_pydicom("MR_truncated.dcm"), "is truncated"),
    "nan.nii": (lambda draw: volume(5, 5, 5, nan=True), "holds 1 voxels that are NaN or infinite"),
    "time.nii": (lambda draw: volume(5, 5, 5, 2), "has a fourth dimension (5 x 5 x 5 x 2)"),
    "whole.nii": (lambda draw: volume(5, 5, 5), "is a volume among images"),
}


@pytest.fixture
def clinic(tmp_path: Path, draw) -> Path:
    """20 good pictures of two classes and every bad file, in one table."""
    names = [f"sound{number:02d}.png" for number in range(20)]
    for number, name in enumerate(names):
        draw(number).save(tmp_path / name)
    for name, (make, _) in BAD.items():
        (tmp_path / name).write_bytes(make(draw))
    names += list(BAD)
    labels = ["ab"[number % 2] for number in range(len(names))]
    pd.DataFrame({"image": names, "label": labels}).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def recipe(**data: object) -> Recipe:
    return compose("small_images", "ce", {"data": {"image_size": 8, "channels": 1, **data}})


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_bad_file_is_named_with_its_reason(clinic: Path, refuses) -> None:
    sentence = refuses(prepare, open_collection(clinic), recipe())
    assert f"{len(BAD)} of {20 + len(BAD)} images cannot be read: " in sentence
    for name, (_, reason) in BAD.items():
        assert f"{name} {reason}" in sentence
    assert "`skip_unreadable=True`" in sentence


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_all_kinds_can_be_skipped_and_are_recorded(clinic: Path) -> None:
    prepared = prepare(open_collection(clinic), recipe(), skip_unreadable=True)
    assert len(prepared.collection) == 20
    assert {bad["id"] for bad in prepared.facts.unreadable} == set(BAD)
    assert sum(map(sum, prepared.facts.class_counts.values())) == 20


def test_nothing_of_a_bomb_is_decoded(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "bomb.png").write_bytes(png_that_unpacks_to_much())
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("decoded"))
    files = ImageFiles([tmp_path / "bomb.png"])
    assert files.form(0).shape == (12_000, 12_000)
    with pytest.raises(InputError, match=r"bomb\.png has 12000 x 12000 pixels, more than the limit"):
        files.read(0)


def test_the_limit_is_a_setting_of_the_recipe(tmp_path: Path, refuses) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(3):
            (tmp_path / label / f"{number}.png").write_bytes(png_that_unpacks_to_much(300 + number))
    collection = open_collection(tmp_path, max_pixels=90_000)
    sentence = refuses(prepare, collection, recipe())
    assert "4 of 6 images cannot be read" in sentence
    assert len(prepare(collection, recipe(max_pixels=91_204)).collection) == 6


# --- labels


@pytest.fixture
def no_pixels(monkeypatch) -> None:
    monkeypatch.setattr(ImageFiles, "read", lambda *_, **__: pytest.fail("decoded"))


def test_one_class_is_refused_before_anything_is_decoded(tmp_path: Path, draw, refuses, no_pixels) -> None:
    (tmp_path / "nevus").mkdir()
    draw(0).save(tmp_path / "nevus" / "x.png")
    assert "at least 2 classes, but " in refuses(prepare, open_collection(tmp_path), recipe())


def test_an_empty_class_is_refused_before_anything_is_decoded(
    class_folders: Path, refuses, no_pixels
) -> None:
    (class_folders / "melanoma_in_situ").mkdir()
    sentence = refuses(prepare, open_collection(class_folders), recipe())
    assert "has none of melanoma_in_situ" in sentence


def test_a_class_without_training_images_is_refused_before_anything_is_decoded(
    edit, refuses, no_pixels
) -> None:
    folder = edit(split=["train"] * 20 + ["test"] * 10)
    assert "mel is only in test (10)" in refuses(prepare, open_collection(folder), recipe())


def test_labels_that_differ_by_case_or_spaces_warn(edit) -> None:
    with pytest.warns(DataWarning, match="'Mel' and 'mel'"):
        open_collection(edit(dx=["nv"] * 20 + ["Mel"] * 5 + ["mel"] * 5))


def test_repeated_ids_of_cases_are_named(tmp_path: Path, refuses) -> None:
    (tmp_path / "x.nii").write_bytes(volume(5, 5, 5))
    (tmp_path / "y.nii").write_bytes(volume(5, 5, 5))
    table = {"id": ["p1", "p1"], "image_t1": ["x", "y"], "image_t2": ["x", "y"], "label": ["a", "b"]}
    pd.DataFrame(table).to_csv(tmp_path / "labels.csv", index=False)
    assert "image ids must be unique, 1 of" in refuses(open_collection, tmp_path)


# --- archives


def test_mixed_sizes_in_one_archive_are_refused_without_unpickling(write_npz, refuses, monkeypatch) -> None:
    mixed = np.empty(12, dtype=object)
    mixed[:] = [np.zeros((8 + number % 2, 8), dtype=np.uint8) for number in range(12)]
    sentence = refuses(open_collection, write_npz(train_images=mixed))
    assert "train_images of" in sentence
    assert (
        "small.npz must be one plain array, but holds Python objects (perhaps images of several sizes)"
        in sentence
    )


def test_images_that_are_not_bytes_are_refused_before_they_are_unpacked(
    write_npz, refuses, monkeypatch
) -> None:
    path = write_npz(val_images=np.zeros((4, 8, 8, 3), dtype=np.float32))
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    assert "val_images of" in (sentence := refuses(open_collection, path))
    assert "must be uint8 (0 to 255), got float32" in sentence


# --- paths


@pytest.mark.parametrize("columns", [["image"], ["image_t1", "image_t2"]])
def test_no_column_leaves_the_folder_of_the_table(tmp_path: Path, refuses, columns: list[str]) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "outside.nii").write_bytes(volume(5, 5, 5))
    table = {column: ["../outside.nii"] for column in columns} | {"label": ["a"]}
    pd.DataFrame(table).to_csv(folder / "labels.csv", index=False)
    assert "images must lie in the folder of the table, but 1 of" in refuses(open_collection, folder)


def test_links_are_followed(tmp_path: Path, draw) -> None:
    """The owner of the folder put links there, because large sets are linked rather than copied."""
    folder = tmp_path / "data"
    folder.mkdir()
    draw(0).save(tmp_path / "elsewhere.png")
    (folder / "x.png").symlink_to(tmp_path / "elsewhere.png")
    pd.DataFrame({"image": ["x"], "label": ["a"]}).to_csv(folder / "labels.csv", index=False)
    assert open_collection(folder).source.read(0).shape == (16, 16, 3)


def test_a_folder_of_slices_is_one_volume_among_volumes_only() -> None:
    assert image_paths([SERIES], volumes=True) == [SERIES]
    assert len(image_paths([SERIES])) == 5
    multi_frame = DICOM_FILES / "SC_rgb_rle_2frame.dcm"
    assert image_paths([multi_frame], volumes=True) == [multi_frame]


def test_skipping_is_not_offered_for_everything(tmp_path: Path, refuses) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.nii").write_bytes(volume(5, 5, 5, nan=True))
    sentence = refuses(load_pixels, open_collection(tmp_path), image_size=5, channels=1, skip_unreadable=True)
    assert "no image of" in sentence
    assert "a/x.nii holds 1 voxels that are NaN or infinite" in sentence
