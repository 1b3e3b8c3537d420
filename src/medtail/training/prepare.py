"""Before training: images are decoded, splits drawn, and the facts of the training data measured."""

import hashlib
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import pandas as pd
import torch

from medtail.backbones import TimmNetwork, is_timm_name
from medtail.data import (
    SPLITS,
    ImageCollection,
    Pixels,
    assign_splits,
    choose_classes,
    load_pixels,
    positive_versus_rest,
)
from medtail.data.collection import DataWarning, Split
from medtail.data.decoded.cache import PixelCache, default_cache_folder, file_stamps
from medtail.data.decoded.grey_levels import warn_about_grey_levels
from medtail.data.splitting.long_tail import training_rows_left_out
from medtail.data.splitting.splits import check_evaluable, check_learnable
from medtail.data.transforms import MaskedNormalize
from medtail.errors import InputError
from medtail.files import replacing, with_cells
from medtail.inspection.copies import content_digest
from medtail.inspection.look_alikes import LookAlikes, find_look_alikes
from medtail.progress import Progress
from medtail.recipes.schema import Recipe
from medtail.recipes.subsample_profile import subsample_profile
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run

_log = logging.getLogger(__name__)

_WITHOUT_VALIDATION: tuple[Split, ...] = ("train", "test")


@final
@dataclass(frozen=True)
class PreparedData:
    """Images in memory (or ready to be decoded), their table with splits, and the facts.

    Attributes:
        collection: The images that take part, with their splits.
        pixels: Their pixels, in the same order.
        facts: What later steps need to know of them.
        subsample: If the recipe subsamples, which training images were kept, in columns ``id`` and ``kept`` (0/1);
            the others are no longer in ``collection``.
    """

    collection: ImageCollection
    pixels: Pixels
    facts: DatasetFacts
    subsample: pd.DataFrame | None = None

    def write_subsample(self, run: Run) -> None:
        """Write ``subsample.csv`` if training images were left out on purpose."""
        if self.subsample is not None:
            with replacing(run.subsample) as temporary:
                with_cells(self.subsample).to_csv(temporary, index=False)


def prepare(
    collection: ImageCollection,
    recipe: Recipe,
    *,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
    cache: PixelCache | None = None,
) -> PreparedData:
    """Relabel, decode, split, subsample and measure.

    Unreadable images leave the table before anything is split or counted, so that class counts are those of
    images that can be trained on. Images that subsampling leaves out leave the table too, after the split, so that
    validation and test are those of the whole data; with ``data.drawn_first=subsample``, before validation is drawn.

    Args:
        collection: Images with labels.
        recipe: Every setting.
        skip_unreadable: Leave unreadable images out instead of refusing them.
        progress: Told about decoding.
        cache: Where decoded pixels are kept, if it or ``data.cache`` asks for it; the user's cache if None.

    Raises:
        InputError: An image cannot be read (all are named), or the data cannot be relabelled, split or subsampled
            as asked.
    """
    collection = choose_classes(collection, recipe.data.classes, recipe.data.merge)
    if recipe.data.positive is not None:
        collection = positive_versus_rest(collection, recipe.data.positive, recipe.data.negative)
    parts = SPLITS if recipe.data.validation == "drawn" else _WITHOUT_VALIDATION
    check_learnable(collection, parts)
    split = partial(
        assign_splits,
        validation_fraction=recipe.data.validation_fraction,
        test_fraction=recipe.data.test_fraction,
        seed=recipe.split_seed,
    )
    with warnings.catch_warnings():
        # Said once, of the images that remain.
        warnings.simplefilter("ignore", DataWarning)
        check_evaluable(split(collection, parts=parts), parts)
    collection = collection.limited(recipe.data.max_pixels).windowed(recipe.data.window)
    pixels = decoded(collection, recipe, skip_unreadable=skip_unreadable, progress=progress, cache=cache)
    unreadable = [{"id": bad.id, "reason": bad.reason} for bad in pixels.unreadable]
    if pixels.unreadable:
        rows = np.asarray([bad.row for bad in pixels.unreadable])
        collection, pixels = collection.without(rows), pixels.without(rows)
    alike = look_alikes(pixels, recipe, progress)
    brings_validation = "split" in collection.table and (collection.table["split"] == "validation").any()
    subsample_first = recipe.data.drawn_first == "subsample" and not brings_validation
    collection = split(
        collection,
        parts=_WITHOUT_VALIDATION if subsample_first else parts,
        together=alike.joined_groups(collection),
    )
    counts_before, ids = collection.class_counts("train"), collection.table["id"]
    collection, pixels, kept = _subsampled(collection, pixels, recipe)
    alike = alike.select(np.flatnonzero(ids.isin(collection.table["id"])))
    if subsample_first:
        collection = split(collection, parts=parts, together=alike.joined_groups(collection))
    check_evaluable(collection, parts)
    if recipe.data.normalization == "masked":
        _check_varies_in_masks(pixels, collection.rows("train"))
    network = TimmNetwork.of(recipe.backbone.name) if is_timm_name(recipe.backbone.name) else None
    mean, deviation = _normalized_by(recipe, network, pixels, collection.rows("train"))
    digests = _content_digests(pixels) if pixels.decoded else None
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
        multi_label=collection.multi_label,
        num_images={split: len(collection.rows(split)) for split in SPLITS},
        dimensions=pixels.dimensions,
        positive=recipe.data.positive,
        negative=recipe.data.negative,
        counts_before_subsample=None if kept is None else counts_before.tolist(),
        repeated=repeated_images(collection, alike),
        pixels=_shown(collection, digests),
        known_labels=_known_labels(collection),
        sequences=list(collection.source.channel_names) or None,
        hub_network=None if network is None else network.saved(),
    )
    return PreparedData(collection, pixels, facts, kept)


