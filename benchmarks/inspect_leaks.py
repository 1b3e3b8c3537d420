"""Which copies ``medtail inspect`` finds: copies of each kind are planted among real images and searched for.

    python benchmarks/inspect_leaks.py DATA_FOLDER --out benchmarks/results/inspect_leaks_cpu.csv

DATA_FOLDER holds ``ham10000_128``, 5,984 dermoscopy images of 128 x 128 pixels, and ``adrenalmnist3d.npz``, 1,584
volumes of 28 x 28 x 28 voxels. Of each kind in KINDS, 20 images are changed, saved as JPEG of quality 90 and added to
all images, and of each kind in VOLUME_KINDS 20 volumes; none is changed in two ways. ``found`` counts those that are
paired with their original, ``false_alarms`` pairs of a copy and an image that is not its original or, in the
row ``clean``, pairs of images as they are. ``cpu_seconds`` is the time of the search among all images, without decoding
them.
"""

import argparse
import io
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from measuring import results_file
from PIL import Image, ImageDraw, ImageFont, ImageOps
from scipy import ndimage

from medtail.data import ImageCollection, open_collection
from medtail.inspection.copies import rows_by_content
from medtail.inspection.look_alikes import Look, likenesses_of

PLANTED = 20

#: Two photographs of one lesion, which are found among the images as they are.
KNOWN = {("ISIC_0027636", "ISIC_0027994")}

Change = Callable[[Image.Image, np.random.Generator], Image.Image]
ArrayChange = Callable[[np.ndarray, np.random.Generator], np.ndarray]

COLUMNS = ("kind", "planted", "found", "false_alarms", "images", "cpu_seconds")


def rotated(degrees: float) -> Change:
    """Turned to either side; the corners become black."""
    return lambda image, generator: image.rotate(
        degrees * generator.choice([-1, 1]), Image.Resampling.BICUBIC
    )


