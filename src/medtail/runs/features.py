"""The features that a run keeps of its test images: where each image lies in the space that the last layer reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from medtail.errors import InputError
from medtail.metrics import angles_to_centres
from medtail.runs.run import Run
from medtail.runs.stored_files import damaged, read_arrays, write_arrays

#: The most numbers that a run keeps: 128 MiB in float32, such as 16,384 images with 2,048 features each.
MOST_VALUES = 2**25


@final
@dataclass(frozen=True)
class SavedFeatures:
    """The input of the last layer for N test images, in float32.

    Attributes:
        ids: Names of the images ``(N,)``.
        targets: True class ids ``(N,)``; with several labels per image 0/1 ``(N, C)``, NaN where unknown.
        features: ``(N, E)`` float32.
        centres: The last layer's weights ``(C, E)`` float32, one direction per class; None if the method has none.
    """

    ids: np.ndarray
    targets: np.ndarray
    features: np.ndarray
    centres: np.ndarray | None

    def thinned(self, most_values: int = MOST_VALUES) -> "SavedFeatures":
        """Return at most ``most_values`` numbers: images of the most frequent classes are left out first.

        As many images are kept of each class, as far as it has them, so that rare classes stay whole; which ones is
        drawn with a fixed seed. With several labels per image, they are drawn from all images alike.

        Example:
            >>> features = np.zeros((10, 2), dtype=np.float32)
            >>> saved = SavedFeatures(np.arange(10), np.array([0] * 8 + [1] * 2), features, None)
            >>> np.bincount(saved.thinned(12).targets).tolist()
            [4, 2]
        """
        most = max(1, most_values // max(1, self.features.shape[1]))
        if len(self.features) <= most:
            return self
        order = np.random.default_rng(0).permutation(len(self.features))
        if self.targets.ndim == 1:
            # The rank of each image in its class: the k-th images of all classes come before any k + 1-th.
            order = order[np.argsort(_ranks(self.targets[order]), kind="stable")]
        rows = np.sort(order[:most])
        return SavedFeatures(self.ids[rows], self.targets[rows], self.features[rows], self.centres)

    def write(self, path: Path) -> None:
        """Write the arrays by their names, ``centres`` only if there are any."""
        arrays = {"ids": self.ids, "targets": self.targets, "features": self.features.astype(np.float32)}
        if self.centres is not None:
            arrays["centres"] = self.centres.astype(np.float32)
        write_arrays(path, arrays)

    @classmethod
    def read(cls, run: Run) -> "SavedFeatures":
        """Read what a run kept of its test split.

        Raises:
            InputError: The run keeps none, the file is damaged, or its arrays do not fit each other.
        """
        path = run.features
        if not path.is_file():
            raise InputError(
                f"{run.folder} keeps no features of its test images, which earlier versions did not save for every "
                f"head; train it again"
            )
        # Runs of earlier versions kept no ids.
        arrays = read_arrays(path, ("features", "targets"), ("ids", "centres"))
        features, targets, centres = arrays["features"], arrays["targets"], arrays.get("centres")
        ids = arrays.get("ids", np.arange(len(targets)).astype(str))
        if features.ndim != 2 or not len(ids) == len(targets) == len(features):
            raise damaged(
                path,
                f"must hold one row of features, one target and one id per image, but holds {len(features)} rows, "
                f"{len(targets)} targets and {len(ids)} ids",
            )
        if centres is not None and (centres.ndim != 2 or centres.shape[1] != features.shape[1]):
            raise damaged(
                path, f"must hold centres of {features.shape[1]} numbers, but they have shape {centres.shape}"
            )
        if not np.isfinite(features).all() or (centres is not None and not np.isfinite(centres).all()):
            raise damaged(path, "holds features that are not finite")
        return cls(ids, targets, features, centres)

    def own_angles(self) -> np.ndarray:
        """Return the angle in radians of each image to the centre of its own class ``(N,)`` (DBM Fig. 4).

        NaN for images whose features are all zero, which have no direction, and where there are no centres.
        """
        own = np.full(len(self.targets), np.nan)
        if self.centres is not None:
            rows = np.flatnonzero(np.linalg.norm(self.features, axis=1) > 0)
            own[rows] = angles_to_centres(self.features[rows], self.centres)[
                np.arange(len(rows)), self.targets[rows]
            ]
        return own


def _ranks(values: np.ndarray) -> np.ndarray:
    """How often each value came before."""
    order = np.argsort(values, kind="stable")
    _, starts, counts = np.unique(values[order], return_index=True, return_counts=True)
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values)) - np.repeat(starts, counts)
    return ranks
