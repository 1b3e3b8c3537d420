"""Images of one collection that show the same, found from one look at each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from medtail.data.collection import ImageCollection
from medtail.data.decoded.pixels import Pixels
from medtail.data.splitting.joined_groups import joined
from medtail.inspection import altered_copies
from medtail.inspection.altered_shapes import altered_shapes, shape_digests
from medtail.inspection.copies import (
    Duplicate,
    NearDuplicate,
    content_digest,
    duplicates,
    near_duplicates,
    rows_by_content,
)
from medtail.inspection.near_copies import LEAST_SIDE, Likeness, likenesses, thumbnail
from medtail.progress import Progress

#: Pixels of this many images are read at a time.
_CHUNK = 512


@final
@dataclass(frozen=True)
class Look:
    """What one decoded image contributes to the search.

    Attributes:
        shape: ``(H, W, channels)`` or ``(D, H, W, channels)``.
        constant: Whether all pixels are the same.
        content: Equal only for equal pixels.
        thumbnail: ``(P, 32, 32)`` of :func:`medtail.inspection.near_copies.thumbnail`.
        picture: ``(2, 64, 64)`` of :func:`medtail.inspection.altered_copies.picture`; None of volumes and of images
            that are too small to be searched for altered copies.
        shapes: Of :func:`medtail.inspection.altered_shapes.shape_digests`; empty of images.
    """

    shape: tuple[int, ...]
    constant: bool
    content: bytes
    thumbnail: np.ndarray
    picture: np.ndarray | None
    shapes: tuple[bytes, ...] = ()

    @classmethod
    def at(cls, image: np.ndarray) -> "Look":
        """Look at a uint8 image ``(H, W, channels)`` or volume ``(D, H, W, channels)``."""
        constant = bool((image == image.reshape(-1, image.shape[-1])[0]).all())
        detailed = image.ndim == 3 and min(image.shape[:2]) >= altered_copies.LEAST_SIDE and not constant
        return cls(
            image.shape,
            constant,
            content_digest(image),
            thumbnail(image),
            altered_copies.picture(image) if detailed else None,
            shape_digests(image) if image.ndim == 4 else (),
        )

    @property
    def has_details(self) -> bool:
        """Whether another image can look the same only by being a copy."""
        return not self.constant and min(self.shape[:-1]) >= LEAST_SIDE


@final
@dataclass(frozen=True)
class LookAlikes:
    """Which images show the same.

    Attributes:
        contents: Rows of equal pixels, one entry per content.
        likenesses: Positions in ``contents`` of those that look the same.
        exact_only: Whether images that only look the same were not searched for.
        blank: Rows of images of one colour, which show nothing and so are not kept together.
    """

    contents: Sequence[Sequence[int]]
    likenesses: Sequence[Likeness]
    exact_only: bool = False
    blank: frozenset[int] = frozenset()

    @property
    def sets(self) -> list[tuple[int, ...]]:
        """Rows that show the same: those of equal pixels, and one row of each of two that look alike."""
        exact = [tuple(rows) for rows in self.contents if len(rows) > 1 and rows[0] not in self.blank]
        near = [(self.contents[pair.first][0], self.contents[pair.second][0]) for pair in self.likenesses]
        return exact + near

    def select(self, rows: np.ndarray) -> "LookAlikes":
        """The same for only the given rows, numbered anew."""
        number_of: dict[int, int] = {row: number for number, row in enumerate(rows.tolist())}
        contents = [[number_of[row] for row in content if row in number_of] for content in self.contents]
        kept = [place for place, content in enumerate(contents) if content]
        place_of = {old: new for new, old in enumerate(kept)}
        pairs = [
            replace(pair, first=place_of[pair.first], second=place_of[pair.second])
            for pair in self.likenesses
            if pair.first in place_of and pair.second in place_of
        ]
        blank = frozenset(number_of[row] for row in self.blank if row in number_of)
        return replace(
            self, contents=[content for content in contents if content], likenesses=pairs, blank=blank
        )

    def joined_groups(self, collection: ImageCollection) -> np.ndarray:
        """Group of each image ``(N,)``, in which images that show the same share one."""
        return joined(collection.groups, self.sets)

    def exact(self, collection: ImageCollection) -> list[Duplicate]:
        """Images of equal pixels."""
        return duplicates(collection, self.contents)

    def near(self, collection: ImageCollection) -> list[NearDuplicate]:
        """Pairs of images that look the same."""
        return near_duplicates(collection, self.contents, self.likenesses)

    def rows_with_copy(self, collection: ImageCollection, split: str, elsewhere: str) -> np.ndarray:
        """Rows of one split that show the same as an image of another split."""
        shown = joined(collection.table["id"].to_numpy(dtype=str), self.sets)
        rows = collection.rows(split)
        return rows[np.isin(shown[rows], shown[collection.rows(elsewhere)])]


def find_look_alikes(
    pixels: Pixels, *, exact_only: bool = False, progress: Progress | None = None
) -> LookAlikes:
    """Compare all readable images at working resolution.

    Args:
        pixels: The images.
        exact_only: Whether to leave out those that only look the same, which takes longer to find.
        progress: Called after every few images.
    """
    rows, looks = pixels.readable_rows, []
    for start in range(0, len(rows), _CHUNK):
        images = pixels.read(rows[start : start + _CHUNK]).cpu().numpy()
        looks += [Look.at(np.moveaxis(image, 0, -1)) for image in images]
    contents = rows_by_content(look.content for look in looks)
    pairs = () if exact_only else tuple(likenesses_of(looks, contents, progress))
    blank = frozenset(int(row) for row, look in zip(rows, looks, strict=True) if look.constant)
    return LookAlikes([rows[content].tolist() for content in contents], pairs, exact_only, blank)


def likenesses_of(
    looks: Sequence[Look], contents: Sequence[Sequence[int]], progress: Progress | None = None
) -> Iterator[Likeness]:
    """Compare one image of each content, and yield positions in ``contents``; a volume and an image never agree."""
    shown = [looks[rows[0]] for rows in contents]
    reported = set()
    for likeness in (
        *_near(shown, progress),
        *_altered(shown, progress),
        *altered_shapes([look.shapes for look in shown]),
    ):
        pair = likeness.first, likeness.second
        if pair not in reported:
            reported.add(pair)
            yield likeness


def _near(shown: Sequence[Look], progress: Progress | None) -> Iterator[Likeness]:
    for planes in sorted({len(look.thumbnail) for look in shown if look.has_details}):
        alike = [
            position
            for position, look in enumerate(shown)
            if look.has_details and len(look.thumbnail) == planes
        ]
        thumbnails = np.array([shown[position].thumbnail for position in alike], dtype=np.uint8)
        yield from _at(alike, likenesses(thumbnails, progress))


def _altered(shown: Sequence[Look], progress: Progress | None) -> Iterator[Likeness]:
    pictures = {position: look.picture for position, look in enumerate(shown) if look.picture is not None}
    if pictures:
        found = altered_copies.altered_copies(list(pictures.values()), progress)
        yield from _at(list(pictures), found)


def _at(positions: Sequence[int], found: Iterable[Likeness]) -> Iterator[Likeness]:
    for likeness in found:
        yield replace(likeness, first=positions[likeness.first], second=positions[likeness.second])
