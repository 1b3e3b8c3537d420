"""DICOM images, multi-frame volumes and series of slices, through pydicom."""

import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, final

import numpy as np

from medtail.data.formats.base import MAX_PIXELS, FileFormat, RefusedError, check_size
from medtail.data.formats.codestreams import codestream_sides
from medtail.data.formats.dicom_elements import num_frames, pydicom_package
from medtail.data.formats.dicom_greys import grey_images
from medtail.data.formats.grey_windows import scale_whole_range
from medtail.data.formats.sources import ImageForm

DICOM_EXTENSIONS = (".dcm", ".dicom")

#: If the gaps between the slices of a series differ by more than this factor, a slice is probably missing.
UNEVEN = 1.5

#: Bytes to which a deflated file may unpack: pydicom unpacks all of it before anything is known about it.
_MOST_INFLATED = 8 * MAX_PIXELS

_CHUNK = 2**20

#: What every slice of a series says.
_OF_SLICES = ("SeriesInstanceUID", "ImagePositionPatient", "ImageOrientationPatient")

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def is_dicom(path: Path) -> bool:
    """Whether a file says at byte 128 that it is DICOM."""
    try:
        # Opening a pipe would wait for its writer.
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except (OSError, ValueError):
        return False


@final
class Dicom(FileFormat):
    """One file: an image, or a volume whose frames are its depth, whatever they represent.

    Grey values are rescaled (by the modality look-up table, or by slope and intercept) and displayed through the first
    VOI look-up table, else through the first window, else as they are if they have 8 bits, else from the smallest to
    the largest value that is not padding. MONOCHROME1 is inverted. Palettes and YBR become RGB; colours of more than 8
    bits are scaled by their whole range.
    """

    def read(self, path: Path, max_pixels: int, at_least: int) -> np.ndarray:
        dataset = _dataset(path)
        check_size(_sides(dataset), max_pixels)
        stored = _stored(dataset)
        shown = _colours(stored, dataset) if _is_colour(dataset) else grey_images([stored], [dataset])
        return shown if num_frames(dataset) > 1 else shown[0]

    def form(self, path: Path) -> ImageForm:
        dataset = _header(path)
        frames = num_frames(dataset)
        return _form(dataset, frames if frames > 1 else None, _slice_spacing(dataset))


@final
class DicomSeries(FileFormat):
    """A volume: a folder of single slices of one series, as scanners export them.

    Slices are sorted along the normal of their plane by ImagePositionPatient. The window of the central slice is used
    for all of them: with windows that change from slice to slice, brightness would mean nothing.
    """

    def read(self, path: Path, max_pixels: int, at_least: int) -> np.ndarray:
        files, headers = _sorted_slices(path)
        check_size((len(headers), *_sides(headers[0])), max_pixels)
        datasets = [_dataset(file) for file in files]
        return grey_images([_stored(dataset) for dataset in datasets], datasets)

    def form(self, path: Path) -> ImageForm:
        _, headers = _sorted_slices(path)
        places = [_place(header) for header in headers]
        gap = (
            abs(places[-1] - places[0]) / (len(places) - 1) if len(places) > 1 else _slice_spacing(headers[0])
        )
        return _form(headers[0], len(headers), gap)


def _read(path: Path, **settings: Any) -> Any:
    pydicom = pydicom_package()
    try:
        _check_deflated(path)
        return pydicom.dcmread(path, **settings)
    except pydicom.errors.InvalidDicomError as error:
        if path.stat().st_size == 0:
            raise
        dataset = _without_preamble(path, settings)
        if dataset is not None:
            return dataset
        raise RefusedError("is not a DICOM file, or its header is garbled") from error


def _without_preamble(path: Path, settings: dict[str, Any]) -> Any | None:
    """The dataset of an image that lacks the 128 bytes and ``DICM`` at its start; None if it is something else."""
    pydicom = pydicom_package()
    try:
        dataset = pydicom.dcmread(path, force=True, **settings)
    except Exception:
        return None
    if not all(keyword in dataset for keyword in ("Rows", "Columns", "BitsAllocated")):
        return None
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        if not little:
            return None
        dataset.file_meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
        )
    return dataset


