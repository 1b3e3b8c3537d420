"""Copies that were turned by a few degrees, shifted, cropped, framed, drawn on or inverted.

There are two steps. The low frequencies of the middle of each picture, weighted so that what most pictures of the
collection share counts little (whitening), are compared with those of windows of every other picture that are turned,
shifted and cut as copies are. Quarters are compared with quarters too, because a drawn box spoils only some of them.
The picture most like each one, among those of the nearest cells, is a candidate. Then registration lays each over its
picture, and their details must agree.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, product
from typing import final

import numpy as np
import torch
from PIL import Image, ImageFilter
from scipy.fft import dct
from torch import Tensor, nn

from medtail.inspection.near_copies import Likeness, grey_picture
from medtail.inspection.registration import affine, agreement, register, sampled
from medtail.inspection.search.cells import Cells
from medtail.progress import Progress

#: Pixels along the side of the pictures that are compared.
PICTURE_SIZE = 64

#: Images with fewer pixels along a side have too few details to tell a copy from another image.
LEAST_SIDE = 96

#: Share of the side that a turn or a frame leaves of a picture; this middle is what is searched for in others.
_MIDDLE = 0.8

#: Least agreement of details after the first steps and at the end. Copies of dermoscopy images reach 0.97, second
#: photographs of the same lesion 0.965, and other images 0.85.
_EARLY, LEAST_AGREEMENT = 0.7, 0.966

#: Least likeness of low frequencies of a pair that is worth registering. Copies reach 0.68 by their middles, or 0.71 by
#: their quarters; half of the other pairs do not.
_LEAST_LIKENESS = 0.65

#: Pixels along the side of a middle when it is registered, and at the end.
_COARSE, _FINE = 32, 48

#: A frame is cut off where grey levels along an edge vary by no more than this, up to this share of the side.
_FRAME_LEVELS, _MOST_FRAME = 12, 0.3

#: A pixel of a thin line differs by more than this many grey levels from the smooth picture.
_LINE_LEVELS = 8.0

#: Least share of pixels without thin lines.
_LEAST_PLAIN = 0.2

_LOW_FREQUENCIES = 8

#: Pictures whose frequencies are computed, and pairs that are registered, at a time.
_ROWS, _PAIRS = 2048, 64


def picture(image: np.ndarray) -> np.ndarray:
    """Grey uint8 pictures ``(2, 64, 64)`` of an image ``(H, W, channels)`` without its frame: as it is, and smooth."""
    grey = grey_picture(image)
    pixels = np.asarray(grey)
    top, bottom = _frame(pixels)
    left, right = _frame(pixels.T)
    height, width = pixels.shape
    box = (left, top, width - right, height - bottom)
    small = grey.crop(box).resize((PICTURE_SIZE, PICTURE_SIZE), Image.Resampling.BICUBIC)
    return np.stack([np.asarray(small), np.asarray(small.filter(ImageFilter.MedianFilter(3)))])


def _frame(pixels: np.ndarray) -> tuple[int, int]:
    """Rows of one grey level at the top and at the bottom."""
    uniform = np.ptp(pixels, axis=1) <= _FRAME_LEVELS
    most = int(_MOST_FRAME * len(pixels))
    first, last = (np.append(~rows[:most], True).argmax() for rows in (uniform, uniform[::-1]))
    return int(first), int(last)


def altered_copies(pictures: Sequence[np.ndarray], progress: Progress | None = None) -> Iterator[Likeness]:
    """Yield pairs of pictures of which one is an altered copy of the other.

    Args:
        pictures: Those of :func:`picture`, uint8 ``(2, 64, 64)`` each.
        progress: Called after every few comparisons.
    """
    if len(pictures) < 2:
        return
    maps = torch.stack(_windows())
    search = _Search.of(pictures, maps)
    by_middle, by_quarters = search.by_middle(progress), search.by_quarters(progress)
    pairs = len(by_middle[0]) + len(by_quarters[0])
    found: set[tuple[int, int]] = set()
    registered = chain(
        _in_chunks(partial(_found_in, pictures, maps), *by_middle),
        _in_chunks(partial(_in_place, pictures), *by_quarters),
    )
    for done, (first, second, agreed) in enumerate(registered, start=1):
        pair = min(first, second), max(first, second)
        if agreed >= LEAST_AGREEMENT and pair not in found:
            found.add(pair)
            yield Likeness(*pair, agreed, "moved, drawn on or inverted")
        if progress is not None and (done % _PAIRS == 0 or done == pairs):
            progress("registering images", done, pairs)


def _in_chunks(agreement_of: Callable[..., Tensor], *pairs: Tensor) -> Iterator[tuple[int, int, float]]:
    """Pairs with their agreement, of so many at a time that they stay in the processor's cache."""
    for start in range(0, len(pairs[0]), _PAIRS):
        chunk = [one[start : start + _PAIRS] for one in pairs]
        agreed = agreement_of(*chunk).tolist()
        yield from zip(chunk[0].tolist(), chunk[1].tolist(), agreed, strict=True)


