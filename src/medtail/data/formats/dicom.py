"""DICOM images, multi-frame volumes and series of slices, through pydicom.

Equations are those of DICOM PS3.3: rescale C.11.1, windows and look-up tables C.11.2.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from scipy.special import expit

from medtail.data.formats.base import MAX_PIXELS, FileFormat, RefusedError, check_size, scale_whole_range
from medtail.data.formats.sources import ImageForm
from medtail.errors import InputError

DICOM_EXTENSIONS = (".dcm", ".dicom")

#: If the gaps between the slices of a series differ by more than this factor, a slice is probably missing.
UNEVEN = 1.5

#: Bytes to which a deflated file may unpack: pydicom unpacks all of it before anything is known about it.
_MOST_INFLATED = 8 * MAX_PIXELS

_CHUNK = 2**20

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def is_dicom(path: Path) -> bool:
    """Whether a file says at byte 128 that it is DICOM."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
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
        shown = _colours(stored, dataset) if _is_colour(dataset) else _greys([stored], [dataset])
        return shown if _frames(dataset) > 1 else shown[0]

    def form(self, path: Path) -> ImageForm:
        dataset = _header(path)
        frames = _frames(dataset)
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
        return _greys([_stored(dataset) for dataset in datasets], datasets)

    def form(self, path: Path) -> ImageForm:
        _, headers = _sorted_slices(path)
        places = [_place(header) for header in headers]
        gap = (
            abs(places[-1] - places[0]) / (len(places) - 1) if len(places) > 1 else _slice_spacing(headers[0])
        )
        return _form(headers[0], len(headers), gap)


def _pydicom() -> Any:
    try:
        import pydicom
        import pydicom.pixels
    except ModuleNotFoundError as error:
        raise InputError(
            "DICOM files need the package pydicom, which is not installed; pip install 'medtail[dicom]'"
        ) from error
    return pydicom


def _read(path: Path, **settings: Any) -> Any:
    pydicom = _pydicom()
    try:
        _check_deflated(path)
        return pydicom.dcmread(path, **settings)
    except pydicom.errors.InvalidDicomError as error:
        if path.stat().st_size == 0:
            raise
        raise RefusedError("is not a DICOM file, or its header is garbled") from error


def _check_deflated(path: Path) -> None:
    meta = _pydicom().filereader.read_file_meta_info(path)
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
    return dataset


def _kind(dataset: Any) -> str:
    identifier = dataset.get("SOPClassUID")
    return "DICOM of an unnamed kind" if identifier is None else f"DICOM of the kind {identifier.name}"


def _check_decoder(dataset: Any) -> None:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise RefusedError("does not say how its pixels are stored (TransferSyntaxUID is missing)")
    try:
        available = _pydicom().pixels.get_decoder(syntax).is_available
    except NotImplementedError as error:
        raise RefusedError(f"is stored as {syntax.name}, which pydicom does not decode") from error
    if not available:
        raise RefusedError(
            f"is compressed as {syntax.name}, for which no decoder is installed (pip install 'medtail[dicom]' "
            f"brings pylibjpeg and its plugins)"
        )


def _frames(dataset: Any) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _sides(dataset: Any) -> tuple[int, ...]:
    """The sides whose product is the number of samples to decode."""
    sides = (
        _frames(dataset),
        int(dataset.Rows),
        int(dataset.Columns),
        int(dataset.get("SamplesPerPixel", 1)),
    )
    return tuple(side for side in sides if side != 1)


def _is_colour(dataset: Any) -> bool:
    return not str(dataset.get("PhotometricInterpretation", "MONOCHROME2")).startswith("MONOCHROME")


def _stored(dataset: Any) -> np.ndarray:
    """Decoded numbers ``(D, H, W, samples)``; YBR has become RGB."""
    numbers: np.ndarray = _pydicom().pixels.pixel_array(dataset)
    samples = int(dataset.get("SamplesPerPixel", 1))
    return numbers.reshape(_frames(dataset), dataset.Rows, dataset.Columns, samples)


def _colours(stored: np.ndarray, dataset: Any) -> np.ndarray:
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        colours: np.ndarray = _pydicom().pixels.apply_color_lut(stored[..., 0], dataset)
        bits = 8 * colours.dtype.itemsize
    else:
        colours, bits = stored, int(dataset.BitsStored)
    return colours.astype(np.uint8) if bits == 8 else scale_whole_range(colours, bits)


