"""Copies that were turned by a few degrees, shifted, cropped, framed, drawn on or inverted.

There are two steps. The low frequencies of the middle of each picture, weighted so that what most pictures of the
collection share counts little (whitening), are compared with those of windows of every other picture that are turned,
shifted and cut as copies are. Quarters are compared with quarters too, because a drawn box spoils only some of them.
The few pictures most like each one are candidates. Then registration lays each over its picture, and their details must
agree.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import final

import numpy as np
import torch
from PIL import Image, ImageFilter
from scipy.fft import dct
from torch import Tensor, nn

from medtail.inspection.near_copies import Likeness, grey_picture
from medtail.inspection.registration import affine, agreement, register, sampled
from medtail.progress import Progress

#: Pixels along the side of the pictures that are compared.
PICTURE_SIZE = 64

#: Images with fewer pixels along a side have too few details to tell a copy from another image.
LEAST_SIDE = 96

#: Share of the side that a turn or a frame leaves of a picture; this middle is what is searched for in others.
_MIDDLE = 0.8

#: Number of pictures most like each one that are compared in detail, by their middle and by their quarters.
_CANDIDATES = 1

#: Least agreement of details after the first steps and at the end. Copies of dermoscopy images reach 0.97, second
#: photographs of the same lesion 0.965, and other images 0.85.
_EARLY, LEAST_AGREEMENT = 0.7, 0.966

#: Pixels along the side of a middle when it is registered, and at the end.
_COARSE, _FINE = 32, 48

#: A frame is cut off where grey levels along an edge vary by no more than this, up to this share of the side.
_FRAME_LEVELS, _MOST_FRAME = 12, 0.3

#: A pixel of a thin line differs by more than so many grey levels from the smooth picture.
_LINE_LEVELS = 8.0

#: Least share of pixels without thin lines.
_LEAST_PLAIN = 0.2

_LOW_FREQUENCIES = 8

#: Pictures whose candidates are found, and pairs that are registered, at a time.
_ROWS, _PAIRS = 256, 64


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


def altered_copies(pictures: np.ndarray, progress: Progress | None = None) -> Iterator[Likeness]:
    """Yield pairs of pictures of which one is an altered copy of the other.

    Args:
        pictures: uint8 ``(N, 2, 64, 64)`` of :func:`picture`.
        progress: Called after every block of rows.
    """
    if len(pictures) < 2:
        return
    shown, maps = torch.from_numpy(pictures), torch.stack(_windows())
    search = _Search.of(shown[:, 1], maps)
    found: set[tuple[int, int]] = set()
    for start in range(0, len(pictures), _ROWS):
        rows = torch.arange(start, min(start + _ROWS, len(pictures)))
        for first, second, agreed in (
            *_in_chunks(partial(_found_in, shown, maps), *search.by_middle(rows)),
            *_in_chunks(partial(_in_place, shown), *search.by_quarters(rows)),
        ):
            pair = min(first, second), max(first, second)
            if agreed >= LEAST_AGREEMENT and pair not in found:
                found.add(pair)
                yield Likeness(*pair, agreed, "moved, drawn on or inverted")
        if progress is not None:
            progress("registering images", int(rows[-1]) + 1, len(pictures))


def _in_chunks(agreement_of: Callable[..., Tensor], *pairs: Tensor) -> Iterator[tuple[int, int, float]]:
    """Pairs with their agreement, of so many at a time that they stay in the processor's cache."""
    for start in range(0, len(pairs[0]), _PAIRS):
        chunk = [one[start : start + _PAIRS] for one in pairs]
        agreed = agreement_of(*chunk).tolist()
        yield from zip(chunk[0].tolist(), chunk[1].tolist(), agreed, strict=True)


def _found_in(pictures: Tensor, maps: Tensor, rows: Tensor, whole_rows: Tensor, windows: Tensor) -> Tensor:
    """Agreement of the details ``(N,)`` of the middle of parts, found in wholes; 0 where it is given up early."""
    wholes, parts, maps = pictures[whole_rows].float(), pictures[rows].float(), _middle(maps[windows])
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


def _in_place(pictures: Tensor, ones: Tensor, others: Tensor) -> Tensor:
    """Agreement of the details ``(N,)`` of the middles of two pictures that were not moved, apart from thin lines."""
    one, other = pictures[ones].float(), pictures[others].float()
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
        windows: Of each window of each picture ``(windows, N, 63)``.
        quarters: Of the four quarters of each picture ``(4, N, 63)``.
    """

    middles: Tensor
    windows: Tensor
    quarters: Tensor

    @classmethod
    def of(cls, pictures: Tensor, maps: Tensor) -> "_Search":
        """Read all pictures through all windows."""
        small = nn.functional.avg_pool2d(pictures[:, None].float(), 2).flatten(1)
        middles = small @ _frequencies(_middle(affine()))
        whiten = _whitening(middles)
        windows = [_unit(small @ _frequencies(_middle(window)) @ whiten) for window in maps]
        corners = [torch.tensor([[0.5, 0.0, x], [0.0, 0.5, y]]) for x, y in product((-0.45, 0.45), repeat=2)]
        quarters = torch.stack([small @ _frequencies(corner) for corner in corners])
        return cls(
            _unit(middles @ whiten),
            torch.stack(windows),
            _unit(quarters @ _whitening(quarters.flatten(0, 1))),
        )

    def by_middle(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Parts, among ``rows``; wholes with a window that is most like the middle of the part; and that window."""
        middles = self.middles[rows]
        best = torch.zeros(len(rows), len(self.middles))
        for window in self.windows:
            torch.maximum(best, (middles @ window.T).abs_(), out=best)
        parts, wholes = _most_like(best, rows)
        similar = [(self.middles[parts] * window[wholes]).sum(dim=1).abs() for window in self.windows]
        return parts, wholes, torch.stack(similar).argmax(dim=0)

    def by_quarters(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs of one of ``rows`` and another picture two of whose quarters are most like its own."""
        similar = torch.stack([(quarter[rows] @ quarter.T).abs_() for quarter in self.quarters])
        pairs = torch.stack(_most_like(similar.topk(2, dim=0).values.mean(dim=0), rows))
        ones, others = torch.unique(pairs.sort(dim=0).values, dim=1)
        return ones, others


def _most_like(likeness: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows, each with the columns of its likeness ``(len(rows), N)`` that are most like it, apart from itself."""
    likeness[torch.arange(len(rows)), rows] = -1.0
    most = min(_CANDIDATES, likeness.shape[1] - 1)
    return rows.repeat_interleave(most), likeness.topk(most, dim=1).indices.flatten()


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
