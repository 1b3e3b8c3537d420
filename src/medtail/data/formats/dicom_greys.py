"""Grey values of DICOM images as a screen displays them.

Equations are those of DICOM PS3.3: rescale C.11.1, windows and look-up tables C.11.2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from medtail.data.formats.base import RefusedError
from medtail.data.formats.dicom_elements import frame_element, num_frames, pydicom_package


def grey_images(stored: Sequence[np.ndarray], datasets: Sequence[Any]) -> np.ndarray:
    """One image, or the slices of one volume, as uint8 ``(D, H, W, 1)``."""
    values = np.concatenate(
        [_rescaled(numbers[..., 0], dataset) for numbers, dataset in zip(stored, datasets, strict=True)]
    )
    if not np.isfinite(values).all():
        raise RefusedError("holds pixels that are NaN or infinite")
    central = datasets[len(datasets) // 2]
    frame = num_frames(central) // 2 if len(datasets) == 1 else 0
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
        return np.asarray(pydicom_package().pixels.apply_modality_lut(numbers, dataset), dtype=np.float32)
    # Single precision holds 24 bits exactly.
    values = numbers.astype(np.float32 if numbers.dtype.itemsize <= 2 else np.float64)
    for frame, plane in enumerate(values):
        slope, intercept = (
            frame_element(dataset, frame, "PixelValueTransformationSequence", keyword)
            for keyword in ("RescaleSlope", "RescaleIntercept")
        )
        plane *= 1.0 if slope is None else _usable("RescaleSlope", slope)
        plane += 0.0 if intercept is None else _usable("RescaleIntercept", intercept)
    return values


def _usable(keyword: str, value: Any) -> float:
    """A number of the header, which would turn every pixel to black if it were not one."""
    number = float(value)
    if not math.isfinite(number) or (keyword == "RescaleSlope" and number == 0):
        raise RefusedError(f"has a {keyword} of {number:g}, which leaves nothing of its pixels")
    return number


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
            frame_element(dataset, frame, "FrameVOILUTSequence", keyword)
            for keyword in ("WindowCenter", "WindowWidth", "VOILUTFunction")
        )
        if center is None or width is None:
            return None
        numbers = _usable("WindowCenter", center), _usable("WindowWidth", width)
        return cls(*numbers, str(function or "LINEAR").upper())

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Convert values to numbers from 0 to 255."""
        if self.function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
            raise RefusedError(f"has a window with the unknown function {self.function} (VOILUTFunction)")
        if self.width < 1 if self.function == "LINEAR" else self.width <= 0:
            raise RefusedError(f"has a window of width {self.width:g} (WindowWidth)")
        if self.function == "SIGMOID":
            # Imported here: few images need it, and it costs as much as pandas.
            from scipy.special import expit

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
        frame_element(dataset, 0, "PixelValueTransformationSequence", keyword)
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
    meant = values[~padding]
    if not meant.size or meant.min() == meant.max():
        return np.zeros(values.shape)
    low, high = float(meant.min()), float(meant.max())
    return np.asarray(((values - low) * (255 / (high - low))).clip(0, 255))
