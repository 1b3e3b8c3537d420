"""How typical an image is of those that a model was chosen on: a hint, not a verdict, for images of another kind."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

from medtail.runs.run import Run
from medtail.runs.stored_files import damaged, read_arrays, write_arrays

#: From this atypicality on, an image counts as unlike the validation images; so do 5 % of these themselves.
UNLIKE = 0.95

#: With fewer validation images, the farthest of them mean nothing.
FEWEST = 50

#: Images that the distances are learned from; more would not change them.
_MOST = 1000

#: Directions of greatest variance that have a variance of their own; all others share one.
_COMPONENTS = 64

_FOLDS = 5

#: Cells of the thumbnail along each side.
_CELLS = 4


def described(features: Tensor, images: Tensor) -> np.ndarray:
    """Return what typicality is judged by ``(N, E)``: features of the network, and what it may have learned to ignore.

    A network that tells naevi from melanomas may give blood cells the features of a naevus; the colours, the contrast
    and a thumbnail tell them apart.

    Args:
        features: The backbone's ``(N, D)``.
        images: The same images ``(N, channels, …)``, uint8.
    """
    pixels = images.float() / 255
    flat = pixels.flatten(2)
    steps = (pixels[..., 1:] - pixels[..., :-1]).abs().flatten(2).mean(2)
    pool = adaptive_avg_pool3d if pixels.ndim == 5 else adaptive_avg_pool2d
    parts = [features, flat.mean(2), flat.std(2), steps, pool(pixels, _CELLS).flatten(1)]
    joined: np.ndarray = torch.cat([part.double() for part in parts], dim=1).numpy()
    return joined


@final
@dataclass(frozen=True)
class Typicality:
    """Distances to the centre of the validation images, in units of their spread.

    The distance of an image is Mahalanobis', with the covariance of probabilistic principal component analysis
    (Tipping and Bishop 1999): d² = Σ_k z_k² / v_k + r² / v_0, where z_k are the first components of the standardised
    description, v_k their variances, r what they leave of it and v_0 its variance per direction.

    Attributes:
        mean: Of the descriptions ``(E,)``.
        scale: Their standard deviations ``(E,)``.
        components: Orthonormal ``(K, E)``.
        variances: v_k ``(K,)``.
        rest: v_0 ``()``.
        reference: Distances of validation images, each by the others' centre and spread, ascending.
        test_share: The share of the run's own test images that are unlike validation ``()``.
    """

    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    rest: np.ndarray
    reference: np.ndarray
    test_share: np.ndarray

    @classmethod
    def fit(cls, validation: np.ndarray, groups: np.ndarray | None, test: np.ndarray) -> "Typicality | None":
        """Learn centre and spread from descriptions of the validation images.

        Args:
            validation: ``(N, E)``.
            groups: Patient or lesion of each ``(N,)``; images of one are never judged by each other.
            test: Descriptions of the test images, which have no part in it.

        Returns:
            None with fewer than 50 validation images.
        """
        from sklearn.model_selection import GroupKFold

        if len(validation) < FEWEST:
            return None
        rows = np.linspace(0, len(validation) - 1, min(len(validation), _MOST)).astype(int)
        known = validation[rows]
        units = rows if groups is None else groups[rows]
        if len(np.unique(units)) < _FOLDS:
            units = rows
        components = min(_COMPONENTS, len(known) // 5, known.shape[1] - 1)
        reference = np.empty(len(known))
        for others, held_out in GroupKFold(_FOLDS).split(known, groups=units):
            reference[held_out] = _distances(_moments(known[others], components), known[held_out])
        fitted = cls(**_moments(known, components), reference=np.sort(reference), test_share=np.zeros(()))
        return replace(fitted, test_share=np.asarray(np.mean(fitted.atypicality(test) >= UNLIKE)))

    def atypicality(self, descriptions: np.ndarray) -> np.ndarray:
        """Return the share of validation images that lie nearer to their centre than each image ``(N,)``."""
        moments = {name: getattr(self, name) for name in ("mean", "scale", "components", "variances", "rest")}
        ranks = np.searchsorted(self.reference, _distances(moments, descriptions), side="left")
        shares: np.ndarray = ranks / len(self.reference)
        return shares

    def write(self, run: Run) -> None:
        """Write ``features/typicality.npz``."""
        write_arrays(run.typicality, vars(self))

    @classmethod
    def read(cls, run: Run) -> "Typicality | None":
        """Read what :meth:`write` saved; None for runs that have none.

        Raises:
            InputError: The file is damaged.
        """
        if not run.typicality.is_file():
            return None
        arrays = read_arrays(run.typicality, [field.name for field in fields(cls)])
        if not all(np.isfinite(values).all() for values in arrays.values()):
            raise damaged(run.typicality, "holds values that are not finite")
        return cls(**arrays)


def _moments(descriptions: np.ndarray, components: int) -> dict[str, np.ndarray]:
    """The centre, and the spread along the first components and along all others."""
    from sklearn.decomposition import PCA

    mean, scale = descriptions.mean(axis=0), descriptions.std(axis=0)
    # What is constant in validation, such as a black corner, must not turn noise into distance.
    scale = np.maximum(scale, 1e-3 * max(float(scale.max()), 1e-12))
    standard = (descriptions - mean) / scale
    found = PCA(components, random_state=0).fit(standard)
    # Not PCA's own noise variance, which assumes fewer directions where images are fewer than these.
    left = standard.var(axis=0).sum() - found.explained_variance_.sum()
    return {
        "mean": mean,
        "scale": scale,
        "components": found.components_,
        "variances": np.maximum(found.explained_variance_, 1e-9),
        "rest": np.asarray(max(float(left) / (standard.shape[1] - components), 1e-9)),
    }


def _distances(moments: Mapping[str, np.ndarray], descriptions: np.ndarray) -> np.ndarray:
    standard = (descriptions - moments["mean"]) / moments["scale"]
    along = standard @ moments["components"].T
    left = (standard**2).sum(axis=1) - (along**2).sum(axis=1)
    squared = (along**2 / moments["variances"]).sum(axis=1) + left / moments["rest"]
    distances: np.ndarray = np.sqrt(np.maximum(squared, 0.0))
    return distances