def _chosen(pictures: Sequence[np.ndarray], rows: Tensor) -> Tensor:
    """Some of the pictures, float32 ``(N, 2, 64, 64)``."""
    return torch.from_numpy(np.stack([pictures[row] for row in rows.tolist()])).float()


def _found_in(
    pictures: Sequence[np.ndarray], maps: Tensor, rows: Tensor, whole_rows: Tensor, windows: Tensor
) -> Tensor:
    """Agreement of the details ``(N,)`` of the middle of parts, found in wholes; 0 where it is given up early."""
    wholes, parts, maps = _chosen(pictures, whole_rows), _chosen(pictures, rows), _middle(maps[windows])
    agreed = torch.zeros(len(parts))
    coarse = _middles(parts[:, 1], _COARSE)
    maps = register(wholes[:, 1], coarse, maps, 2)
    kept = torch.nonzero(agreement(wholes[:, 1], coarse, maps) >= _EARLY)[:, 0]
    if len(kept):
        wholes, parts = wholes[kept], parts[kept]
        maps = register(wholes[:, 1], coarse[kept], maps[kept], 4)
        maps = register(wholes[:, 1], _middles(parts[:, 1], _FINE), maps, 4)
        fine = _middles(parts[:, 0], _FINE)
        plain = sampled(_plain(wholes), maps, _FINE)[0] * _middles(_plain(parts), _FINE)
        plain = (plain > 0.99).float()
        enough = plain.mean(dim=(1, 2)) >= _LEAST_PLAIN
        agreed[kept] = torch.maximum(
            agreement(wholes[:, 0], fine, maps), agreement(wholes[:, 0], fine, maps, plain) * enough
        )
    return agreed


def _in_place(pictures: Sequence[np.ndarray], ones: Tensor, others: Tensor) -> Tensor:
    """Agreement of the details ``(N,)`` of the middles of two pictures that were not moved, apart from thin lines."""
    one, other = _chosen(pictures, ones), _chosen(pictures, others)
    plain = _plain(one) * _plain(other)
    agreed = torch.zeros(len(one))
    kept = torch.nonzero(plain.mean(dim=(1, 2)) >= _LEAST_PLAIN)[:, 0]
    for size, least in ((_COARSE, _EARLY), (_FINE, 0.0)):
        if not len(kept):
            break
        part = (_middles(plain[kept], size) > 0.99).float()
        identity = _middle(affine()).expand(len(kept), 2, 3)
        # A drawn box in the whole, but not in the part, disturbs the brightness that is fitted.
        agreed[kept] = torch.maximum(
            agreement(one[kept, 0], _middles(other[kept, 0], size), identity, part),
            agreement(other[kept, 0], _middles(one[kept, 0], size), identity, part),
        )
        given_up = agreed[kept] < least
        agreed[kept[given_up]] = 0.0
        kept = kept[~given_up]
    return agreed


