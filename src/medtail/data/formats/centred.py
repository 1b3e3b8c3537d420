"""Images moved so that what a mask marks is in their middle."""

from pathlib import Path
from typing import final

import numpy as np

from medtail.data.formats.grey_windows import GreyWindow
from medtail.data.formats.image_files import ImageFiles
from medtail.data.formats.sources import ImageForm, ImageSource, UnreadableImageError


@final
class CentredOnMasks(ImageSource):
    """Images or volumes, each moved so that the centre of mass of its mask becomes its centre.

    Sizes stay: what leaves at one side is lost, and black comes in at the other, so that ``data.fit: crop`` takes the
    part about the mask. All that is not 0 in a mask is marked, whatever its value.

    Args:
        source: The images.
        masks: One mask per image, of the same pixels.

    Source: Scholz et al. (2024, B.1.1), who crop 96³ about the centre of mass of the tumour.
    """

    def __init__(self, source: ImageSource, masks: ImageFiles) -> None:
        self.source = source
        self.masks = masks
        self.max_pixels = source.max_pixels
        self.window = source.window
        self.channel_names = source.channel_names

    def __len__(self) -> int:
        return len(self.source)

    def read(self, row: int, *, at_least: int = 0) -> np.ndarray:
        # A mask is of all pixels.
        image, mask = self.source.read(row), self.masks.mask(row)
        name = str(self.masks.paths[row])
        if image.shape[:-1] != mask.shape:
            sides = (" x ".join(map(str, shape)) for shape in (mask.shape, image.shape[:-1]))
            raise UnreadableImageError(
                name, "is a mask of {} where its image has {} (resample it to the image)".format(*sides)
            )
        if not mask.any():
            raise UnreadableImageError(name, "is a mask that marks nothing")
        centre = np.argwhere(mask).mean(axis=0)
        return _moved(
            image, [side // 2 - round(place) for side, place in zip(mask.shape, centre, strict=True)]
        )

    def deep_greys(self, row: int) -> np.ndarray | None:
        return self.source.deep_greys(row)

    def form(self, row: int) -> ImageForm:
        return self.source.form(row)

    def files(self, row: int) -> tuple[Path, ...]:
        return (*self.source.files(row), *self.masks.files(row))

    def select(self, rows: np.ndarray) -> "CentredOnMasks":
        return CentredOnMasks(self.source.select(rows), self.masks.select(rows))

    def limited(self, max_pixels: int) -> "CentredOnMasks":
        return CentredOnMasks(self.source.limited(max_pixels), self.masks.limited(max_pixels))

    def windowed(self, window: GreyWindow) -> "CentredOnMasks":
        return CentredOnMasks(self.source.windowed(window), self.masks)


def _moved(image: np.ndarray, steps: list[int]) -> np.ndarray:
    """Move the content by this many pixels along each axis, with black from outside."""
    moved = np.zeros_like(image)
    into = tuple(
        slice(max(step, 0), side + min(step, 0)) for step, side in zip(steps, image.shape, strict=False)
    )
    out_of = tuple(
        slice(max(-step, 0), side - max(step, 0)) for step, side in zip(steps, image.shape, strict=False)
    )
    moved[into] = image[out_of]
    return moved
