"""Images without labels, from files or from memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from medtail.data import ImageCollection, ImageFiles, ImageSource, image_paths
from medtail.data.formats.grey_windows import WholeRange
from medtail.data.formats.pictures import picture_pixels
from medtail.data.formats.sources import ImageList
from medtail.errors import InputError
from medtail.inference.cases import find_cases
from medtail.naming import listing
from medtail.runs.facts import DatasetFacts


def image_files(facts: DatasetFacts, paths: Sequence[Path]) -> ImageCollection:
    """Find images, or cases of several sequences.

    Args:
        facts: Of the run that will predict them.
        paths: Files and folders. For a model of volumes, a folder of DICOM slices is one image. For a model of several
            sequences per case, folders and tables of cases (:func:`medtail.inference.cases.find_cases`).

    Raises:
        InputError: A path is missing, or a folder holds no image.
    """
    source: ImageSource
    if facts.sequences is None:
        source = ImageFiles(image_paths(paths, volumes=facts.dimensions == 3))
        ids = [str(path) for path in source.paths]
    else:
        source = find_cases(paths, facts.sequences, volumes=facts.dimensions == 3)
        ids = source.names
    return _unlabelled(facts, source, ids)


def images_in_memory(facts: DatasetFacts, images: Sequence[Any] | np.ndarray) -> ImageCollection:
    """Take decoded images; their names are their positions.

    Args:
        facts: Of the run that will predict them.
        images: Arrays of uint8, ``(H, W)`` or ``(H, W, channels)``, for volumes ``(D, H, W)`` or
            ``(D, H, W, channels)``, of any sizes; or pictures that Pillow opened.

    Raises:
        InputError: There is no image, or one has another type or shape.
    """
    if not len(images):
        raise InputError("images must be at least one, got none; give a list of arrays")
    source = ImageList([_pixels(image, facts, number) for number, image in enumerate(images)])
    return _unlabelled(facts, source, [str(number) for number in range(len(source))])


def _pixels(image: Any, facts: DatasetFacts, number: int) -> np.ndarray:
    if isinstance(image, Image.Image):
        return picture_pixels(ImageOps.exif_transpose(image), WholeRange())
    pixels = np.asarray(image)
    if pixels.ndim == facts.dimensions:
        pixels = pixels[..., None]
    # Only grey and colour are converted to each other.
    channels = (1, 3) if facts.channels in (1, 3) else (facts.channels,)
    fits = pixels.ndim == facts.dimensions + 1 and pixels.shape[-1] in channels
    if pixels.dtype != np.uint8 or not fits or not pixels.size:
        space = "H, W" if facts.dimensions == 2 else "D, H, W"
        shapes = " or ".join(f"({space}, {count})" for count in channels)
        raise InputError(
            f"images must be uint8 arrays (0 to 255) of shape {shapes}, but image {number} is {pixels.dtype} of shape "
            f"{np.shape(image)}; scale, convert or transpose it"
        )
    return pixels


def _unlabelled(facts: DatasetFacts, source: ImageSource, ids: Sequence[str]) -> ImageCollection:
    return ImageCollection(
        name="new images",
        data=listing(ids, most=3),
        table=pd.DataFrame({"id": ids}),
        class_names=tuple(facts.class_names),
        source=source,
        group_column=None,
    )
