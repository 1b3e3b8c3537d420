"""Whether an exported file gives what its runs give, on images of theirs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Self, final

import numpy as np

from medtail.data import Pixels
from medtail.data.collection_images import own_collection
from medtail.errors import InputError
from medtail.methods import Condition
from medtail.operating_point import OperatingPoint
from medtail.progress import Progress
from medtail.runs.label_predictions import THRESHOLD, read_predictions
from medtail.runs.run import Run
from medtail.serving.export.formats import Loaded
from medtail.training.inference import TrainedModel

#: Images that are compared at most, and how many at a time.
_MOST_IMAGES = 512
_BATCH = 32


@final
@dataclass(frozen=True)
class Images:
    """Images of a run that a file is compared on.

    Attributes:
        split: The split they are from.
        ids: Their ids.
        pixels: As decoded for the run, row by row.
    """

    split: str
    ids: np.ndarray
    pixels: Pixels

    @classmethod
    def of(cls, model: TrainedModel, run: Run, data: str | None, progress: Progress | None) -> Self:
        """Return validation images, or training images of a run without validation; 512 of them at most.

        Raises:
            InputError: The data are not at hand.
        """
        split = "validation" if model.facts.has_validation else "train"
        splits = run.read_splits()
        known = splits["id"][splits["split"] == split]
        try:
            collection = own_collection(run, data)
        except (InputError, OSError) as error:
            raise InputError(
                f"`data` must be the images of {run.folder}, on which the exported file is checked, but they cannot be "
                f"opened ({error}); say where they are now"
            ) from error
        rows = np.flatnonzero(collection.table["id"].astype(str).isin(known))
        if not len(rows):
            raise InputError(
                f"`data` must hold {split} images of {run.folder}, on which the exported file is checked, but "
                f"{collection.data} holds none of them; say where they are now"
            )
        # Spread evenly, so that every class of sorted data is there.
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, _MOST_IMAGES).astype(int))]
        collection = collection.select(chosen)
        ids = collection.table["id"].to_numpy(dtype=str)
        return cls(split, ids, model.read_pixels(collection, progress=progress))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rows(self) -> np.ndarray:
        """Every row of the pixels."""
        return np.arange(len(self))


@final
@dataclass(frozen=True)
class Agreement:
    """How the outputs of a file differ from those of its runs.

    Attributes:
        split: The split that was compared.
        images: How many images of it.
        difference: The largest difference of a probability from the runs', over all λ that were compared.
        decisions: How many decisions differ from the runs', of all images and λ: a probability on a threshold may be
            rounded to either side.
        saved_difference: The largest difference from the saved predictions, which older versions computed in the
            precision of training; None where none were saved for this file.
    """

    split: str
    images: int
    difference: float
    decisions: int
    saved_difference: float | None


def compare(
    loaded: Loaded,
    models: Sequence[TrainedModel],
    point: OperatingPoint | None,
    condition: Condition | None,
    images: Images,
) -> Agreement:
    """Compare a file with the runs that it was made from.

    Args:
        loaded: The file.
        models: The runs.
        point: What decides; None for several labels per image.
        condition: λ that the file is best used at; None if it has no such input. The ends of the densities that λ was
            drawn from are compared too.
        images: Images of the first run.
    """
    difference, decisions = 0.0, 0
    at_best = np.empty(0)
    for number, place in enumerate(_conditions(models[0], condition)):
        probabilities, decided, *_ = _outputs(loaded, images, place)
        expected, expected_decisions = _expected(models, point, place, images)
        # NaN must not pass for no difference.
        difference = float(np.maximum(difference, np.abs(probabilities - expected).max()))
        decisions += int((decided != expected_decisions).sum())
        at_best = probabilities if number == 0 else at_best
    saved = _saved(models, point, condition, images)
    saved_difference = None if saved is None else float(np.abs(at_best - saved).max())
    return Agreement(images.split, len(images), difference, decisions, saved_difference)


def condition_array(condition: Condition) -> np.ndarray:
    """Return λ as the input of a file ``(L,)``."""
    return np.array(list(condition.values()), dtype=np.float32)


def _conditions(model: TrainedModel, best: Condition | None) -> list[Condition | None]:
    conditional = model.method.conditional
    if best is None or conditional is None:
        return [None]
    ends = [(density.low, density.high) for density in conditional.distributions.values()]
    return [best, *(dict(zip(conditional.distributions, values, strict=True)) for values in product(*ends))]


def _outputs(loaded: Loaded, images: Images, condition: Condition | None) -> list[np.ndarray]:
    """The outputs of the file, from batches of 1 and of more images."""
    more = [] if condition is None else [condition_array(condition)]
    bounds = [0, *range(1, len(images), _BATCH), len(images)]
    parts = [
        loaded([images.pixels.read(images.rows[start:end]).numpy(), *more])
        for start, end in pairwise(bounds)
        if end > start
    ]
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def _expected(
    models: Sequence[TrainedModel], point: OperatingPoint | None, condition: Condition | None, images: Images
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and decisions of the runs, computed as ``predict`` does."""
    probabilities = np.mean(
        [model.at(condition).probabilities(images.pixels, images.rows) for model in models], axis=0
    )
    if point is None:
        return probabilities, (probabilities >= THRESHOLD).astype(np.int64)
    return point.apply(probabilities), point.decide(probabilities)


def _saved(
    models: Sequence[TrainedModel], point: OperatingPoint | None, condition: Condition | None, images: Images
) -> np.ndarray | None:
    """The saved probabilities of the same images, with the operating point; None if there are none."""
    own: Mapping[str, float] | None = models[0].recipe.method.condition
    run = models[0].run
    if len(models) > 1 or run is None or images.split != "validation" or condition != own:
        return None
    predictions = read_predictions(run.require(run.predictions("validation")))
    row_of = {name: row for row, name in enumerate(predictions.ids)}
    probabilities = predictions.probabilities[[row_of[name] for name in images.ids]]
    return probabilities if point is None else point.apply(probabilities)
