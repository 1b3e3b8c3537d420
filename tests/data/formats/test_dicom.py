"""DICOM: displayed grey values, every colour space, frames and series as depth, and the reasons of bad files."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtail.data import (
    DataWarning,
    ImageFiles,
    ImageForm,
    UnreadableImageError,
    load_pixels,
    open_collection,
)
from medtail.data.formats import dicom
from medtail.errors import InputError

pydicom = pytest.importorskip("pydicom")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SERIES = FILES / "dicomdirtests" / "98892001" / "CT5N"


def read(path: Path) -> np.ndarray:
    return ImageFiles([path]).read(0)


def reason(path: Path, **settings: int) -> str:
    with pytest.raises(UnreadableImageError) as refusal:
        ImageFiles([path], **settings).read(0)
    assert str(path) in str(refusal.value)
    return refusal.value.reason


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write grey numbers as a DICOM file; keyword arguments are elements, None removes one."""

    def run(numbers: np.ndarray, name: str = "x.dcm", **elements: object) -> Path:
        dataset = pydicom.dcmread(FILES / "CT_small.dcm")
        for keyword in (
            "WindowCenter",
            "WindowWidth",
            "RescaleSlope",
            "RescaleIntercept",
            "PixelPaddingValue",
        ):
            if keyword in dataset:
                del dataset[keyword]
        dataset.Rows, dataset.Columns = numbers.shape[-2:]
        if numbers.ndim == 3:
            dataset.NumberOfFrames = len(numbers)
        dataset.BitsAllocated = dataset.BitsStored = 8 * numbers.dtype.itemsize
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelRepresentation = int(numbers.dtype.kind == "i")
        dataset.PixelData = numbers.tobytes()
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        dataset["PixelData"].VR = "OW"
        path = tmp_path / name
        dataset.save_as(path)
        return path

    return run


NUMBERS = np.arange(-1000, 3000, 10, dtype=np.int16).reshape(20, 20)


# --- grey values


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (0.5, -100)])
def test_windows_are_those_of_pydicom(write, function: str | None, slope: float, intercept: float) -> None:
    path = write(
        NUMBERS,
        WindowCenter=[40, 400],
        WindowWidth=[401, 2000],
        RescaleSlope=slope,
        RescaleIntercept=intercept,
    )
    dataset = pydicom.dcmread(path)
    if function is not None:
        dataset.VOILUTFunction = function
        dataset.save_as(path)
    values = pydicom.pixels.apply_modality_lut(dataset.pixel_array, dataset)
    shown = pydicom.pixels.apply_windowing(values, dataset)
    least, most = np.array([-(2**15), 2**15 - 1]) * slope + intercept
    expected = (shown - least) / (most - least) * 255
    assert abs(read(path)[..., 0] - expected).max() <= 0.51


