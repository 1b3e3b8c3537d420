"""Classes whose posterior is known: Gaussians with unit variance and given means."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GaussianClasses:
    """Means ``(C, D)``; the posterior at any prior is closed."""

    means: np.ndarray

    def draw(self, counts, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Targets ``(N,)`` and points ``(N, D)``, this many of each class."""
        targets = np.repeat(np.arange(len(counts)), counts)
        return targets, self.means[targets] + generator.normal(size=(len(targets), self.means.shape[1]))

    def posterior(self, points: np.ndarray, prior) -> np.ndarray:
        """P(class | point) ``(N, C)``, class by class."""
        likelihoods = np.stack(
            [np.exp(-0.5 * ((points - mean) ** 2).sum(axis=1)) for mean in self.means], axis=1
        )
        joint = likelihoods * np.asarray(prior)
        return joint / joint.sum(axis=1, keepdims=True)


TWO = GaussianClasses(np.array([[0.0], [1.5]]))
THREE = GaussianClasses(np.array([[0.0, 0.0], [1.8, 0.0], [0.6, 1.6]]))
