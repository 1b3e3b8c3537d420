"""Before training: images decoded, splits drawn, and the facts of the training data measured."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
import torch

from medtail.data import ImageCollection, Pixels, assign_splits, load_pixels
from medtail.data.working_form import viewable
from medtail.files import write_json
from medtail.run import Run
from medtail.training.labelling import Labelling, labelling_of
from medtail.training.recipe import Recipe

#: What published ImageNet weights were trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

SPLITS = ("train", "validation", "test")

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much is done and how much there is."""


@final
@dataclass(frozen=True)
class DatasetFacts:
    """What later stages need to know of the data a run was trained on; the content of ``dataset.json``.

    ``num_images``, the images of each split, is known only of several labels an image: of one class an image it is
    the sum of ``class_counts``, and the file does without.
    """

    name: str
    data: str
    class_names: list[str]
    class_counts: dict[str, list[int]]
    group_column: str | None
    image_size: int
    channels: int
    mean: list[float]
    standard_deviation: list[float]
    unreadable: list[dict[str, str]]
    fingerprint: str
    num_images: dict[str, int] | None = None
    dimensions: int = 2

    def save(self, run: Run) -> None:
        """Write ``dataset.json``."""
        content = asdict(self)
        if self.num_images is None:
            del content["num_images"]
        write_json(run.dataset, content)

    @classmethod
    def load(cls, run: Run) -> "DatasetFacts":
        """Read ``dataset.json``."""
        return cls(**run.read_dataset())

    @property
    def labelling(self) -> Labelling:
        """Whether images are of one class or carry several labels, and what follows."""
        return labelling_of(self.num_images is not None)

    @property
    def training_counts(self) -> np.ndarray:
        """``(C,)`` training counts in class-id order."""
        return np.asarray(self.class_counts["train"], dtype=np.int64)


@final
@dataclass(frozen=True)
class PreparedData:
    """Images in memory (or ready to be decoded), their table with splits, and the facts."""

    collection: ImageCollection
    pixels: Pixels
    facts: DatasetFacts


def prepare(
    collection: ImageCollection,
    recipe: Recipe,
    *,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> PreparedData:
    """Decode, split and measure.

    Unreadable images leave the table before anything is split or counted, so that class counts are those of
    images that can be trained on.

    Raises:
        InputError: An image cannot be read (all are named), or the data cannot be split as asked.
    """
    pixels = load_pixels(
        collection,
        image_size=recipe.data.image_size,
        channels=recipe.data.channels,
        fit=recipe.data.fit,
        skip_unreadable=skip_unreadable,
        progress=progress,
    )
    unreadable = [{"id": bad.id, "reason": bad.reason} for bad in pixels.unreadable]
    if pixels.unreadable:
        rows = np.asarray([bad.row for bad in pixels.unreadable])
        collection, pixels = collection.without(rows), pixels.without(rows)
    collection = assign_splits(
        collection,
        validation_fraction=recipe.data.validation_fraction,
        test_fraction=recipe.data.test_fraction,
        seed=recipe.data.split_seed,
    )
    if recipe.backbone.pretrained and recipe.data.channels in (1, 3) and pixels.dimensions == 2:
        mean, deviation = _imagenet_statistics(recipe.data.channels)
    else:
        mean, deviation = channel_statistics(pixels, collection.rows("train"))
    facts = DatasetFacts(
        name=collection.name,
        data=collection.data,
        class_names=list(collection.class_names),
        class_counts={split: [int(count) for count in collection.class_counts(split)] for split in SPLITS},
        group_column=collection.group_column,
        image_size=recipe.data.image_size,
        channels=recipe.data.channels,
        mean=mean,
        standard_deviation=deviation,
        unreadable=unreadable,
        fingerprint=collection.fingerprint(),
        num_images={split: len(collection.rows(split)) for split in SPLITS}
        if collection.multi_label
        else None,
        dimensions=pixels.dimensions,
    )
    return PreparedData(collection, pixels, facts)


def _imagenet_statistics(channels: int) -> tuple[list[float], list[float]]:
    if channels == 3:
        return list(IMAGENET_MEAN), list(IMAGENET_DEVIATION)
    # timm sums the three input filters for grey images, so the mean statistics keep their meaning.
    return [float(np.mean(IMAGENET_MEAN))], [float(np.mean(IMAGENET_DEVIATION))]


def channel_statistics(pixels: Pixels, rows: np.ndarray, chunk: int = 512) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over the given images, values in [0, 1].

    Exact integer sums, so the result does not depend on the chunk.
    """
    total = torch.zeros(pixels.channels, dtype=torch.int64)
    squares = torch.zeros(pixels.channels, dtype=torch.int64)
    count = 0
    for start in range(0, len(rows), chunk):
        images = pixels.read(rows[start : start + chunk]).to(torch.int32)
        # One long row a channel, of images and volumes alike.
        values = images.movedim(1, 0).flatten(1)
        total += values.sum(dim=1)
        squares += values.square().sum(dim=1)
        count += values.shape[1]
    mean = total.double() / count
    variance = (squares.double() / count - mean.square()).clamp(min=0.0)
    # A channel that never varies carries nothing; dividing by 1 keeps it finite.
    deviation = torch.where(variance > 0, variance.sqrt(), torch.tensor(255.0, dtype=torch.float64))
    return (mean / 255).tolist(), (deviation / 255).tolist()


def read_image(collection: ImageCollection) -> Callable[[str], np.ndarray]:
    """A function from an image's id to a picture of it ``(H, W, 3)``, for galleries."""
    row_of: dict[str, Any] = {str(name): row for row, name in enumerate(collection.table["id"])}
    return lambda name: viewable(collection.source.read(row_of[name]))
