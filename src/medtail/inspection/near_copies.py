"""Images that are nearly the same: re-encoded, resized, brightened, noisier, mirrored, turned, grey, a little cropped.

There are two steps. A perceptual hash finds candidates: the signs of the 63 lowest coefficients of the cosine transform
of a 32 x 32 grey thumbnail, without the constant one (the idea of pHash, Zauner 2010). Coefficients that are almost
zero count as zero, because in smooth images their signs are noise. Then the correlation of the thumbnails confirms
candidates, because images of one kind, such as chest X-rays, share coarse shapes and therefore hashes.

Mirroring an image changes the sign of the coefficients of odd frequency, and transposing it transposes them, so the
hashes of all eight mirrored and turned copies follow from one. :mod:`medtail.inspection.cropped_copies` finds crops
among pictures whose middle shares a hash with another picture, but not among volumes.

The limits were chosen on real dermoscopy, X-ray, blood-cell and natural images, so that changed copies are found and
different images are not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from PIL import Image
from scipy.fft import dctn

from medtail.inspection.cropped_copies import MIDDLE, correlation_in_windows, fit_windows, windows_of
from medtail.progress import Progress

THUMBNAIL_SIZE = 32

#: Images with fewer pixels along a side may really look the same: an 8 x 8 digit has no details.
LEAST_SIDE = 16

#: Pairs of a least cosine of hashes (without zeros, 0.88 means that 3 of 63 signs differ) and a least Pearson
#: correlation of thumbnails; copies reach at least one pair. Different lesions reach 0.90 and 0.974, and blood cells
#: cut off by the border of the picture 0.87 and 0.988, or 0.78 and 0.997. Most coefficients of smooth images are
#: almost zero, so the hashes of their copies agree less, while the thumbnails agree more.
LIMITS = ((0.88, 0.98), (0.8, 0.995))

#: Least cosine of the hash of a picture's middle and that of a crop by up to 8 %, before the window is fitted.
_LEAST_AGREEMENT_OF_MIDDLE = 0.7

#: Share of the root mean square of the coefficients.
_ALMOST_ZERO = 0.05

_LOW_FREQUENCIES = 8

#: Distances held in memory at a time.
_BLOCK = 16_000_000


@final
@dataclass(frozen=True)
class Likeness:
    """Two thumbnails that show the same, by position, first < second.

    Attributes:
        first: Position.
        second: Position.
        correlation: Correlation of the thumbnails, after undoing the change.
        change: How the second differs from the first; empty if it is neither turned, mirrored nor cropped.
    """

    first: int
    second: int
    correlation: float
    change: str


@final
@dataclass(frozen=True)
class _Symmetry:
    """One of the eight symmetries of a square: transpose or not, then reverse rows and columns or not."""

    transposed: bool
    rows_reversed: bool
    columns_reversed: bool
    name: str

    def of_pictures(self, pictures: np.ndarray) -> np.ndarray:
        """Turned pictures ``(…, 32, 32)``."""
        turned: np.ndarray = pictures.swapaxes(-1, -2) if self.transposed else pictures
        turned = turned[..., ::-1, :] if self.rows_reversed else turned
        return turned[..., ::-1] if self.columns_reversed else turned

    def of_hashes(self, hashes: np.ndarray) -> np.ndarray:
        """Hashes ``(N, P · 63)`` of the turned pictures."""
        squares = np.zeros((*hashes.shape[:-1], hashes.shape[-1] // 63, 64), dtype=hashes.dtype)
        squares[..., 1:] = hashes.reshape(*hashes.shape[:-1], -1, 63)
        squares = squares.reshape(*squares.shape[:-1], _LOW_FREQUENCIES, _LOW_FREQUENCIES)
        alternating = (-1.0) ** np.arange(_LOW_FREQUENCIES, dtype=hashes.dtype)
        squares = squares.swapaxes(-1, -2) if self.transposed else squares
        squares = squares * alternating[:, None] if self.rows_reversed else squares
        squares = squares * alternating if self.columns_reversed else squares
        return np.ascontiguousarray(squares.reshape(*squares.shape[:-2], 64)[..., 1:].reshape(hashes.shape))


#: The identity first: a symmetric image is called a copy, not a mirrored one.
SYMMETRIES = (
    _Symmetry(False, False, False, ""),
    _Symmetry(False, False, True, "mirrored left to right"),
    _Symmetry(False, True, False, "mirrored top to bottom"),
    _Symmetry(False, True, True, "turned by 180 degrees"),
    _Symmetry(True, True, False, "turned by 90 degrees counter-clockwise"),
    _Symmetry(True, False, True, "turned by 90 degrees clockwise"),
    _Symmetry(True, False, False, "mirrored along a diagonal"),
    _Symmetry(True, True, True, "mirrored along the other diagonal"),
)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Grey uint8 thumbnails ``(P, 32, 32)`` of a uint8 image ``(H, W, channels)`` or volume ``(D, H, W, channels)``.

    An image has one thumbnail. A volume has two, of its central slice and of its mean along the depth, which do not
    depend on the direction of the slices. Three channels become grey by luminance, other numbers by their mean.
    """
    if image.ndim == 3:
        return _picture(image)[None]
    depth = len(image)
    central = image[(depth - 1) // 2 : depth // 2 + 1]
    return np.stack([_picture(_mean(central)), _picture(_mean(image))])


def _mean(slices: np.ndarray) -> np.ndarray:
    mean: np.ndarray = slices.mean(axis=0, dtype=np.float32).round().astype(np.uint8)
    return mean


def grey_picture(image: np.ndarray) -> Image.Image:
    """A uint8 image ``(H, W, channels)`` in grey."""
    if image.shape[2] not in (1, 3):
        image = image.mean(axis=2, keepdims=True, dtype=np.float32).round().astype(np.uint8)
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).convert("L")