def test_a_window_by_hand(write) -> None:
    shown = read(
        write(np.array([[-161, -160, 40, 239, 240]], dtype=np.int16), WindowCenter=40, WindowWidth=400)
    )
    # C.11.2.1.2.1: below centre - 0.5 - (width - 1) / 2 black, above centre - 0.5 + (width - 1) / 2 white.
    assert shown[0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_rescale_comes_before_the_window(write) -> None:
    plain = read(write(NUMBERS, "a.dcm", WindowCenter=40, WindowWidth=400))
    shifted = read(
        write(
            NUMBERS + 1024, "b.dcm", WindowCenter=40, WindowWidth=400, RescaleSlope=1, RescaleIntercept=-1024
        )
    )
    np.testing.assert_array_equal(plain, shifted)


def test_monochrome1_is_inverted(write) -> None:
    for window in ({}, {"WindowCenter": 40, "WindowWidth": 400}):
        bright = read(write(NUMBERS, "a.dcm", **window))
        dark = read(write(NUMBERS, "b.dcm", PhotometricInterpretation="MONOCHROME1", **window))
        np.testing.assert_array_equal(dark, 255 - bright)


def test_without_a_window_the_values_are_stretched(write) -> None:
    shown = read(write(NUMBERS))[..., 0]
    expected = (NUMBERS + 1000.0) / (NUMBERS.max() + 1000.0) * 255
    assert abs(shown - expected).max() <= 0.51
    assert (read(write(np.full((4, 4), 7, dtype=np.int16))) == 0).all()


def test_padding_does_not_stretch_the_values(write) -> None:
    numbers = NUMBERS.clip(0).copy()
    numbers[0] = -2000
    path = write(numbers)
    dataset = pydicom.dcmread(path)
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    dataset.save_as(path)
    shown = read(path)[..., 0]
    assert (shown[0] == 0).all()
    assert abs(shown[1:] - numbers[1:] / numbers.max() * 255).max() <= 0.51


def test_eight_bits_are_taken_as_they_are(write) -> None:
    numbers = np.arange(10, 90, dtype=np.uint8).reshape(8, 10)
    np.testing.assert_array_equal(read(write(numbers))[..., 0], numbers)
    rescaled = read(write(numbers, RescaleSlope=2, RescaleIntercept=0))
    assert (rescaled.min(), rescaled.max()) == (0, 255)


def test_a_look_up_table_wins_over_the_window(write) -> None:
    item = pydicom.Dataset()
    item.LUTDescriptor = [4, 100, 8]
    item.LUTData = [0, 200, 100, 255]
    path = write(np.array([[-5, 100, 101, 102, 103, 2000]], dtype=np.int16), WindowCenter=40, WindowWidth=400)
    dataset = pydicom.dcmread(path)
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    dataset.VOILUTSequence = [item]
    dataset.save_as(path)
    assert read(path)[0, :, 0].tolist() == [0, 0, 200, 100, 255, 255]


def test_windows_of_functional_groups(write) -> None:
    """Enhanced multi-frame files keep rescale and window by frame."""
    numbers = np.stack([NUMBERS, NUMBERS, NUMBERS])
    path = write(numbers)
    dataset = pydicom.dcmread(path)
    frames = []
    for intercept in (0, 100, 200):
        values, window, measures, frame = (pydicom.Dataset() for _ in range(4))
        values.RescaleSlope, values.RescaleIntercept = 1, intercept
        window.WindowCenter, window.WindowWidth = 40 + intercept, 400
        frame.PixelValueTransformationSequence = [values]
        frame.FrameVOILUTSequence = [window]
        frames.append(frame)
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.25], 3
    shared = pydicom.Dataset()
    shared.PixelMeasuresSequence = [measures]
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.save_as(path)
    shown = read(path)
    assert shown.shape == (3, 20, 20, 1)
    for frame, intercept in enumerate((0, 100, 200)):
        expected = (
            (NUMBERS + intercept - 139.5) / 399 + 0.5
        ) * 255  # the window of the central frame, for all
        assert abs(shown[frame, ..., 0] - expected.clip(0, 255)).max() <= 0.51
    assert ImageFiles([path]).form(0) == ImageForm(20, 20, "MONOCHROME2", 3, (3.0, 0.5, 0.25))


# --- colours


REFERENCE = "SC_rgb_rle.dcm"


@pytest.mark.parametrize(
    ("name", "difference"),
    [
        ("SC_rgb_rle_16bit.dcm", 1),
        ("SC_rgb_rle_32bit.dcm", 1),
        ("SC_rgb_gdcm_KY.dcm", 8),
        ("SC_rgb_jpeg_gdcm.dcm", 1),
        ("SC_rgb_dcmtk_+eb+cy+n1.dcm", 8),
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", 8),
        ("SC_rgb_jpeg_dcmtk.dcm", 8),
        ("SC_ybr_full_422_uncompressed.dcm", 8),
    ],
)
def test_every_way_of_storing_colour_gives_the_same_picture(name: str, difference: int) -> None:
    pytest.importorskip("pylibjpeg")
    expected, colours = read(FILES / REFERENCE).astype(int), read(FILES / name).astype(int)
    assert colours.shape == (100, 100, 3)
    assert abs(colours - expected).mean() <= difference


def test_palettes_become_their_colours() -> None:
    path = FILES / "examples_palette.dcm"
    if not path.is_file():
        pytest.skip("this pydicom does not carry the example")
    dataset = pydicom.dcmread(path)
    expected = pydicom.pixels.apply_color_lut(dataset.pixel_array, dataset)
    scale = 255 / (2 ** (8 * expected.dtype.itemsize) - 1)
    assert abs(read(path) - expected * scale).max() <= 0.51


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
    ],
)
def test_every_lossless_syntax_gives_the_same_pixels(name: str) -> None:
    np.testing.assert_array_equal(read(FILES / name), read(FILES / "MR_small.dcm"))


# --- volumes


