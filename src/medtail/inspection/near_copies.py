"""Images that are nearly the same: re-encoded, resized, brightened, noisier, mirrored, turned, grey, a little cropped.

There are two steps. Candidates are close in the low frequencies of a 32 x 32 grey thumbnail, up to a turn or a mirror,
and share a perceptual hash, which is the signs of these. Then the correlation of the thumbnails confirms candidates,
because images of one kind, such as chest X-rays, share coarse shapes and therefore hashes. No pair is passed over that
comparing all pairs would find.

:mod:`medtail.inspection.cropped_copies` finds crops among pictures whose middle shares a hash with another picture, but
not among volumes.

The limits were chosen on real dermoscopy, X-ray, blood-cell and natural images, so that changed copies are found and
different images are not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from PIL import Image

from medtail.inspection.cropped_copies import (
    LEAST_CORRELATION_OF_MIDDLE,
    MIDDLE,
    correlation_in_windows,
    fit_windows,
    windows_of,
)
from medtail.inspection.search.close_pairs import close_pairs, close_pairs_within, projected
from medtail.inspection.search.crowds import Crowds
from medtail.inspection.search.spectra import Spectra
from medtail.inspection.search.symmetries import SYMMETRIES, unturned
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
LEAST_AGREEMENT_OF_MIDDLE = 0.7

#: Windows that are fitted, and pairs of thumbnails that are correlated, at a time.
_BATCH, _PAIRS = 1000, 4096


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


def likenesses(thumbnails: np.ndarray, progress: Progress | None = None) -> Iterator[Likeness]:
    """Yield pairs of thumbnails that show the same, each once, by their positions.

    Of a crowd of thumbnails that all look the same, some pairs are left out (see :class:`Crowds`).

    Args:
        thumbnails: uint8 ``(N, P, 32, 32)``.
        progress: Called after every few thumbnails.
    """
    if len(thumbnails) < 2:
        return
    spectra, crowds = Spectra.of(thumbnails), Crowds(len(thumbnails))
    finders = (_turned, _cropped) if thumbnails.shape[1] == 1 else (_turned,)
    found: dict[tuple[int, int], Likeness] = {}
    for finder in finders:
        for likeness in finder(thumbnails, spectra, crowds, progress):
            found.setdefault((likeness.first, likeness.second), likeness)
    for _, likeness in sorted(found.items()):
        yield likeness


def _turned(
    thumbnails: np.ndarray, spectra: Spectra, crowds: Crowds, progress: Progress | None
) -> Iterator[Likeness]:
    """Pairs that are alike in one of the eight positions."""
    hashes = spectra.hashes
    turned = [hashes.turned(symmetry) for symmetry in SYMMETRIES]
    # Of a volume, thumbnails of norm 1 side by side would have norm √P.
    vectors = unturned(spectra.units).reshape(len(thumbnails), -1) / np.sqrt(thumbnails.shape[1])
    least_agreement, least_correlation = np.min(LIMITS, axis=0)
    (points,) = projected(vectors)
    for pairs in close_pairs_within(points, least_correlation):
        for start in range(0, len(pairs.ones), _PAIRS):
            some = slice(start, start + _PAIRS)
            ones, others = np.sort(np.stack([pairs.ones[some], pairs.others[some]]), axis=0)
            worth = crowds.open(ones, others)
            ones, others = ones[worth], others[worth]
            for symmetry, own in zip(SYMMETRIES, turned, strict=True):
                agreement = own.cosines(ones, hashes, others)
                close = np.flatnonzero(agreement >= least_agreement)
                correlation = _correlations(
                    symmetry.of_pictures(thumbnails[ones[close]]), thumbnails[others[close]]
                )
                alike = np.any(
                    [(agreement[close] >= least) & (correlation >= limit) for least, limit in LIMITS], axis=0
                )
                for place in np.flatnonzero(alike):
                    one, other = int(ones[close[place]]), int(others[close[place]])
                    if crowds.join(one, other):
                        yield Likeness(one, other, float(correlation[place]), symmetry.name)
        if progress is not None:
            progress("comparing images", pairs.done, len(thumbnails))


def _cropped(
    thumbnails: np.ndarray, spectra: Spectra, crowds: Crowds, progress: Progress | None
) -> Iterator[Likeness]:
    """Pairs of a picture and another that is a small crop of it."""
    pictures, hashes = thumbnails[:, 0], spectra.hashes
    crops: list[tuple[int, int, float]] = []
    for whole_rows, part_rows in _batches(_alike_in_the_middle(thumbnails, spectra, crowds, progress)):
        wholes, parts = pictures[whole_rows].astype(np.float32), pictures[part_rows].astype(np.float32)
        found, windows = fit_windows(wholes, parts)
        cut = Spectra.of(windows_of(wholes[found], windows)[:, None]).hashes
        agreement = cut.cosines(np.arange(len(found)), hashes, part_rows[found])
        correlation = correlation_in_windows(wholes[found], parts[found], windows)
        alike = agreement >= LIMITS[0][0]
        rows = (some[found[alike]].tolist() for some in (whole_rows, part_rows))
        crops += zip(*rows, correlation[alike].tolist(), strict=True)
    # Two pictures may each look like a crop of the other; the first is then called the whole.
    for whole, part, correlated in sorted(crops):
        change = "cropped" if whole < part else "with more around it"
        yield Likeness(min(whole, part), max(whole, part), correlated, change)


def _alike_in_the_middle(
    thumbnails: np.ndarray, spectra: Spectra, crowds: Crowds, progress: Progress | None
) -> Iterator[np.ndarray]:
    """Positions ``(2, n)`` of pictures and of others that are like the middle of theirs."""
    middles, hashes = Spectra.of(thumbnails, _middles), spectra.hashes
    middle_hashes = middles.hashes
    ones, others = projected(middles.units[:, 0], spectra.units[:, 0])
    for pairs in close_pairs(ones, others, LEAST_CORRELATION_OF_MIDDLE):
        agreement = middle_hashes.cosines(pairs.ones, hashes, pairs.others)
        close = np.flatnonzero((agreement >= LEAST_AGREEMENT_OF_MIDDLE) & (pairs.ones != pairs.others))
        alike = np.stack([pairs.ones[close], pairs.others[close]])
        yield alike[:, crowds.open(*alike)]
        if progress is not None:
            progress("comparing crops", pairs.done, len(thumbnails))


def _batches(found: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same pairs ``(2, n)``, so many at a time that they are quickly fitted and stay in memory."""
    gathered = np.empty((2, 0), dtype=np.int64)
    for pairs in found:
        gathered = np.concatenate([gathered, pairs], axis=1)
        while gathered.shape[1] >= _BATCH:
            yield gathered[:, :_BATCH]
            gathered = gathered[:, _BATCH:]
    yield gathered


def _middles(pictures: np.ndarray) -> np.ndarray:
    """The middles of pictures ``(N, 1, 32, 32)``, as large as they are."""
    return windows_of(pictures[:, 0], np.tile(MIDDLE, (len(pictures), 1)))[:, None]


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
