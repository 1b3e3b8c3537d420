"""What thumbnails are compared by: the lowest coefficients of their cosine transforms, and the signs of these."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.fft import dctn

from medtail.inspection.search.symmetries import LOW_FREQUENCIES, Symmetry

#: Share of the root mean square of the coefficients.
_ALMOST_ZERO = 0.05

#: Thumbnails that are transformed at a time, so that memory is that of the coefficients.
_CHUNK = 2048


@final
@dataclass(frozen=True)
class Spectra:
    """Low frequencies of thumbnails.

    Attributes:
        coefficients: float32 ``(N, P, 64)``, the lowest of the cosine transform; the constant one counts as 0.
        lengths: Norms ``(N, P)`` of the thumbnails less their means, of which the coefficients are a part.
    """

    coefficients: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(
        cls, thumbnails: np.ndarray, change: Callable[[np.ndarray], np.ndarray] = lambda pictures: pictures
    ) -> "Spectra":
        """Transform thumbnails ``(N, P, S, S)``, after a change of them as float32."""
        shape = thumbnails.shape[:2]
        coefficients = np.zeros((*shape, LOW_FREQUENCIES**2), dtype=np.float32)
        lengths = np.zeros(shape, dtype=np.float32)
        for start in range(0, len(thumbnails), _CHUNK):
            rows = slice(start, start + _CHUNK)
            pictures = change(thumbnails[rows].astype(np.float32))
            low = dctn(pictures, axes=(-2, -1), norm="ortho")[..., :LOW_FREQUENCIES, :LOW_FREQUENCIES]
            coefficients[rows, :, 1:] = low.reshape(*low.shape[:2], -1)[..., 1:]
            lengths[rows] = np.linalg.norm(
                pictures - pictures.mean(axis=(-2, -1), keepdims=True), axis=(-2, -1)
            )
        return cls(coefficients, lengths)

    @property
    def units(self) -> np.ndarray:
        """The coefficients of thumbnails with norm 1, of blank ones 0."""
        units: np.ndarray = self.coefficients / np.maximum(self.lengths, 1e-6)[..., None]
        return units

    @property
    def hashes(self) -> "Hashes":
        """A perceptual hash of each thumbnail.

        These are the signs of the coefficients (the idea of pHash, Zauner 2010). Those that are almost zero count as
        zero, because in smooth images their signs are noise.
        """
        strength = np.sqrt((self.coefficients[..., 1:] ** 2).mean(axis=-1, keepdims=True))
        # Below a fraction of a grey level there is only rounding.
        known = np.abs(self.coefficients) > np.maximum(_ALMOST_ZERO * strength, 1e-2)
        return Hashes(np.sign(self.coefficients).astype(np.int8) * known)


@final
class Hashes:
    """Hashes of N images.

    Args:
        signs: int8 ``(N, P, 64)``: -1, 0 or 1.
    """

    def __init__(self, signs: np.ndarray) -> None:
        self.signs = signs
        self._positive, self._known = _packed(signs > 0), _packed(signs != 0)
        self._lengths = np.sqrt(np.bitwise_count(self._known).sum(axis=1, dtype=np.float64))

    def turned(self, symmetry: Symmetry) -> "Hashes":
        """The hashes of the turned images."""
        return Hashes(symmetry.of_coefficients(self.signs))

    def cosines(self, rows: np.ndarray, others: "Hashes", other_rows: np.ndarray) -> np.ndarray:
        """Cosine ``(n,)`` of the signs of each row and of a row of others; 0 for blank images."""
        known = self._known[rows] & others._known[other_rows]
        different = (self._positive[rows] ^ others._positive[other_rows]) & known
        agreeing, disagreeing = (
            np.bitwise_count(bits).sum(axis=1, dtype=np.int64) for bits in (known, different)
        )
        lengths = self._lengths[rows] * others._lengths[other_rows]
        cosines: np.ndarray = (agreeing - 2 * disagreeing) / np.maximum(lengths, 1.0)
        return cosines


def _packed(bits: np.ndarray) -> np.ndarray:
    """Bits ``(N, P, 64)`` as words ``(N, P)``."""
    return np.packbits(bits, axis=-1).view(np.uint64)[..., 0]