def _picture(image: np.ndarray) -> np.ndarray:
    picture = grey_picture(image)
    return np.asarray(picture.resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.BICUBIC))


def perceptual_hashes(thumbnails: np.ndarray) -> np.ndarray:
    """Hashes ``(N, P · 63)``, float32, with norm 1 (0 for blank images), of thumbnails ``(N, P, 32, 32)``."""
    spectrum = dctn(thumbnails.astype(np.float32), axes=(-2, -1), norm="ortho")
    low = spectrum[..., :_LOW_FREQUENCIES, :_LOW_FREQUENCIES]
    low = low.reshape(*thumbnails.shape[:-2], _LOW_FREQUENCIES**2)[..., 1:]
    strength = np.sqrt((low**2).mean(axis=-1, keepdims=True))
    # Below a fraction of a grey level there is only rounding.
    signs = np.where(np.abs(low) > np.maximum(_ALMOST_ZERO * strength, 1e-2), np.sign(low), 0.0)
    signs = signs.reshape(len(thumbnails), signs.shape[1] * signs.shape[2])
    hashes: np.ndarray = signs / np.maximum(np.linalg.norm(signs, axis=1, keepdims=True), 1.0)
    return hashes.astype(np.float32)


def likenesses(thumbnails: np.ndarray, progress: Progress | None = None) -> Iterator[Likeness]:
    """Yield pairs of thumbnails that show the same; within a block of rows no pair is repeated.

    All pairs are compared in all eight positions, one block of rows at a time; the work grows with the square of N.

    Args:
        thumbnails: uint8 ``(N, P, 32, 32)``.
        progress: Called after every block.
    """
    hashes = perceptual_hashes(thumbnails)
    count = len(thumbnails)
    step = max(1, _BLOCK // max(count, 1))
    finders = (_turned, _cropped) if thumbnails.shape[1] == 1 else (_turned,)
    for start in range(0, count, step):
        rows = slice(start, min(start + step, count))
        reported: set[tuple[int, int]] = set()
        for finder in finders:
            for likeness in finder(thumbnails, hashes, rows):
                pair = likeness.first, likeness.second
                if pair not in reported:
                    reported.add(pair)
                    yield likeness
        if progress is not None:
            progress("comparing images", rows.stop, count)


def _turned(thumbnails: np.ndarray, hashes: np.ndarray, rows: slice) -> Iterator[Likeness]:
    """Pairs of one of ``rows`` and a later one, in any of the eight positions."""
    start = rows.start
    for symmetry in SYMMETRIES:
        agreement = symmetry.of_hashes(hashes[rows]) @ hashes[start:].T
        close = np.argwhere(agreement >= min(least for least, _ in LIMITS))
        close = close[close[:, 0] < close[:, 1]]
        for chunk in np.array_split(close, max(1, len(close) // 10_000)):
            ones, others = (chunk + start).T
            correlation = _correlations(symmetry.of_pictures(thumbnails[ones]), thumbnails[others])
            agreed = agreement[chunk[:, 0], chunk[:, 1]]
            alike = np.any([(agreed >= least) & (correlation >= limit) for least, limit in LIMITS], axis=0)
            for position in np.flatnonzero(alike):
                yield Likeness(
                    int(ones[position]), int(others[position]), float(correlation[position]), symmetry.name
                )


def _cropped(thumbnails: np.ndarray, hashes: np.ndarray, rows: slice) -> Iterator[Likeness]:
    """Pairs of one of ``rows`` and any other that is a small crop of it."""
    pictures = thumbnails[:, 0]
    wholes = pictures[rows].astype(np.float32)
    middles = windows_of(wholes, np.tile(MIDDLE, (len(wholes), 1)))
    close = np.argwhere(perceptual_hashes(middles[:, None]) @ hashes.T >= _LEAST_AGREEMENT_OF_MIDDLE)
    close = close[close[:, 0] + rows.start != close[:, 1]]
    for chunk in np.array_split(close, max(1, len(close) // 1_000)):
        whole, part = wholes[chunk[:, 0]], pictures[chunk[:, 1]].astype(np.float32)
        found, windows = fit_windows(whole, part)
        cut = windows_of(whole[found], windows)
        agreement = (perceptual_hashes(cut[:, None]) * hashes[chunk[found, 1]]).sum(axis=1)
        correlation = correlation_in_windows(whole[found], part[found], windows)
        for position in np.flatnonzero(agreement >= LIMITS[0][0]):
            one, other = int(chunk[found[position], 0]) + rows.start, int(chunk[found[position], 1])
            change = "cropped" if one < other else "with more around it"
            yield Likeness(min(one, other), max(one, other), float(correlation[position]), change)


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson correlation of each pair, the lowest of several thumbnails; 0 if one is blank, 1 if both are."""
    flat = [part.reshape(*part.shape[:2], THUMBNAIL_SIZE**2).astype(np.float32) for part in (first, second)]
    one, other = (part - part.mean(axis=-1, keepdims=True) for part in flat)
    squares = (one**2).sum(axis=-1), (other**2).sum(axis=-1)
    lengths, blank = np.sqrt(squares[0] * squares[1]), (squares[0] == 0) & (squares[1] == 0)
    products = (one * other).sum(axis=-1)
    correlations: np.ndarray = np.divide(products, lengths, out=blank.astype(np.float32), where=lengths > 0)
    lowest: np.ndarray = correlations.min(axis=1)
    return lowest
