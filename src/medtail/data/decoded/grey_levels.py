"""How many grey levels of 16-bit pictures are left when they become 8-bit ones."""

import warnings
from dataclasses import dataclass
from typing import final

import numpy as np

from medtail.data.collection import DataWarning, ImageCollection
from medtail.data.formats.grey_windows import WholeRange
from medtail.data.formats.sources import UnreadableImageError

#: Images that are looked at, spread evenly over the collection.
_SAMPLE = 16

#: Fewer levels than this are few: half of those that 8 bits can tell apart.
_FEW = 128


@final
@dataclass(frozen=True)
class GreyLevels:
    """Grey values of a sample of 16-bit pictures.

    Attributes:
        low: The smallest value.
        high: The largest value.
        stored: How many different values there are.
        left: How many different values are left of them after conversion to 8 bits.
    """

    low: int
    high: int
    stored: int
    left: int

    @property
    def few(self) -> bool:
        """Whether conversion leaves few of them."""
        return self.left < min(_FEW, self.stored)

    @property
    def window(self) -> tuple[int, int]:
        """A window that keeps them: all values of this many bits or, if these lie far from zero, all that occur."""
        whole = 2 ** max(1, self.high.bit_length()) - 1
        return (0, whole) if 2 * (self.high - self.low) >= whole else (self.low, self.high)

    def sentence(self, data: str) -> str:
        """What is lost, and the remedy."""
        low, high = self.window
        return (
            f"16-bit grey images of {data} hold values from {self.low} to {self.high}, and conversion to 8 bits leaves "
            f"{self.left} of their {self.stored} grey levels; map the values that are used with "
            f"`data.window=[{low},{high}]`"
        )


def grey_levels(collection: ImageCollection) -> GreyLevels | None:
    """Count the grey levels of up to 16 images; None if none of them is a picture with 16-bit grey."""
    rows = np.unique(np.linspace(0, len(collection) - 1, min(_SAMPLE, len(collection))).astype(int))
    stored: set[int] = set()
    left: set[int] = set()
    for row in rows:
        try:
            values = collection.source.deep_greys(int(row))
        # Reported when the image is decoded.
        except UnreadableImageError:
            continue
        if values is not None:
            stored.update(np.unique(values).tolist())
            left.update(np.unique(collection.source.window.apply(values)).tolist())
    return GreyLevels(min(stored), max(stored), len(stored), len(left)) if stored else None


def warn_about_grey_levels(collection: ImageCollection) -> None:
    """Warn where conversion to 8 bits leaves few grey levels, or where a window changes nothing."""
    levels = grey_levels(collection)
    window = collection.source.window
    if levels is None and window != WholeRange():
        warnings.warn(
            f"`data.window` changes nothing of {collection.data}, because it maps 16-bit grey pictures and none was "
            f"found; leave it out",
            DataWarning,
            stacklevel=3,
        )
    elif levels is not None and levels.few:
        warnings.warn(levels.sentence(collection.data), DataWarning, stacklevel=3)