def test_frames_are_depth() -> None:
    path = FILES / "rtdose.dcm"
    shown = read(path)
    assert shown.shape == (15, 10, 10, 1)
    numbers = pydicom.dcmread(path).pixel_array.astype(float)
    expected = (numbers - numbers.min()) / (numbers.max() - numbers.min()) * 255
    assert abs(shown[..., 0] - expected).max() <= 0.51
    assert ImageFiles([path]).form(0).shape == (15, 10, 10)


def test_spacing_is_reported() -> None:
    form = ImageFiles([FILES / "CT_small.dcm"]).form(0)
    assert form == ImageForm(128, 128, "MONOCHROME2", spacing=(0.661468, 0.661468))
    assert ImageFiles([FILES / "SC_rgb_rle.dcm"]).form(0).mode == "RGB"


def test_a_series_is_sorted_by_place(tmp_path: Path) -> None:
    files = sorted(SERIES.iterdir())
    headers = [pydicom.dcmread(file) for file in files]
    by_place = np.argsort([float(header.ImagePositionPatient[2]) for header in headers])
    # The order of names is not that of places.
    for number, place in enumerate(np.random.default_rng(0).permutation(len(files))):
        shutil.copy(files[place], tmp_path / f"slice{number}")
    source = ImageFiles([tmp_path])
    assert source.form(0) == ImageForm(16, 16, "MONOCHROME2", 5, (2.5, 0.488281, 0.488281))
    volume = source.read(0)
    assert volume.shape == (5, 16, 16, 1)
    for depth, place in enumerate(by_place):
        np.testing.assert_array_equal(volume[depth], read(files[place]))  # one window in all of them


def test_a_folder_that_is_not_a_series_is_refused(tmp_path: Path) -> None:
    assert "has no" not in reason(FILES / "dicomdirtests" / "98892003" / "MR2")
    assert reason(FILES / "dicomdirtests" / "98892003" / "MR2").startswith("holds 3 DICOM series")
    assert "of several orientations" in reason(FILES / "dicomdirtests" / "98892003" / "MR700")
    assert "mm apart, so some are missing" in reason(FILES / "dicomdirtests" / "77654033" / "CT2")
    assert "do not say where they lie" in reason(FILES / "dicomdirtests" / "77654033" / "CR1")
    assert reason(tmp_path) == "is a folder without DICOM slices"
    for name in "ab":
        shutil.copy(next(SERIES.iterdir()), tmp_path / name)
    assert "two slices at one place" in reason(tmp_path)


# --- finding files


