"""An image beside its heat maps, as a picture."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from medtail.files import replacing

#: Inches of one panel and of its title; dots per inch.
_PANEL, _TITLE, _RESOLUTION = 2.6, 0.3, 110

_PLANES = ("slice", "row", "column")


@final
@dataclass(frozen=True)
class Explained:
    """A class, and where the evidence for it lies.

    Attributes:
        name: Of the class.
        probability: That the model gives it.
        heat: Values in [0, 1] of each place, ``(H, W)`` or ``(D, H, W)``.
    """

    name: str
    probability: float
    heat: np.ndarray

    @property
    def title(self) -> str:
        """The class and its probability, and whether nothing speaks for it."""
        return f"{self.name} {self.probability:.2f}" + ("" if self.heat.any() else " (no evidence)")


def write_picture(path: Path, image: np.ndarray, title: str, explained: Sequence[Explained]) -> None:
    """Write a PNG file: an image, then the same image under each heat map, transparent where nothing speaks.

    Of a volume, the three planes through its hottest voxel are drawn, one per row.

    Args:
        path: The file.
        image: As the network saw it, before normalisation: values in [0, 1], ``(channels, H, W)`` or
            ``(channels, D, H, W)``. Of other than three channels the first is drawn.
        title: Of the image.
        explained: At least one.
    """
    # A figure needs Matplotlib, which predicting need not wait for.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    planes = _planes(image, [each.heat for each in explained])
    columns = len(explained) + 1
    size = (_PANEL * columns, (_PANEL + _TITLE) * len(planes))
    with mpl.rc_context({"text.parse_math": False, "font.size": 9.0}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(planes), columns, squeeze=False)
        for row, (place, shown, heats) in zip(panels, planes, strict=True):
            titles = [title, *(each.title for each in explained)]
            for panel, heading in zip(row, titles, strict=True):
                panel.imshow(shown, cmap="gray", vmin=0, vmax=1)
                panel.set_title(_shortened(heading + place))
                panel.set_axis_off()
            for panel, heat in zip(row[1:], heats, strict=True):
                panel.imshow(heat, cmap="turbo", vmin=0, vmax=1, alpha=0.6 * np.sqrt(heat))
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=_RESOLUTION)


def _planes(image: np.ndarray, heats: Sequence[np.ndarray]) -> list[tuple[str, np.ndarray, list[np.ndarray]]]:
    """The planes to draw: where each lies, its pixels ``(H, W)`` or ``(H, W, 3)``, its part of each heat map."""
    pixels = np.moveaxis(image if len(image) == 3 else image[:1], 0, -1)
    if image.ndim == 3:
        return [("", pixels, list(heats))]
    hottest = np.unravel_index(int(np.argmax(heats[0])), heats[0].shape)
    return [
        (
            f", {name} {place + 1}",
            pixels.take(place, axis=axis),
            [heat.take(place, axis=axis) for heat in heats],
        )
        for axis, (name, place) in enumerate(zip(_PLANES, map(int, hottest), strict=True))
    ]


def _shortened(title: str, length: int = 34) -> str:
    return title if len(title) <= length else f"{title[: length // 2 - 1]}…{title[-length // 2 :]}"