def _greys(stored: Sequence[np.ndarray], datasets: Sequence[Any]) -> np.ndarray:
    """One image, or the slices of one volume, as uint8 ``(D, H, W, 1)``."""
    values = np.concatenate(
        [_rescaled(numbers[..., 0], dataset) for numbers, dataset in zip(stored, datasets, strict=True)]
    )
    central = datasets[len(datasets) // 2]
    frame = _frames(central) // 2 if len(datasets) == 1 else 0
    lut, window = central.get("VOILUTSequence"), _Window.of(central, frame)
    if lut:
        shown = _through_table(values, lut[0])
    elif window is not None:
        shown = window.apply(values)
    elif _is_ready(central):
        shown = values
    else:
        padding = [_padding(numbers[..., 0], data) for numbers, data in zip(stored, datasets, strict=True)]
        shown = _stretched(values, np.concatenate(padding))
    if central.PhotometricInterpretation == "MONOCHROME1":
        shown = 255 - shown
    rounded: np.ndarray = np.rint(shown).astype(np.uint8)
    return rounded[..., None]


def _rescaled(numbers: np.ndarray, dataset: Any) -> np.ndarray:
    """Stored numbers ``(D, H, W)`` in the unit of the modality, such as Hounsfield units."""
    if dataset.get("ModalityLUTSequence"):
        return np.asarray(_pydicom().pixels.apply_modality_lut(numbers, dataset), dtype=np.float32)
    # Single precision holds 24 bits exactly.
    values = numbers.astype(np.float32 if numbers.dtype.itemsize <= 2 else np.float64)
    for frame, plane in enumerate(values):
        slope, intercept = (
            _element(dataset, frame, "PixelValueTransformationSequence", keyword)
            for keyword in ("RescaleSlope", "RescaleIntercept")
        )
        plane *= 1.0 if slope is None else float(slope)
        plane += 0.0 if intercept is None else float(intercept)
    return values


def _element(dataset: Any, frame: int, sequence: str, keyword: str) -> Any:
    """The first value of an element for a frame: its own, that of all frames, or that of the file; None if missing."""
    for groups, position in (
        ("PerFrameFunctionalGroupsSequence", frame),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        items = dataset.get(groups)
        inner = items[position].get(sequence) if items else None
        if inner and inner[0].get(keyword) is not None:
            return _first(inner[0].get(keyword))
    return _first(dataset.get(keyword))


def _first(value: Any) -> Any:
    """The first of several values; None for an empty element."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return value
    return value[0] if len(value) else None


@final
@dataclass(frozen=True)
class _Window:
    """The range of values that is displayed, and how (C.11.2.1.2 and C.11.2.1.3)."""

    center: float
    width: float
    function: str

    @classmethod
    def of(cls, dataset: Any, frame: int) -> "_Window | None":
        """The first window of a frame; None if there is none."""
        center, width, function = (
            _element(dataset, frame, "FrameVOILUTSequence", keyword)
            for keyword in ("WindowCenter", "WindowWidth", "VOILUTFunction")
        )
        if center is None or width is None:
            return None
        return cls(float(center), float(width), str(function or "LINEAR").upper())

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Convert values to numbers from 0 to 255."""
        if self.function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
            raise RefusedError(f"has a window with the unknown function {self.function} (VOILUTFunction)")
        if self.width < 1 if self.function == "LINEAR" else self.width <= 0:
            raise RefusedError(f"has a window of width {self.width:g} (WindowWidth)")
        if self.function == "SIGMOID":
            return np.asarray(255 * expit(4 * (values - self.center) / self.width))
        # LINEAR counts the pixels of its width, LINEAR_EXACT measures between their centres.
        shift = (0.5, 1.0) if self.function == "LINEAR" else (0.0, 0.0)
        center, width = self.center - shift[0], self.width - shift[1]
        if width == 0:
            return np.where(values <= center, 0.0, 255.0)
        return np.asarray((((values - center) / width + 0.5) * 255).clip(0, 255))


def _through_table(values: np.ndarray, item: Any) -> np.ndarray:
    """Look values up in a VOI table (C.11.2.1.1), whose whole range becomes 0 to 255."""
    entries, first, bits = item.LUTDescriptor
    data = item.LUTData
    order = ">u2" if item.original_encoding[1] is False else "<u2"
    table = np.frombuffer(data, dtype=order) if isinstance(data, bytes) else np.asarray(data)
    table = table[: int(entries) or 2**16]
    places = (np.rint(values) - int(first)).clip(0, len(table) - 1).astype(np.int64)
    return np.asarray(table[places] * (255 / (2 ** int(bits) - 1))).clip(0, 255)


def _is_ready(dataset: Any) -> bool:
    """Whether grey values can be displayed as they are: 8 bits without sign, nothing to rescale."""
    rescale = [
        _element(dataset, 0, "PixelValueTransformationSequence", keyword)
        for keyword in ("RescaleSlope", "RescaleIntercept")
    ]
    return (
        int(dataset.get("BitsStored", 0)) == 8
        and int(dataset.get("PixelRepresentation", 0)) == 0
        and not dataset.get("ModalityLUTSequence")
        and all(
            value is None or float(value) == neutral for value, neutral in zip(rescale, (1, 0), strict=True)
        )
    )


def _padding(numbers: np.ndarray, dataset: Any) -> np.ndarray:
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(numbers.shape, dtype=bool)
    last = dataset.get("PixelPaddingRangeLimit", value)
    padded: np.ndarray = (numbers >= min(value, last)) & (numbers <= max(value, last))
    return padded


def _stretched(values: np.ndarray, padding: np.ndarray) -> np.ndarray:
    """Scale from the smallest to the largest value that is not padding; zeros if there is only one value."""
    if not np.isfinite(values).all():
        raise RefusedError("holds pixels that are NaN or infinite")
    meant = values[~padding]
    if not meant.size or meant.min() == meant.max():
        return np.zeros(values.shape)
    low, high = float(meant.min()), float(meant.max())
    return np.asarray(((values - low) * (255 / (high - low))).clip(0, 255))


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
        return bool(files) and _frames(_header(files[0])) == 1
    # What is wrong with the file is reported when it is read.
    except Exception:
        return False


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
    if any(_frames(header) > 1 or _is_colour(header) for header in headers):
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
