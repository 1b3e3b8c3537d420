"""Files that are named or begin in an unusual way are read, and those that cannot be are counted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtail.data import DataWarning, ImageFiles, UnreadableImageError, open_collection


def save(path: Path, kind: str = "JPEG") -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, kind)


def test_every_name_of_jpeg_is_read_and_unknown_extensions_are_counted(tmp_path: Path) -> None:
    for number, extension in enumerate(("jpg", "jfif", "JPE", "jpeg")):
        save(tmp_path / "ab"[number % 2] / f"{number}.{extension}")
    for name in ("a/1.avif", "a/2.avif", "b/3.heic", "b/notes.txt", "b/.hidden.avif"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.warns(DataWarning, match=r"3 files of .* are left out: \.avif \(2\), \.heic \(1\)"):
        collection = open_collection(tmp_path)
    assert len(collection) == 4


def test_dicom_without_preamble_is_read_and_other_bytes_are_not(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 8, 6, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    stored = np.linspace(0, 4095, 48).astype("<u2")
    dataset.PixelData = stored.tobytes()
    file = pydicom.filebase.DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, True
    pydicom.filewriter.write_dataset(file, dataset)
    path, garbled = tmp_path / "old.dcm", tmp_path / "garbled.dcm"
    path.write_bytes(file.getvalue())
    garbled.write_bytes(b"no image" * 100)
    files = ImageFiles([path, garbled])
    np.testing.assert_allclose(files.read(0).ravel(), stored / 4095 * 255, atol=1)
    assert files.form(0).shape == (8, 6)
    with pytest.raises(UnreadableImageError, match="is not a DICOM file"):
        files.read(1)