def _middles(pictures: Tensor, size: int) -> Tensor:
    """The middles of pictures ``(N, S, S)``, as ``(N, size, size)``."""
    return sampled(pictures, _middle(affine()).expand(len(pictures), 2, 3), size)[0]


def _plain(pictures: Tensor) -> Tensor:
    """1 where pictures ``(N, 2, S, S)`` show no thin line, as of a hair or text, else 0 ``(N, S, S)``."""
    lines = ((pictures[:, 0] - pictures[:, 1]).abs() > _LINE_LEVELS).float()
    return 1.0 - nn.functional.max_pool2d(lines[:, None], 3, 1, 1)[:, 0]


def _windows() -> list[Tensor]:
    """Maps from places of a copy to those of the picture that it may be made from; the identity comes first."""
    shifted = [affine(x=x, y=y) for x, y in product((-0.05, 0.05), repeat=2)]
    turned = [affine(degrees=degrees) for degrees in (-15.0, -10.0, -5.0, 5.0, 10.0, 15.0)]
    cut = [affine(scale=0.9, x=x, y=y) for x, y in product((-0.08, 0.0, 0.08), repeat=2)]
    cut += [affine(scale=0.8, x=x, y=y) for x, y in product((-0.18, -0.06, 0.06, 0.18), repeat=2)]
    return [affine(), *shifted, *turned, *cut]


def _middle(maps: Tensor) -> Tensor:
    """Maps ``(…, 2, 3)`` for places of the middle of a copy."""
    return torch.cat([_MIDDLE * maps[..., :2], maps[..., 2:]], dim=-1)


@final
@dataclass(frozen=True)
class _Search:
    """Low frequencies of every picture, with norm 1.

    Attributes:
        middles: Of the middle of each picture ``(N, 63)``.
        windows: Of each window of each picture ``(windows, N, 63)``, in half precision.
        quarters: Of the four quarters of each picture ``(4, N, 63)``.
    """

    middles: Tensor
    windows: Tensor
    quarters: Tensor

    @classmethod
    def of(cls, pictures: Sequence[np.ndarray], maps: Tensor) -> "_Search":
        """Read all pictures through all windows."""
        corners = [torch.tensor([[0.5, 0.0, x], [0.0, 0.5, y]]) for x, y in product((-0.45, 0.45), repeat=2)]
        seen = torch.cat([_frequencies(window) for window in (_middle(affine()), *corners)], dim=1)
        read = torch.cat([_small(some) @ seen for some in _batches(pictures)])
        middles, *quarters = read.chunk(1 + len(corners), dim=1)
        whiten, whiten_quarter = _whitening(middles), _whitening(torch.cat(quarters))
        whitened = [_frequencies(window) @ whiten for window in _middle(maps)]
        windows = torch.empty(len(maps), *middles.shape, dtype=torch.float16)
        for some, seen_in in zip(_batches(pictures), torch.split(windows, _ROWS, dim=1), strict=True):
            small = _small(some)
            for window, matrix in zip(seen_in, whitened, strict=True):
                window[:] = _unit(small @ matrix)
        return cls(
            _unit(middles @ whiten),
            windows,
            torch.stack([_unit(quarter @ whiten_quarter) for quarter in quarters]),
        )

    def by_middle(self, progress: Progress | None) -> tuple[Tensor, Tensor, Tensor]:
        """Parts, wholes with a window that is most like the middle of the part, and that window."""
        cells, most = Cells.of(self.middles), _MostLike(len(self.middles))
        windows = self.windows.flatten(0, 1)
        for rows, places, done in cells.meetings(self.middles, windows):
            likeness = (self.middles[rows] @ windows[places].float().T).abs_()
            most.compare(rows, places % len(self.middles), likeness)
            if progress is not None and not len(rows):
                progress("comparing middles", done, len(cells.centres))
        parts, wholes = most.pairs
        similar = [(self.middles[parts] * window[wholes]).sum(dim=1).abs() for window in self.windows]
        return parts, wholes, torch.stack(similar).argmax(dim=0)

    def by_quarters(self, progress: Progress | None) -> tuple[Tensor, Tensor]:
        """Pairs of pictures two of whose quarters are most like each other's."""
        most = _MostLike(len(self.middles))
        for number, quarter in enumerate(self.quarters):
            cells = Cells.of(quarter)
            for rows, others, done in cells.meetings(quarter, quarter):
                a, b, c, d = ((one[rows] @ one[others].T).abs_() for one in self.quarters)
                greater, other_greater = torch.maximum(a, b), torch.maximum(c, d)
                lesser = torch.maximum(torch.minimum(a, b), torch.minimum(c, d))
                second = torch.minimum(greater, other_greater).maximum(lesser)
                most.compare(rows, others, (greater.maximum(other_greater) + second) / 2)
                if progress is not None and not len(rows):
                    # Each quarter has a number of cells of its own.
                    percent = 100 * done // len(cells.centres)
                    progress("comparing quarters", 100 * number + percent, 100 * len(self.quarters))
        ones, others = torch.unique(torch.stack(most.pairs).sort(dim=0).values, dim=1)
        return ones, others


