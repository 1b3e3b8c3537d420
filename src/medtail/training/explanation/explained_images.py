"""From images and what was decided of them to heat maps and pictures."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import final

import numpy as np
import pandas as pd
import torch

from medtail.data import Pixels
from medtail.data.formats.image_files import without_extension
from medtail.runs.stored_files import digest_of
from medtail.training.devices import device
from medtail.training.explanation.heat_maps import GRAD_CAM, check_heat_map, heat_maps
from medtail.training.explanation.pictures import Explained, write_picture
from medtail.training.inference.trained_model import TrainedModel

#: Pictures of images with many labels would be too wide.
_MOST_CLASSES = 4


def explain_rows(
    model: TrainedModel,
    pixels: Pixels,
    rows: np.ndarray,
    classes: Sequence[Sequence[int]],
    probabilities: np.ndarray,
    write: Callable[[int, np.ndarray, list[Explained]], None],
    *,
    heat_map: str = GRAD_CAM,
) -> None:
    """Compute heat maps of images in batches, and hand them over one by one.

    Args:
        model: A finished run.
        pixels: Decoded images.
        rows: Which of them.
        classes: Ids of the classes to explain, at least one of each image.
        probabilities: ``(len(rows), C)``.
        write: Called with the place in ``rows``, the image in [0, 1] ``(channels, H, W)`` as the network sees it, and
            what was explained.
        heat_map: As in :func:`medtail.training.explanation.heat_maps.heat_maps`.
    """
    names, batch_size = model.facts.class_names, model.recipe.training.batch_size
    for start in range(0, len(rows), batch_size):
        places = list(range(start, min(start + batch_size, len(rows))))
        batch = pixels.read(rows[places]).to(device())
        with torch.no_grad():
            prepared, seen = model.preparation(batch), model.preparation.augmented(batch).cpu().numpy()
        owners = np.repeat(np.arange(len(places)), [len(classes[place]) for place in places])
        ids = np.concatenate([np.asarray(classes[place], dtype=np.int64) for place in places])
        heats = heat_maps(model.method, prepared[torch.from_numpy(owners)], ids, heat_map=heat_map)
        for own, place in enumerate(places):
            explained = [
                Explained(names[class_id], float(probabilities[place, class_id]), heat)
                for class_id, heat in zip(ids[owners == own], heats[owners == own], strict=True)
            ]
            write(place, seen[own], explained)


@final
class ExplainedImages:
    """A folder with one picture per predicted image: the image, and what its decision rests on.

    With several labels per image, the labels that were decided to be present are explained (the four most probable
    ones), or the most probable label if there is none.

    Args:
        folder: Where the pictures go; it is made when the first is written.
        heat_map: As in :func:`medtail.training.explanation.heat_maps.heat_maps`.

    Raises:
        InputError: The heat map is unknown, or grad-cam is missing.
    """

    def __init__(self, folder: Path, heat_map: str = GRAD_CAM) -> None:
        check_heat_map(heat_map)
        self.folder = folder
        self.heat_map = heat_map
        self._names: dict[str, str] = {}

    def name_pictures(self, images: Sequence[str]) -> None:
        """Choose the names of all pictures, which depend on each other: two images may be called alike."""
        self._names = picture_names(images)

    def write(self, model: TrainedModel, pixels: Pixels, table: pd.DataFrame) -> None:
        """Write the pictures of one part of the images.

        Args:
            model: Predicted them.
            pixels: Of the images; the readable ones are the rows of the table.
            table: As ``predict`` returns it.
        """
        names = model.facts.class_names
        probabilities = table[[f"probability_{name}" for name in names]].to_numpy()
        images = table["image"].tolist()

        def write(place: int, image: np.ndarray, explained: list[Explained]) -> None:
            name = images[place]
            path = self.folder / f"{self._names[name]}.png"
            write_picture(path, image, PurePath(name).name, explained)

        explain_rows(
            model,
            pixels,
            pixels.readable_rows,
            _decided_classes(table, names),
            probabilities,
            write,
            heat_map=self.heat_map,
        )


def _decided_classes(table: pd.DataFrame, names: Sequence[str]) -> list[list[int]]:
    """The classes that each row decided for, most probable first."""
    if "decision" in table:
        id_of = {name: class_id for class_id, name in enumerate(names)}
        return [[id_of[name]] for name in table["decision"]]
    decided = table[[f"decision_{name}" for name in names]].to_numpy() == 1
    order = np.argsort(-table[[f"probability_{name}" for name in names]].to_numpy(), axis=1, kind="stable")
    present = [[int(one) for one in row if own[one]] for row, own in zip(order, decided, strict=True)]
    return [own[:_MOST_CLASSES] or [int(row[0])] for row, own in zip(order, present, strict=True)]


def picture_names(images: Sequence[str]) -> dict[str, str]:
    """Return a name for the picture of each image: that of its file; a hash of its path follows where two share one.

    Example:
        >>> picture_names(["scans/a.png", "scans/b.png"])
        {'scans/a.png': 'a', 'scans/b.png': 'b'}
        >>> len(set(picture_names(["left/a.png", "right/a.png"]).values()))
        2
    """
    stems = {name: without_extension(PurePath(name).name) or "image" for name in images}
    # Some file systems take a.png and A.png for one file.
    shared = Counter(stem.casefold() for stem in stems.values())
    return {
        name: stem if shared[stem.casefold()] == 1 else f"{stem}_{digest_of({'image': name})[:8]}"
        for name, stem in stems.items()
    }