def _known_labels(collection: ImageCollection) -> dict[str, list[int]] | None:
    """Images of each split of which each label is known; None if all labels of all images are."""
    if (collection.known_counts() == len(collection)).all():
        return None
    return {split: collection.known_counts(split).tolist() for split in SPLITS}


def _cache(recipe: Recipe, cache: PixelCache) -> PixelCache | None:
    """The cache as ``data.cache`` asks for it; None if it asks for none."""
    if recipe.data.cache == "never":
        return None
    return PixelCache(cache.folder, keeps_all=cache.keeps_all or recipe.data.cache == "always")


def _subsampled(
    collection: ImageCollection, pixels: Pixels, recipe: Recipe
) -> tuple[ImageCollection, Pixels, pd.DataFrame | None]:
    """Leave out the training images that the recipe leaves out, and say which were kept; None if it leaves out none."""
    settings = recipe.data.subsample
    if settings.name == "none":
        return collection, pixels, None
    left_out = training_rows_left_out(collection, subsample_profile(recipe), settings.seed)
    training = collection.rows("train")
    kept = pd.DataFrame(
        {
            "id": collection.table["id"].to_numpy()[training],
            "kept": np.isin(training, left_out, invert=True).astype(np.int64),
        }
    )
    return collection.without(left_out), pixels.without(left_out), kept


def _content_digests(pixels: Pixels, chunk: int = 512) -> list[bytes]:
    """Return one hash per image, of its pixels as decoded, from one pass over them."""
    return [
        content_digest(image)
        for start in range(0, len(pixels), chunk)
        for image in pixels.read(np.arange(start, min(start + chunk, len(pixels)))).numpy()
    ]


def _shown(collection: ImageCollection, digests: Sequence[bytes] | None) -> str:
    """Return a hash of what the images show; where nothing is kept decoded, of the sizes and times of their files."""
    if digests is not None:
        return f"pixels:{hashlib.sha256(b''.join(digests)).hexdigest()}"
    return f"files:{hashlib.sha256(file_stamps(collection.source).tobytes()).hexdigest()}"


def decoded(
    collection: ImageCollection,
    recipe: Recipe,
    *,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
    cache: PixelCache | None = None,
) -> Pixels:
    """Decode all images to the form that a recipe asks for; arguments are those of :func:`prepare`."""
    collection = collection.windowed(recipe.data.window)
    warn_about_grey_levels(collection)
    return load_pixels(
        collection,
        image_size=recipe.data.image_size,
        channels=recipe.data.channels,
        fit=recipe.data.fit,
        skip_unreadable=skip_unreadable,
        progress=progress,
        cache=_cache(recipe, cache or PixelCache(default_cache_folder())),
    )