def _check_deflated(path: Path) -> None:
    meta = pydicom_package().filereader.read_file_meta_info(path)
    syntax = meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_deflated:
        return
    # Preamble and magic number, the length of the file meta information (12 bytes), and that information.
    start = 132 + 12 + int(meta.FileMetaInformationGroupLength)
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacked = 0
    with path.open("rb") as file:
        file.seek(start)
        waiting = file.read(_CHUNK)
        while waiting:
            unpacked += len(unpacker.decompress(waiting, _CHUNK))
            if unpacked > _MOST_INFLATED:
                raise RefusedError(f"unpacks to more than {_MOST_INFLATED} bytes (deflated DICOM)")
            waiting = unpacker.unconsumed_tail or file.read(_CHUNK)


def _header(path: Path) -> Any:
    """The dataset without its pixels."""
    header = _read(path, stop_before_pixels=True)
    if not ("Rows" in header and "Columns" in header):
        raise RefusedError(f"holds no pixels ({_kind(header)})")
    return header


def _dataset(path: Path) -> Any:
    """The whole dataset, after a check that its pixels can be decoded."""
    dataset = _read(path)
    if not any(keyword in dataset for keyword in _PIXELS) or "Rows" not in dataset:
        raise RefusedError(f"holds no pixels ({_kind(dataset)})")
    if dataset.get("SamplesPerPixel", 1) not in (1, 3):
        raise RefusedError(f"has {dataset.SamplesPerPixel} samples per pixel where grey has 1 and colour 3")
    _check_decoder(dataset)
    _check_codestreams(dataset)
    return dataset


def _kind(dataset: Any) -> str:
    identifier = dataset.get("SOPClassUID")
    return "DICOM of an unnamed kind" if identifier is None else f"DICOM of the kind {identifier.name}"


def _check_decoder(dataset: Any) -> None:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise RefusedError("does not say how its pixels are stored (TransferSyntaxUID is missing)")
    try:
        available = pydicom_package().pixels.get_decoder(syntax).is_available
    except NotImplementedError as error:
        raise RefusedError(f"is stored as {syntax.name}, which pydicom does not decode") from error
    if not available:
        raise RefusedError(
            f"is compressed as {syntax.name}, for which no decoder is installed (pip install 'medtail[dicom]' "
            f"brings pylibjpeg and its plugins)"
        )


