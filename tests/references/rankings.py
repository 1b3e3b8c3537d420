"""How well saved predictions keep the order of images, as a table: Bayes-optimal scores at τ and imbalance β.

    PYTHONPATH=tests python tests/references/rankings.py

prints the table of docs/metrics.md, which a test compares with it.
"""

from dataclasses import dataclass

import numpy as np
import torch

from medtail import metrics
from medtail.losses import LogitAdjustedLoss
from medtail.runs.predictions import Predictions

TAUS = (0.0, 1.0, 2.0, 3.0, 4.0)
RATIOS = (50, 100, 200)

#: Distance of the two Gaussians in standard deviations: an AUC of 0.934.
DISTANCE = 2.13


@dataclass(frozen=True)
class Ranking:
    """What is left of the order of 20,000 images, half of each class.

    Attributes:
        ones: Share of the images whose probability, in float32, is exactly 1.
        true: AUC and average precision of the log-likelihood ratio, in float64.
        rounded: The same of probabilities in float32.
        saved: The same of saved predictions.
    """

    ones: float
    true: tuple[float, float]
    rounded: tuple[float, float]
    saved: tuple[float, float]


def measure(tau: float, ratio: int) -> Ranking:
    """Rank images by the scores that logit adjustment with τ leads to: they stand for the prior π^(1-τ)."""
    generator = np.random.default_rng(0)
    targets = np.repeat([0, 1], 10_000)
    points = generator.normal(size=len(targets)) + DISTANCE * targets
    evidence = DISTANCE * points - DISTANCE**2 / 2
    outputs = np.stack([np.zeros(len(targets)), evidence - (1 - tau) * np.log(ratio)], axis=1)
    head = torch.from_numpy(outputs).float()

    loss = LogitAdjustedLoss([ratio, 1], tau=tau)
    rounded = loss.probabilities(head).numpy()
    logs = loss.log_probabilities(head, dtype=torch.float64).numpy()
    saved = Predictions(
        ids=np.arange(len(targets)).astype(str),
        targets=targets,
        probabilities=np.exp(logs),
        class_names=("common", "rare"),
        groups=None,
        log_probabilities=logs,
    )

    def areas(scores: np.ndarray) -> tuple[float, float]:
        return float(metrics.roc_auc(targets, scores)), float(metrics.average_precision(targets, scores))

    return Ranking(
        ones=float((rounded[:, 1] == 1).mean()),
        true=areas(evidence),
        rounded=areas(rounded[:, 1].astype(np.float64)),
        saved=areas(saved.scores[:, 1]),
    )


def table() -> str:
    """Return the table as Markdown."""
    lines = [
        "| τ | β | probabilities of 1 | AUC, true | float32 | saved | AP, true | float32 | saved |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for tau in TAUS:
        for ratio in RATIOS:
            row = measure(tau, ratio)
            areas = [
                f"{value:.4f}"
                for values in zip(row.true, row.rounded, row.saved, strict=True)
                for value in values
            ]
            lines.append(f"| {tau:g} | {ratio} | {100 * row.ones:.0f} % | {' | '.join(areas)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
