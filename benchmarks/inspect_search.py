"""CPU seconds and memory of the search for copies by ``medtail inspect``, against comparing all pairs.

    python benchmarks/inspect_search.py --images 4000 16000 64000 256000 1000000 --brute-force 16000

Thumbnails are noise with the spectrum of natural images, drawn from a seed, and one of 16 is a copy of another:
brighter and noisier, mirrored, turned, or cropped. Comparing all pairs (``brute_force``) needs the hashes and the
thumbnails alone. ``altered copies`` is the search among larger pictures, of which one of 16 is a copy of another,
turned by a few degrees and shifted. Each size is measured in a process of its own; ``megabytes`` is the most memory
that it held. In ``exponent``, 1 is time that grows with the number of images, and 2 time that grows with the number of
pairs; it is taken between a size and the one before.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from math import log
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from measuring import results_file
from scipy.ndimage import median_filter

from medtail.inspection.altered_copies import PICTURE_SIZE, altered_copies
from medtail.inspection.cropped_copies import MIDDLE, fit_windows, windows_of
from medtail.inspection.near_copies import (
    LEAST_AGREEMENT_OF_MIDDLE,
    LIMITS,
    likenesses,
)
from medtail.inspection.registration import affine, sampled
from medtail.inspection.search.spectra import Spectra
from medtail.inspection.search.symmetries import SYMMETRIES

COLUMNS = (
    "search",
    "images",
    "found",
    "cpu_seconds",
    "exponent",
    "megabytes",
    "device",
    "hardware",
    "torch",
    "commit",
    "date",
)

_SIZE = 32

#: Most pictures among which altered copies are searched for, which takes longest.
MOST_PICTURES = 64_000

#: Rows of all pairs that are compared at a time.
_ROWS = 256


def imagined(count: int) -> np.ndarray:
    """Draw thumbnails ``(N, 1, 32, 32)``, of which one of 16 is a copy of the one eight places before."""
    thumbnails = np.empty((count, 1, _SIZE, _SIZE), dtype=np.uint8)
    for start in range(0, count, 4096):
        rows = slice(start, min(start + 4096, count))
        thumbnails[rows, 0] = _noise(rows.stop - start, np.random.default_rng(start))
    generator = np.random.default_rng(1)
    for number, row in enumerate(range(8, count, 16)):
        original = thumbnails[row - 8, 0].astype(np.float32)
        copy = SYMMETRIES[number % 8].of_pictures(original)
        if number % 3 == 0:
            window = np.array([[*(0.94, generator.uniform(-0.5, 0.5)), 0.95, 0.0]], dtype=np.float32)
            copy = windows_of(original[None], window)[0]
        elif number % 3 == 1:
            copy = 0.9 * copy + generator.normal(8, 2, copy.shape)
        thumbnails[row, 0] = np.clip(np.rint(copy), 0, 255)
    return thumbnails


def imagined_pictures(count: int) -> np.ndarray:
    """Draw pictures ``(N, 2, 64, 64)``, of which one of 16 is an altered copy of the one eight places before."""
    pictures = np.empty((count, 2, PICTURE_SIZE, PICTURE_SIZE), dtype=np.uint8)
    for start in range(0, count, 4096):
        rows = slice(start, min(start + 4096, count))
        pictures[rows, 0] = _noise(rows.stop - start, np.random.default_rng(start), PICTURE_SIZE)
        copies = np.arange(start + 8, rows.stop, 16)
        originals = torch.from_numpy(pictures[copies - 8, 0]).float()
        maps = [affine(5.0 * (copy // 16 % 7 - 3), x=0.02 * (copy // 16 % 3 - 1)) for copy in copies.tolist()]
        if maps:
            made, _ = sampled(originals, torch.stack(maps), PICTURE_SIZE)
            pictures[copies, 0] = made.round().clamp(0, 255).byte().numpy()
        pictures[rows, 1] = median_filter(pictures[rows, 0], size=(1, 3, 3))
    return pictures


def _noise(count: int, generator: np.random.Generator, size: int = _SIZE) -> np.ndarray:
    """Pictures ``(N, size, size)`` whose amplitudes fall with the frequency."""
    frequencies = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
    frequencies[0, 0] = 1.0
    white = np.fft.rfft2(generator.normal(size=(count, size, size)).astype(np.float32))
    pictures = np.fft.irfft2(white / frequencies**1.2, s=(size, size))
    pictures -= pictures.mean(axis=(1, 2), keepdims=True)
    pictures *= 40 / pictures.std(axis=(1, 2), keepdims=True)
    return np.clip(np.rint(128 + pictures), 0, 255)


def brute_force(thumbnails: np.ndarray) -> Iterator[tuple[int, int]]:
    """Compare all pairs of thumbnails ``(N, 1, 32, 32)`` in all positions, and each with the middle of each."""
    pictures = thumbnails[:, 0].astype(np.float32)
    units, signs = _units(pictures), _signs(thumbnails)
    for start in range(0, len(pictures), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(pictures)))
        for symmetry in SYMMETRIES:
            turned = np.ascontiguousarray(symmetry.of_pictures(thumbnails[rows]))
            agreement, own_units = _signs(turned) @ signs.T, _units(turned[:, 0].astype(np.float32))
            own, others = np.nonzero(agreement >= min(least for least, _ in LIMITS) - 1e-6)
            agreed = agreement[own, others]
            correlation = (own_units[own] * units[others]).sum(axis=1)
            alike = [(agreed >= least - 1e-6) & (correlation >= limit) for least, limit in LIMITS]
            found = np.any(alike, axis=0) & (rows[own] < others)
            yield from zip(rows[own[found]].tolist(), others[found].tolist(), strict=True)
        middles = windows_of(pictures[rows], np.tile(MIDDLE, (len(rows), 1)))
        own, parts = np.nonzero(_signs(middles[:, None]) @ signs.T >= LEAST_AGREEMENT_OF_MIDDLE - 1e-6)
        wholes = pictures[rows[own]]
        found, windows = fit_windows(wholes, pictures[parts])
        cut = _signs(windows_of(wholes[found], windows)[:, None])
        alike = (cut * signs[parts[found]]).sum(axis=1) >= LIMITS[0][0] - 1e-6
        for one, other in zip(rows[own[found[alike]]].tolist(), parts[found[alike]].tolist(), strict=True):
            if one != other:
                yield min(one, other), max(one, other)


def _units(pictures: np.ndarray) -> np.ndarray:
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    units: np.ndarray = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return units


def _signs(thumbnails: np.ndarray) -> np.ndarray:
    signs = Spectra.of(thumbnails).hashes.signs[:, 0].astype(np.float32)
    units: np.ndarray = signs / np.maximum(np.linalg.norm(signs, axis=1, keepdims=True), 1.0)
    return units


def searched(thumbnails: np.ndarray) -> Iterator[tuple[int, int]]:
    """What ``medtail inspect`` does."""
    return ((likeness.first, likeness.second) for likeness in likenesses(thumbnails))


def searched_altered(pictures: np.ndarray) -> Iterator[tuple[int, int]]:
    """What ``medtail inspect`` does in addition where images have 96 pixels or more."""
    return ((likeness.first, likeness.second) for likeness in altered_copies(list(pictures)))


#: By name: what is searched, and how.
SEARCHES = {
    "all pairs": (imagined, brute_force),
    "medtail": (imagined, searched),
    "altered copies": (imagined_pictures, searched_altered),
}


def measured(search: str, images: int) -> tuple[set[tuple[int, int]], float, float]:
    """Pairs found, CPU seconds, and the most megabytes that this process held."""
    imagine, find = SEARCHES[search]
    pictures = imagine(images)
    start = time.process_time()
    found = set(find(pictures))
    seconds = time.process_time() - start
    return found, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure every size; searches of the same pictures must find the same pairs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[4_000, 16_000, 64_000, 256_000, 1_000_000])
    parser.add_argument(
        "--brute-force", type=int, default=16_000, help="most images of which all pairs are compared"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "inspect_search_cpu.csv"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    most = {"all pairs": options.brute_force, "altered copies": MOST_PICTURES}
    finds: dict[tuple[object, int], set[tuple[int, int]]] = {}
    with results_file(options.out, COLUMNS, "cpu", "src/medtail/inspection") as write:
        for search in SEARCHES:
            before: tuple[int, float] | None = None
            for images in options.images:
                if images > most.get(search, images):
                    continue
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                    found, seconds, megabytes = process.submit(measured, search, images).result()
                searched_in = SEARCHES[search][0], images
                if finds.setdefault(searched_in, found) != found:
                    raise SystemExit(f"{search}: {found ^ finds[searched_in]} of {images} images")
                exponent = log(seconds / before[1]) / log(images / before[0]) if before else None
                before = images, seconds
                row = {
                    "search": search,
                    "images": images,
                    "found": len(found),
                    "cpu_seconds": f"{seconds:.2f}",
                    "exponent": "" if exponent is None else f"{exponent:.2f}",
                    "megabytes": f"{megabytes:.0f}",
                }
                write(row)
                print(*row.values(), flush=True)


if __name__ == "__main__":
    main()