def test_files_without_extension_are_recognised_by_content(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number, name in enumerate(("IM000001", "1.2.840.113619", "scan.DCM")):
            shutil.copy(sorted(SERIES.iterdir())[number], tmp_path / label / name)
        (tmp_path / label / "README").write_text("no image")
        shutil.copy(FILES / "CT_small.dcm", tmp_path / label / "DICOMDIR")
    collection = open_collection(tmp_path)
    assert collection.class_counts().tolist() == [3, 3]
    assert load_pixels(collection, image_size=16, channels=1).read([0]).shape == (1, 1, 16, 16)


def test_a_table_names_files_and_series(tmp_path: Path) -> None:
    for number in range(2):
        shutil.copytree(SERIES, tmp_path / "series" / f"p{number}")
    table = pd.DataFrame({"image": ["series/p0", "series/p1"], "label": ["a", "b"]})
    table.to_csv(tmp_path / "labels.csv", index=False)
    collection = open_collection(tmp_path)
    assert collection.dimensions == 3
    assert len(collection.source.files(0)) == 5  # the slices, by which a cache notices a change
    assert load_pixels(collection, image_size=8, channels=1).read([1]).shape == (1, 1, 8, 8, 8)


# --- series in class folders


def test_a_folder_of_one_series_is_one_volume(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for label in ("a", "b"):
        for number in range(3):
            folder = tmp_path / label / f"case{number}" / "ct"
            folder.mkdir(parents=True)
            # The order of names is the reverse of that of files.
            for place, file in enumerate(sorted(SERIES.iterdir())):
                shutil.copy(file, folder / f"slice{9 - place}")
    with caplog.at_level("INFO", "medtail"):
        collection = open_collection(tmp_path)
    assert collection.class_counts().tolist() == [3, 3]
    assert collection.table["id"][0] == "a/case0/ct"
    assert collection.dimensions == 3
    np.testing.assert_array_equal(collection.source.read(5), ImageFiles([SERIES]).read(0))
    said = (
        "6 folders of DICOM slices are one volume each: by SeriesInstanceUID, ordered by position, 5 slices"
    )
    assert said in caplog.text


def test_several_series_in_a_folder_are_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    shutil.copytree(SERIES, tmp_path / "a" / "case")
    for file in sorted(SERIES.iterdir()):
        dataset = pydicom.dcmread(file)
        dataset.SeriesInstanceUID = "1.2.3"
        dataset.save_as(tmp_path / "a" / "case" / f"other{file.name}")
    with pytest.raises(
        InputError, match=r"holds 2 \(5 slices, 5 slices\); put each into a folder of its own"
    ):
        open_collection(tmp_path)


def test_slices_directly_in_a_class_folder_stay_images_with_a_warning(tmp_path: Path) -> None:
    for label in ("a", "b"):
        shutil.copytree(SERIES, tmp_path / label)
    with pytest.warns(DataWarning, match="DICOM slices that lie directly in .* are read as one image each"):
        collection = open_collection(tmp_path)
    assert collection.class_counts().tolist() == [5, 5]


def test_views_of_one_series_without_a_place_stay_images(tmp_path: Path) -> None:
    for label in ("a", "b"):
        shutil.copytree(FILES / "dicomdirtests" / "77654033" / "CR1", tmp_path / label / "case")
    count = len(list((FILES / "dicomdirtests" / "77654033" / "CR1").iterdir()))
    assert open_collection(tmp_path).class_counts().tolist() == [count, count]


# --- bad files


def test_dicom_without_pixels_says_what_it_is() -> None:
    assert reason(FILES / "rtplan.dcm") == "holds no pixels (DICOM of the kind RT Plan Storage)"
    assert reason(FILES / "reportsi.dcm") == "holds no pixels (DICOM of the kind Basic Text SR Storage)"


def test_a_missing_decoder_is_named(monkeypatch) -> None:
    from pydicom.pixels.decoders.base import Decoder

    monkeypatch.setattr(Decoder, "is_available", property(lambda self: False))
    sentence = reason(FILES / "MR_small_jp2klossless.dcm")
    assert sentence.startswith("is compressed as JPEG 2000 Image Compression (Lossless Only), for which no")
    assert "pip install 'medtail[dicom]'" in sentence


def test_a_syntax_nobody_decodes_is_named(write) -> None:
    path = write(NUMBERS)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = pydicom.encaps.encapsulate([b"film"])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    dataset.save_as(path)
    assert "which pydicom does not decode" in reason(path)


def test_truncated_and_garbled_files(tmp_path: Path, write) -> None:
    assert reason(FILES / "MR_truncated.dcm") == "is truncated"
    (tmp_path / "text.dcm").write_text("no DICOM at all")
    assert reason(tmp_path / "text.dcm") == "is not a DICOM file, or its header is garbled"
    (tmp_path / "empty.dcm").write_bytes(b"")
    assert reason(tmp_path / "empty.dcm") == "is empty (0 bytes)"
    assert reason(tmp_path / "missing.dcm") == "does not exist"
    assert reason(write(NUMBERS, WindowCenter=40, WindowWidth=0)) == "has a window of width 0 (WindowWidth)"


def test_the_limit_counts_frames_and_samples_before_decoding(monkeypatch) -> None:
    monkeypatch.setattr(pydicom.pixels, "pixel_array", lambda *_: pytest.fail("decoded"))
    path = FILES / "SC_rgb_rle_2frame.dcm"
    assert reason(path, max_pixels=59_999) == (
        "has 2 x 100 x 100 x 3 pixels, more than the limit of 59999 (max_pixels)"
    )


def test_what_a_deflated_file_unpacks_to_is_limited(monkeypatch) -> None:
    path = FILES / "image_dfl.dcm"
    assert read(path).shape == (512, 512, 1)
    monkeypatch.setattr(dicom, "_MOST_INFLATED", 512 * 512 - 1)
    monkeypatch.setattr(pydicom, "dcmread", lambda *_, **__: pytest.fail("unpacked"))
    assert reason(path) == "unpacks to more than 262143 bytes (deflated DICOM)"


def test_a_missing_package_is_named(monkeypatch, refuses) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert "pip install 'medtail[dicom]'" in refuses(ImageFiles([FILES / "CT_small.dcm"]).read, 0)