def look_alikes(pixels: Pixels, recipe: Recipe, progress: Progress | None = None) -> LookAlikes:
    """Find the images that a draw keeps together, as ``data.keep_together`` asks, and report how many there are."""
    found = find_look_alikes(pixels, exact_only=recipe.data.keep_together == "copies", progress=progress)
    exact = sum(len(rows) - 1 for rows in found.contents)
    if exact or found.likenesses:
        _log.info(
            f"{exact} images repeat the pixels of another and {len(found.likenesses)} pairs of images look the same; "
            f"draws keep them together"
            + (" (only the first with `data.keep_together=copies`)" if found.likenesses else "")
        )
    return found


def repeated_images(collection: ImageCollection, alike: LookAlikes) -> dict[str, Any]:
    """Describe images that show the same in several splits or with different labels, for ``dataset.json``.

    Args:
        collection: Images with their splits.
        alike: Which of them show the same.
    """
    exact, near = alike.exact(collection), alike.near(collection)
    leaked = alike.rows_with_copy(collection, "test", "train")
    if len(leaked):
        count = len(collection.rows("test"))
        _log.info(
            f"{len(leaked)} of {count} test images ({len(leaked) / count:.1%}) show the same as a training image, "
            f"because the split of {collection.data} separates them; the report also gives the metrics without them"
        )
    return {
        "across_splits": sum(one.crosses_splits for one in exact),
        "look_alikes_across_splits": None if alike.exact_only else sum(one.crosses_splits for one in near),
        "different_labels": sum(one.labels_conflict for one in (*exact, *near)),
        "examples": [one.text for one in (*exact, *near) if one.crosses_splits or one.labels_conflict][:10],
        "test_images_with_copy_in_training": collection.table["id"].iloc[leaked].tolist(),
    }


def _check_varies_in_masks(pixels: Pixels, rows: np.ndarray, sample: int = 32) -> None:
    """Refuse images that normalisation inside their mask would turn entirely black."""
    if not MaskedNormalize()(pixels.read(rows[:sample]).float() / 255).any():
        raise InputError(
            "data.normalization=masked needs intensities that vary where images are not black, the training images "
            "have one value there (they are masks themselves); use data.normalization=dataset"
        )


def _normalized_by(
    recipe: Recipe, network: TimmNetwork | None, pixels: Pixels, rows: np.ndarray
) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel that images are normalised by; ``rows`` are the training images."""
    if recipe.data.normalization == "none":
        return [0.0] * recipe.data.channels, [1.0] * recipe.data.channels
    if recipe.backbone.from_run is not None:
        # The network has learned from images normalised in this way.
        first = DatasetFacts.load(Run.of(recipe.backbone.from_run))
        return first.mean, first.standard_deviation
    known = None
    if recipe.backbone.weights != "none" and network is not None:
        known = network.statistics(recipe.data.channels)
    return known or channel_statistics(pixels, rows)


def channel_statistics(pixels: Pixels, rows: np.ndarray, chunk: int = 512) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel over the given images, values in [0, 1].

    The sums are exact integers, so the result does not depend on the size of a chunk.
    """
    total = torch.zeros(pixels.channels, dtype=torch.int64)
    squares = torch.zeros(pixels.channels, dtype=torch.int64)
    count = 0
    for start in range(0, len(rows), chunk):
        images = pixels.read(rows[start : start + chunk]).to(torch.int32)
        # One long row per channel, for images and volumes alike.
        values = images.movedim(1, 0).flatten(1)
        total += values.sum(dim=1)
        squares += values.square().sum(dim=1)
        count += values.shape[1]
    mean = total.double() / count
    variance = (squares.double() / count - mean.square()).clamp(min=0.0)
    # A channel that never varies carries no information; dividing by 1 keeps it finite.
    deviation = torch.where(variance > 0, variance.sqrt(), torch.tensor(255.0, dtype=torch.float64))
    return (mean / 255).tolist(), (deviation / 255).tolist()
