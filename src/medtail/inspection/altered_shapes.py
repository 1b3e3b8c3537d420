"""Volumes of two values that show one shape: shifted, inverted or dilated by one voxel.

The value of most voxels is the background. The shape is cut out at its bounding box, so that its place and the two
values do not matter, and must then equal the other shape, or the other one dilated, in every voxel. A shape that the
border of the volume cuts off in only one of the two is not found.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from medtail.inspection.near_copies import Likeness

#: Fewer voxels, such as those of a box, may be alike by chance.
LEAST_VOXELS = 64


def shape_digests(volume: np.ndarray) -> tuple[bytes, ...]:
    """Digests of the shape in a volume ``(D, H, W, channels)`` and of it dilated with 6, 18 and 26 neighbours.

    There are none if the volume has several channels, more than two values, or too small a shape.
    """
    low, high = volume.min(), volume.max()
    if volume.shape[-1] != 1 or low == high or not ((volume == low) | (volume == high)).all():
        return ()
    shape = volume[..., 0] == high
    shape = ~shape if shape.mean() > 0.5 else shape
    if shape.sum() < LEAST_VOXELS:
        return ()
    shape = np.pad(shape[ndimage.find_objects(shape.astype(np.uint8))[0]], 1)
    dilated = [
        ndimage.binary_dilation(shape, ndimage.generate_binary_structure(3, reach)) for reach in (1, 2, 3)
    ]
    return (_digest(shape[1:-1, 1:-1, 1:-1]), *map(_digest, dilated))


def altered_shapes(digests: Sequence[tuple[bytes, ...]]) -> Iterator[Likeness]:
    """Yield pairs of volumes, by position in ``digests``, of one shape."""
    places = defaultdict(list)
    for place, own in enumerate(digests):
        if own:
            places[own[0]].append(place)
    for place, own in enumerate(digests):
        for digest in own:
            for other in places.get(digest, ()):
                if other > place or (other < place and digest != own[0]):
                    yield Likeness(min(place, other), max(place, other), 1.0, "shifted, inverted or dilated")


def _digest(shape: np.ndarray) -> bytes:
    return hashlib.sha256(repr(shape.shape).encode() + np.packbits(shape).tobytes()).digest()