def _check_codestreams(dataset: Any) -> None:
    """Refuse compressed frames of another size than the header's, which a decoder would unpack all the same."""
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated or "PixelData" not in dataset:
        return
    frames = num_frames(dataset)
    expected = (int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel", 1)))
    encapsulated = pydicom_package().encaps.generate_frames(dataset.PixelData, number_of_frames=frames)
    for frame in islice(encapsulated, frames):
        sides = codestream_sides(frame)
        if sides is not None and sides != expected:
            raise RefusedError(
                f"says {' x '.join(map(str, expected))} in its header, but its compressed pixels say "
                f"{' x '.join(map(str, sides))}"
            )


def _sides(dataset: Any) -> tuple[int, ...]:
    """The sides whose product is the number of samples to decode."""
    sides = (
        num_frames(dataset),
        int(dataset.Rows),
        int(dataset.Columns),
        int(dataset.get("SamplesPerPixel", 1)),
    )
    return tuple(side for side in sides if side != 1)


def _is_colour(dataset: Any) -> bool:
    return not str(dataset.get("PhotometricInterpretation", "MONOCHROME2")).startswith("MONOCHROME")


def _stored(dataset: Any) -> np.ndarray:
    """Decoded numbers ``(D, H, W, samples)``; YBR has become RGB."""
    numbers: np.ndarray = pydicom_package().pixels.pixel_array(dataset)
    samples = int(dataset.get("SamplesPerPixel", 1))
    return numbers.reshape(num_frames(dataset), dataset.Rows, dataset.Columns, samples)


def _colours(stored: np.ndarray, dataset: Any) -> np.ndarray:
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        colours: np.ndarray = pydicom_package().pixels.apply_color_lut(stored[..., 0], dataset)
        bits = 8 * colours.dtype.itemsize
    else:
        colours, bits = stored, int(dataset.BitsStored)
    return colours.astype(np.uint8) if bits == 8 else scale_whole_range(colours, bits)


def _slice_spacing(dataset: Any) -> float | None:
    """Millimetres between slices: the distance of their centres if known, else their thickness."""
    measures = _measures(dataset)
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        value = measures.get(keyword)
        if value is not None:
            return abs(float(value))
    return None


def _measures(dataset: Any) -> Any:
    """The dataset that holds the spacing: that of the first frame, of all frames, or of the file itself."""
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        items = dataset.get(groups)
        inner = items[0].get("PixelMeasuresSequence") if items else None
        if inner:
            return inner[0]
    return dataset


def _form(dataset: Any, depth: int | None, slice_spacing: float | None) -> ImageForm:
    plane = _measures(dataset).get("PixelSpacing")
    spacing: tuple[float, ...] | None = None
    if plane is not None and len(plane) == 2:
        spacing = (float(plane[0]), float(plane[1]))
        if depth is not None:
            spacing = None if slice_spacing is None else (slice_spacing, *spacing)
    return ImageForm(
        int(dataset.Rows),
        int(dataset.Columns),
        str(dataset.get("PhotometricInterpretation", "unknown")),
        depth=depth,
        spacing=spacing,
    )


def slice_files(folder: Path) -> list[Path]:
    """The DICOM files in a folder, by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and path.name != "DICOMDIR"
        and (path.name.lower().endswith(DICOM_EXTENSIONS) or is_dicom(path))
    )


def is_series(folder: Path) -> bool:
    """Whether the first DICOM file in a folder is a single slice."""
    files = slice_files(folder)
    try:
        return bool(files) and num_frames(_header(files[0])) == 1
    # What is wrong with the file is reported when it is read.
    except Exception:
        return False


def slices_by_series(folder: Path, most: int | None = None) -> Counter[str]:
    """Count the slices of each series in a folder, by SeriesInstanceUID, among this many of its files (all if None).

    Only single images that say where they lie are slices: projections (radiographs, mammograms) are not counted, nor is
    what cannot be read.
    """
    return Counter(uid for path in slice_files(folder)[:most] if (uid := _series_of_slice(path)) is not None)


def _series_of_slice(path: Path) -> str | None:
    try:
        header = _read(path, stop_before_pixels=True, specific_tags=[*_OF_SLICES, "NumberOfFrames"])
    # What is wrong with the file, or which package is missing, is reported when it is read.
    except Exception:
        return None
    if any(header.get(keyword) is None for keyword in _OF_SLICES) or num_frames(header) > 1:
        return None
    return str(header.SeriesInstanceUID)


def _sorted_slices(folder: Path) -> tuple[list[Path], list[Any]]:
    """The files of a series from one end of the body part to the other, and their headers."""
    files = slice_files(folder)
    if not files:
        raise RefusedError("is a folder without DICOM slices")
    headers = [_header(path) for path in files]
    _check_series(headers)
    order = np.argsort([_place(header) for header in headers], kind="stable")
    files, headers = [files[place] for place in order], [headers[place] for place in order]
    gaps = np.diff([_place(header) for header in headers])
    if len(gaps) and gaps.min() <= 0:
        raise RefusedError("holds two slices at one place (ImagePositionPatient; keep one of them)")
    if len(gaps) and gaps.max() > UNEVEN * gaps.min():
        raise RefusedError(
            f"holds slices that are {gaps.min():.3g} to {gaps.max():.3g} mm apart, so some are missing or too many"
        )
    return files, headers


def _check_series(headers: Sequence[Any]) -> None:
    if any(num_frames(header) > 1 or _is_colour(header) for header in headers):
        raise RefusedError("is a folder with DICOM files that are not single grey slices")
    series = {str(header.get("SeriesInstanceUID")) for header in headers}
    if len(series) > 1:
        raise RefusedError(f"holds {len(series)} DICOM series (put each into a folder of its own)")
    sizes = {(int(header.Rows), int(header.Columns)) for header in headers}
    if len(sizes) > 1:
        raise RefusedError(f"holds slices of {len(sizes)} sizes")
    if any(
        header.get("ImagePositionPatient") is None or header.get("ImageOrientationPatient") is None
        for header in headers
    ):
        raise RefusedError(
            "holds slices that do not say where they lie (ImagePositionPatient, ImageOrientationPatient)"
        )
    planes = np.array([header.ImageOrientationPatient for header in headers], dtype=float)
    if np.abs(planes - planes[0]).max() > 1e-3:
        raise RefusedError("holds slices of several orientations (a localiser?)")


def _place(header: Any) -> float:
    """Millimetres along the normal of the slice."""
    row, column = np.array(header.ImageOrientationPatient, dtype=float).reshape(2, 3)
    return float(np.cross(row, column) @ np.array(header.ImagePositionPatient, dtype=float))
