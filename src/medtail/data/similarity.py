"""Images that are nearly the same: re-encoded, resized, brightened, a little noisier.

Two steps. A perceptual hash finds candidates: the signs of the 63 lowest coefficients of the cosine transform of a
32 x 32 grey thumbnail, without the constant one (the idea of pHash, Zauner 2010); coefficients that
are almost zero count as zero, because in smooth images their signs are noise. Correlation of the thumbnails confirms
candidates, because images of one kind (chest X-rays, say) share coarse shapes and so share hashes. The limits were
set on real dermoscopy, X-ray, blood-cell and natural images, so that changed copies are found and different images
are not. Mirrored, turned or strongly cropped copies are not found, and those of images below 30 pixels not always.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy.fft import dctn

from medtail.data.pixels import Progress
from medtail.data.working_form import viewable

THUMBNAIL_SIZE = 32

#: Cosine of two hashes; with no zeros, 0.75 is 7 of 63 signs that differ.
LEAST_AGREEMENT = 0.75

#: Of the root mean square of the coefficients.
_ALMOST_ZERO = 0.05

#: Pearson correlation of thumbnails.
LEAST_CORRELATION = 0.98

_LOW_FREQUENCIES = 8

#: Distances held in memory at a time.
_BLOCK = 16_000_000


def thumbnail(image: np.ndarray) -> np.ndarray:
    """A grey ``(32, 32)`` uint8 thumbnail of an image, or of the central slice of a volume."""
    picture = Image.fromarray(viewable(image)).convert("L")
    return np.asarray(picture.resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.BICUBIC))


def perceptual_hashes(thumbnails: np.ndarray) -> np.ndarray:
    """Hashes ``(N, 63)``, float32, of unit length (zero for blank images), of thumbnails ``(N, 32, 32)``."""
    spectrum = dctn(thumbnails.astype(np.float32), axes=(1, 2), norm="ortho")
    low = spectrum[:, :_LOW_FREQUENCIES, :_LOW_FREQUENCIES].reshape(-1, _LOW_FREQUENCIES**2)[:, 1:]
    strength = np.sqrt((low**2).mean(axis=1, keepdims=True))
    # Below one grey level there is only rounding.
    signs = np.where(np.abs(low) > np.maximum(_ALMOST_ZERO * strength, 1e-2), np.sign(low), 0.0)
    hashes: np.ndarray = signs / np.maximum(np.linalg.norm(signs, axis=1, keepdims=True), 1.0)
    return hashes.astype(np.float32)


def near_duplicates(
    thumbnails: np.ndarray, parts: np.ndarray | None = None, progress: Progress | None = None
) -> Iterator[tuple[int, int, float]]:
    """Yield pairs of rows ``(i, j, correlation)``, i < j, whose images are nearly the same.

    All pairs are compared, a block of rows at a time; the work grows with the square of N.

    Args:
        thumbnails: uint8 ``(N, 32, 32)``.
        parts: ``(N,)`` split numbers; when given, only pairs of different splits are yielded.
        progress: Told about every block.
    """
    hashes = perceptual_hashes(thumbnails)
    count = len(thumbnails)
    step = max(1, _BLOCK // max(count, 1))
    for start in range(0, count, step):
        rows = np.arange(start, min(start + step, count))
        close = np.argwhere(hashes[rows] @ hashes[start:].T >= LEAST_AGREEMENT) + start
        close = close[close[:, 0] < close[:, 1]]
        if parts is not None:
            close = close[parts[close[:, 0]] != parts[close[:, 1]]]
        for chunk in np.array_split(close, max(1, len(close) // 10_000)):
            correlation = _correlations(thumbnails[chunk[:, 0]], thumbnails[chunk[:, 1]])
            for pair, value in zip(chunk, correlation, strict=True):
                if value >= LEAST_CORRELATION:
                    yield int(pair[0]), int(pair[1]), float(value)
        if progress is not None:
            progress("comparing images", int(rows[-1]) + 1, count)


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    flat = [part.reshape(len(part), THUMBNAIL_SIZE**2).astype(np.float32) for part in (first, second)]
    one, other = (part - part.mean(axis=1, keepdims=True) for part in flat)
    lengths = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    products = (one * other).sum(axis=1)
    correlations: np.ndarray = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return correlations
