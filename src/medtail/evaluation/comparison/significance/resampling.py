"""Balanced accuracy of every run on the same resamples of patients, counted once for all runs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medtail import metrics
from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.metrics.undefined import ratio

RESAMPLES = 1000


def resampled_balanced_accuracy(judged: Sequence[JudgedRun]) -> np.ndarray:
    """Return balanced accuracy on each resample ``(resamples, runs)``.

    Where splits differ between seeds, the images of all test splits are resampled together, so that an image counts
    equally often in each of them.
    """
    images = pd.concat([_units(run) for run in judged])
    images = images[~images.index.duplicated()].sort_index(kind="stable")
    # Runs of one split share their images, and so the weights that a resample gives these.
    of_split: dict[tuple[bytes, bytes], list[int]] = {}
    for number, run in enumerate(judged):
        key = (run.predictions.ids.astype("U").tobytes(), run.predictions.targets.tobytes())
        of_split.setdefault(key, []).append(number)
    parts = [_Split([judged[number] for number in numbers], images.index) for numbers in of_split.values()]
    order = np.argsort([number for numbers in of_split.values() for number in numbers])
    drawn = metrics.bootstrap(
        lambda weights: np.concatenate([part.balanced_accuracy(weights) for part in parts], axis=1),
        images.to_numpy(),
        resamples=RESAMPLES,
    )
    return drawn[:, order]


class _Split:
    """The runs that were judged on the same images."""

    def __init__(self, runs: Sequence[JudgedRun], images: "pd.Index[str]") -> None:
        first = runs[0].predictions
        self._place = images.get_indexer(pd.Index(first.ids))
        self._balanced = first.balanced
        each = zip(*(run.predictions.decided_right() for run in runs), strict=True)
        #: The images of each recall, and which of them each run decided right ``(n, runs)``.
        self._recalls = [
            (same[0][0], np.stack([right for _, right in same], axis=1).astype(np.float64)) for same in each
        ]

    def balanced_accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Return balanced accuracy ``(R, runs)`` of weighted images ``(N, R)``."""
        own = weights[self._place]
        recalls = [
            ratio(own[rows].T @ right, own[rows].sum(axis=0)[:, None]) for rows, right in self._recalls
        ]
        return self._balanced(np.stack(recalls, axis=-1))


def _units(run: JudgedRun) -> "pd.Series[str]":
    """What a bootstrap draws, by the image."""
    predictions = run.predictions
    return pd.Series(
        predictions.ids if predictions.groups is None else predictions.groups,
        index=predictions.ids,
        dtype=str,
    )
