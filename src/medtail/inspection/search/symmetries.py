"""The eight symmetries of a square, of pictures and of what is computed from their cosine transforms."""

from dataclasses import dataclass
from typing import final

import numpy as np

#: Coefficients of the cosine transform that are kept along each axis.
LOW_FREQUENCIES = 8

_ODD = np.arange(LOW_FREQUENCIES) % 2 == 1


@final
@dataclass(frozen=True)
class Symmetry:
    """One of the eight symmetries of a square: transpose or not, then reverse rows and columns or not.

    Reversing the rows of a picture changes the sign of the coefficients of odd frequency along them, and transposing
    the picture transposes its coefficients, so those of all turned and mirrored pictures follow from one transform.
    """

    transposed: bool
    rows_reversed: bool
    columns_reversed: bool
    name: str

    def of_pictures(self, pictures: np.ndarray) -> np.ndarray:
        """Turned pictures ``(…, 32, 32)``."""
        turned: np.ndarray = pictures.swapaxes(-1, -2) if self.transposed else pictures
        turned = turned[..., ::-1, :] if self.rows_reversed else turned
        return turned[..., ::-1] if self.columns_reversed else turned

    def of_coefficients(self, coefficients: np.ndarray) -> np.ndarray:
        """Coefficients, or their signs, ``(…, 64)`` of the turned pictures."""
        squares = coefficients.reshape(*coefficients.shape[:-1], LOW_FREQUENCIES, LOW_FREQUENCIES)
        alternating = np.where(_ODD, -1, 1).astype(coefficients.dtype)
        squares = squares.swapaxes(-1, -2) if self.transposed else squares
        squares = squares * alternating[:, None] if self.rows_reversed else squares
        squares = squares * alternating if self.columns_reversed else squares
        return np.ascontiguousarray(squares.reshape(coefficients.shape))


#: The identity first: a symmetric image is called a copy, not a mirrored one.
SYMMETRIES = (
    Symmetry(False, False, False, ""),
    Symmetry(False, False, True, "mirrored left to right"),
    Symmetry(False, True, False, "mirrored top to bottom"),
    Symmetry(False, True, True, "turned by 180 degrees"),
    Symmetry(True, True, False, "turned by 90 degrees counter-clockwise"),
    Symmetry(True, False, True, "turned by 90 degrees clockwise"),
    Symmetry(True, False, False, "mirrored along a diagonal"),
    Symmetry(True, True, True, "mirrored along the other diagonal"),
)


def unturned(coefficients: np.ndarray) -> np.ndarray:
    """Numbers ``(…, 64)`` that are the same for all eight symmetries of a picture.

    Those of two pictures are never further apart than their coefficients are, however one is turned: a symmetry only
    changes the signs of coefficients of odd frequency, of which the magnitude is taken, and exchanges coefficients
    across the diagonal, of which the greater is put above it.
    """
    squares = coefficients.reshape(*coefficients.shape[:-1], LOW_FREQUENCIES, LOW_FREQUENCIES)
    magnitudes = np.where(_ODD[:, None] | _ODD, np.abs(squares), squares)
    exchanged = magnitudes.swapaxes(-1, -2)
    above = np.triu(np.ones((LOW_FREQUENCIES, LOW_FREQUENCIES), dtype=bool))
    ordered = np.where(above, np.maximum(magnitudes, exchanged), np.minimum(magnitudes, exchanged))
    return ordered.reshape(coefficients.shape)
