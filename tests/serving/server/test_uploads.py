"""DICOM as a server gets it: without extensions, one file or a whole series."""

import io
from pathlib import Path

import numpy as np
import pytest

from medtail.data import ImageFiles
from medtail.runs.run import Run
from medtail.serving.server.predictor import Predictor
from medtail.serving.server.uploads import Upload, UploadError, decode

pydicom = pytest.importorskip("pydicom", reason="the extra dicom is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SERIES = FILES / "dicomdirtests" / "98892001" / "CT5N"


class Volumes:
    """Takes volumes, and gives them as they are read."""

    volumes = True

    def decode(self, path: Path, name: str) -> np.ndarray:
        return ImageFiles([path]).read(0)


def upload(path: Path, name: str | None = None) -> Upload:
    return Upload(path.name if name is None else name, io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize("name", ["CT_small.dcm", "1.2.840.113619", "IM0001"])
def test_a_file_of_dicom_is_known_by_its_content(single_run: Run, name: str) -> None:
    path = FILES / "CT_small.dcm"
    ((shown, pixels),) = decode(Predictor.load(single_run), [upload(path, name)])
    ((_, expected),) = decode(Predictor.load(single_run), [upload(path)])
    assert shown == name and pixels.shape == (1, 12, 12)
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.std() > 0


def test_the_slices_of_a_series_are_one_volume_in_their_order() -> None:
    slices = sorted(SERIES.iterdir())
    expected = ImageFiles([SERIES]).read(0)
    ((name, volume),) = decode(Volumes(), [upload(path) for path in reversed(slices)])
    assert name == f"series of {len(slices)} slices"
    np.testing.assert_array_equal(volume, expected)


def test_slices_that_do_not_belong_together_are_refused() -> None:
    slices = [*sorted(SERIES.iterdir())[:2], FILES / "CT_small.dcm"]
    with pytest.raises(UploadError) as refusal:
        decode(Volumes(), [upload(path) for path in slices])
    assert refusal.value.status == 422 and "/" not in refusal.value.reason