@final
class _MostLike:
    """For each of N pictures the other one that is most like it, of those compared so far, if it is like it at all."""

    def __init__(self, count: int) -> None:
        self._likeness, self._other = torch.zeros(count), torch.zeros(count, dtype=torch.int64)

    def compare(self, rows: Tensor, others: Tensor, likeness: Tensor) -> None:
        """Take note of likenesses ``(len(rows), len(others))``; a picture is not compared with itself."""
        if not likeness.numel():
            return
        greatest, place = likeness.masked_fill_(rows[:, None] == others, 0.0).max(dim=1)
        better = greatest > self._likeness[rows]
        self._likeness[rows[better]] = greatest[better]
        self._other[rows[better]] = others[place[better]]

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Pictures, and the one most like each; those that are like none are left out."""
        rows = torch.nonzero(self._likeness >= _LEAST_LIKENESS)[:, 0]
        return rows, self._other[rows]


def _batches(pictures: Sequence[np.ndarray]) -> Iterator[Tensor]:
    """The smooth ones of the pictures ``(N, 64, 64)``, some at a time."""
    for start in range(0, len(pictures), _ROWS):
        yield torch.from_numpy(np.stack([one[1] for one in pictures[start : start + _ROWS]]))


def _small(pictures: Tensor) -> Tensor:
    """Pictures ``(N, 64, 64)`` at half the size, ``(N, 1024)``."""
    return nn.functional.avg_pool2d(pictures[:, None].float(), 2).flatten(1)


def _frequencies(window: Tensor) -> Tensor:
    """Matrix ``(1024, 63)`` from a picture of 32 x 32 to the low frequencies of a window, without the constant one."""
    size = PICTURE_SIZE // 2
    pixels = torch.eye(size**2).reshape(-1, size, size)
    seen, _ = sampled(pixels, window.expand(size**2, 2, 3), size)
    waves = torch.from_numpy(dct(np.eye(size), axis=0, norm="ortho")[:_LOW_FREQUENCIES]).float()
    return (waves @ seen @ waves.T).flatten(1)[:, 1:]


def _whitening(frequencies: Tensor) -> Tensor:
    """Matrix ``(63, 63)`` that makes all directions equally strong; of few pictures only partly, as they say little."""
    unit = _unit(frequencies)
    count, size = unit.shape
    trust = count / (count + size)
    covariance = trust * unit.T @ unit / count + (1 - trust) / size * torch.eye(size)
    strengths, directions = torch.linalg.eigh(covariance)
    whitening: Tensor = directions / strengths.clamp(min=1e-6 / size).sqrt()
    return whitening


def _unit(vectors: Tensor) -> Tensor:
    unit: Tensor = vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-3)
    return unit
