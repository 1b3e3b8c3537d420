"""NIfTI volumes, through nibabel."""

import gzip
import struct
from pathlib import Path
from typing import Any, final

import numpy as np

from medtail.data.formats.base import FileFormat, RefusedError, check_size
from medtail.data.formats.sources import ImageForm
from medtail.errors import InputError

NIFTI_EXTENSIONS = (".nii.gz", ".nii")

#: Bytes of the two kinds of headers, and of header and extensions together, which programs keep below a few megabytes.
_NIFTI_1, _NIFTI_2 = 348, 540
MAX_OFFSET = 2**26

#: Percentiles of the voxels that are not zero, which become 0 and 255; a few bright voxels do not darken the rest.
LOW, HIGH = 0.5, 99.5

#: Millimetres per unit of length in a header; most files without a unit mean millimetres.
_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}


@final
class Nifti(FileFormat):
    """One volume per file, turned to the axes of an axial slice as it is usually displayed.

    Axes are (depth, height, width): from feet to head, from front to back, from the patient's right to the left. The
    nearest of the 48 orientations is used, and nothing is resampled. Intensities have no fixed meaning, so
    :func:`to_bytes` scales each volume by its own.
    """

    def read(self, path: Path, max_pixels: int, at_least: int) -> np.ndarray:
        return to_bytes(_values(path, max_pixels))[..., None]

    def mask(self, path: Path, max_pixels: int) -> np.ndarray:
        """Which voxels are not 0 ``(D, H, W)``: scaled to bytes, the smallest label would be 0, too."""
        return np.asarray(_values(path, max_pixels) != 0)

    def form(self, path: Path) -> ImageForm:
        image = _opened(path)
        order = _axes_from_depth(image)
        depth, height, width = (image.shape[axis] for axis in order)
        return ImageForm(
            height, width, str(image.get_data_dtype()), depth=depth, spacing=_spacing(image.header, order)
        )

    def affine(self, path: Path) -> np.ndarray:
        """Position in millimetres of voxels counted from left, back and feet, ``(4, 4)``."""
        image = _opened(path)
        turn = _nibabel().orientations.inv_ornt_aff(_orientation(image), image.shape[:3])
        affine: np.ndarray = image.affine @ turn
        return affine


def _nibabel() -> Any:
    try:
        import nibabel
    except ModuleNotFoundError as error:
        raise InputError(
            "NIfTI files need the package nibabel, which is not installed; pip install 'medtail[volumes]'"
        ) from error
    return nibabel


def _values(path: Path, max_pixels: int) -> np.ndarray:
    """The stored values ``(D, H, W)``, turned."""
    image = _opened(path)
    check_size(image.shape[:3], max_pixels)
    values = np.asarray(image.dataobj, dtype=np.float32).reshape(image.shape[:3])
    turned: np.ndarray = _nibabel().orientations.apply_orientation(values, _orientation(image))
    return turned.transpose(2, 1, 0)[:, ::-1, ::-1]


def _opened(path: Path) -> Any:
    """The header of a file; its voxels are not read yet."""
    nibabel = _nibabel()
    _check_offset(path)
    try:
        # Mapped files stay open, one per volume of a large set.
        image = nibabel.load(path, mmap=False)
    except nibabel.filebasedimages.ImageFileError as error:
        if path.stat().st_size == 0:
            raise
        raise RefusedError("is not a NIfTI file, or its header is garbled") from error
    if not isinstance(image, nibabel.Nifti1Image):
        raise RefusedError(f"is {type(image).__name__}, not a NIfTI volume")
    if image.get_data_dtype().kind not in "iufb":
        raise RefusedError(f"holds {image.get_data_dtype()}, not one number per voxel (save it as float32)")
    if len(image.shape) < 3:
        raise RefusedError(f"has {len(image.shape)} dimensions where a volume has 3")
    if max(image.shape[3:], default=1) > 1:
        raise RefusedError(
            f"has a fourth dimension ({' x '.join(map(str, image.shape))}) where one volume is expected (save one "
            f"volume per file; several sequences go into columns image_<name>)"
        )
    return image


def _check_offset(path: Path) -> None:
    """Refuse a header that says its voxels begin far behind it: all until there would be read, and unpacked."""
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as file:
        header = file.read(_NIFTI_2)
    if len(header) < _NIFTI_1:
        return
    for order in ("<", ">"):
        (size,) = struct.unpack_from(f"{order}i", header)
        if size in (_NIFTI_1, _NIFTI_2) and len(header) >= size:
            field = f"{order}f" if size == _NIFTI_1 else f"{order}q"
            (offset,) = struct.unpack_from(field, header, 108 if size == _NIFTI_1 else 168)
            # Negated, so that NaN is refused too.
            if not 0 <= offset <= MAX_OFFSET:
                raise RefusedError(
                    f"says that its voxels begin at byte {offset:.4g}, the limit is {MAX_OFFSET} (vox_offset)"
                )


def _orientation(image: Any) -> np.ndarray:
    """For each axis, the nearest of (right, front, up), and its sign ``(3, 2)``."""
    orientation: np.ndarray = _nibabel().io_orientation(image.affine)
    if np.isnan(orientation).any():
        raise RefusedError("has an affine that does not say where its axes point")
    return orientation


def _axes_from_depth(image: Any) -> list[int]:
    """The axes of the file in the order up, front, right."""
    return [int(axis) for axis in np.argsort(-_orientation(image)[:, 0])]


def _spacing(header: Any, order: list[int]) -> tuple[float, ...] | None:
    millimetres = _MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    zooms = [float(header.get_zooms()[axis]) * millimetres for axis in order]
    return tuple(zooms) if all(np.isfinite(zoom) and zoom > 0 for zoom in zooms) else None


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Intensities as uint8, scaled by the voxels that are not zero.

    Their percentiles 0.5 and 99.5 become 0 and 255, values beyond them are clipped, and zero is scaled like any other
    value. If both percentiles are equal, there is only the contrast to zero: zero becomes 0 and everything else 255. A
    volume of a single value becomes zeros.

    Raises:
        RefusedError: A value is NaN or infinite.

    Example:
        >>> to_bytes(np.array([0.0, 1.0, 2.0, 3.0])).tolist()
        [0, 0, 127, 255]
        >>> to_bytes(np.array([0.0, 7.0, 7.0])).tolist(), to_bytes(np.array([7.0, 7.0])).tolist()
        ([0, 255, 255], [0, 0])
    """
    broken = values.size - np.count_nonzero(np.isfinite(values))
    if broken:
        raise RefusedError(f"holds {broken} voxels that are NaN or infinite (fix them or mask them with 0)")
    inside = values != 0
    if not inside.any() or values.min() == values.max():
        return np.zeros(values.shape, dtype=np.uint8)
    low, high = np.percentile(values[inside], (LOW, HIGH))
    if low == high:
        return np.where(inside, 255, 0).astype(np.uint8)
    scaled = ((values - np.float32(low)) * np.float32(255 / (high - low))).clip(0, 255)
    rounded: np.ndarray = np.rint(scaled).astype(np.uint8)
    return rounded