def shifted(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Shifted by 4 pixels along one or both axes; the border is repeated."""
    by = 4 * np.array([(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, 1)][generator.integers(6)])
    padded = np.pad(np.asarray(image), ((4, 4), (4, 4), (0, 0)), mode="edge")
    top, left = 4 - by
    return Image.fromarray(padded[top : top + image.height, left : left + image.width])


def cropped(share: float) -> Change:
    """A part with sides shorter by ``share``, anywhere, enlarged to the old size."""

    def change(image: Image.Image, generator: np.random.Generator) -> Image.Image:
        width, height = (int(side * (1 - share)) for side in image.size)
        left, top = (
            generator.integers(0, image.width - width + 1),
            generator.integers(0, image.height - height + 1),
        )
        part = image.crop((int(left), int(top), int(left) + width, int(top) + height))
        return part.resize(image.size, Image.Resampling.BICUBIC)

    return change


def framed(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Shrunk into a black border of 5 to 10 % of the side."""
    border = int(image.width * generator.uniform(0.05, 0.1))
    return ImageOps.expand(
        image.resize((image.width - 2 * border, image.height - 2 * border), Image.Resampling.BICUBIC), border
    )


def boxed(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A rectangle, drawn or filled, with sides of a fifth to a third of the image's."""
    image = image.copy()
    width, height = generator.integers(image.width // 5, image.width // 3, 2)
    left, top = generator.integers(0, image.width - width), generator.integers(0, image.height - height)
    colour = [(0, 0, 0), (255, 255, 255), (0, 255, 0), (255, 0, 0)][generator.integers(4)]
    ImageDraw.Draw(image).rectangle(
        (int(left), int(top), int(left + width), int(top + height)),
        fill=colour if generator.random() < 0.5 else None,
        outline=colour,
        width=2,
    )
    return image


def hairy(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Eight dark curved lines, one pixel wide."""
    image = image.copy()
    for _ in range(8):
        place, angle = generator.uniform(0, image.width, 2), generator.uniform(0, 2 * np.pi)
        points = [tuple(place)]
        for _ in range(8):
            angle += generator.normal(0, 0.15)
            place = place + 6 * np.array([np.cos(angle), np.sin(angle)])
            points.append(tuple(place))
        ImageDraw.Draw(image).line(points, fill=(30, 20, 15), width=1)
    return image


def lettered(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A line of text, 10 to 16 pixels high."""
    image = image.copy()
    size = int(generator.integers(10, 17))
    colour = [(255, 255, 255), (0, 0, 0), (255, 255, 0)][generator.integers(3)]
    place = [(4, 4), (4, image.height - size - 6), (30, 50)][generator.integers(3)]
    ImageDraw.Draw(image).text(place, "PATIENT 12345", fill=colour, font=ImageFont.load_default(size))
    return image


KINDS: Mapping[str, Change] = {
    "re-encoded": lambda image, generator: image,
    "mirrored": lambda image, generator: ImageOps.mirror(image),
    "turned by 5 degrees": rotated(5),
    "turned by 15 degrees": rotated(15),
    "shifted by 4 of 128 pixels": shifted,
    "cropped by 10 %, off centre": cropped(0.1),
    "cropped by 20 %, off centre": cropped(0.2),
    "black border": framed,
    "box": boxed,
    "hair": hairy,
    "text": lettered,
    "inverted": lambda image, generator: ImageOps.invert(image),
}


def saved(image: np.ndarray) -> np.ndarray:
    """An image as it is read after it was saved as JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file))


def of_picture(change: Change) -> ArrayChange:
    """A change of a picture, as one of its pixels."""
    return lambda image, generator: saved(np.asarray(change(Image.fromarray(image), generator)))


def shifted_volume(volume: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shifted by one voxel along one axis."""
    by = np.zeros(volume.ndim)
    by[generator.integers(3)] = generator.choice([-1, 1])
    return ndimage.shift(volume, by, order=0)


VOLUME_KINDS: Mapping[str, ArrayChange] = {
    "volume shifted by 1 voxel": shifted_volume,
    "volume dilated, 6 neighbours": lambda volume, generator: ndimage.grey_dilation(
        volume, footprint=ndimage.generate_binary_structure(3, 1)[..., None]
    ),
    "volume dilated, 26 neighbours": lambda volume, generator: ndimage.grey_dilation(
        volume, size=(3, 3, 3, 1)
    ),
    "volume inverted": lambda volume, generator: 255 - volume,
}


def pairs_of(looks: Sequence[Look]) -> set[tuple[int, int]]:
    """Positions of the looks that show the same."""
    contents = rows_by_content(look.content for look in looks)
    found = {(rows[0], row) for rows in contents for row in rows[1:]}
    for likeness in likenesses_of(looks, contents):
        found.add(tuple(sorted((contents[likeness.first][0], contents[likeness.second][0]))))
    return found


def rows(
    name: str, collection: ImageCollection, kinds: Mapping[str, ArrayChange]
) -> Iterator[Mapping[str, object]]:
    """Plant copies of every kind among the images of a collection, and count what is found."""
    ids = collection.table["id"].tolist()
    originals = [collection.source.read(row) for row in range(len(collection))]
    generator = np.random.default_rng(0)
    places = generator.permutation(len(originals))[: PLANTED * len(kinds)].reshape(len(kinds), PLANTED)
    images, made_as, made_from = list(originals), [name] * len(originals), list(range(len(originals)))
    for (kind, change), positions in zip(kinds.items(), places.tolist(), strict=True):
        images += [change(originals[position], generator) for position in positions]
        made_as += [kind] * PLANTED
        made_from += positions
    looks = [Look.at(image) for image in images]
    start = time.process_time()
    pairs = pairs_of(looks)
    seconds = round(time.process_time() - start, 1)
    known = {frozenset(map(ids.index, pair)) for pair in KNOWN if set(pair) <= set(ids)}
    found: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    for one, other in pairs:
        sources = frozenset((made_from[one], made_from[other]))
        if len(sources) == 1:
            found[made_as[other]] += 1
        elif sources not in known:
            alarms[made_as[other]] += 1
    for kind in (name, *kinds):
        count = PLANTED if kind in kinds else 0
        row = (kind, count, found[kind], alarms[kind], len(images), seconds)
        print(*row, flush=True)
        yield dict(zip(COLUMNS, row, strict=True))


def main() -> None:
    """Plant copies of every kind and write what is found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pictures = {kind: of_picture(change) for kind, change in KINDS.items()}
    with results_file(
        options.out, (*COLUMNS, "device", "hardware", "torch", "commit", "date"), "cpu", "src"
    ) as write:
        for row in rows("clean volumes", open_collection(options.data / "adrenalmnist3d.npz"), VOLUME_KINDS):
            write(row)
        for row in rows("clean", open_collection(options.data / "ham10000_128"), pictures):
            write(row)


if __name__ == "__main__":
    main()
