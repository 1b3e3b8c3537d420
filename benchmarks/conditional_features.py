"""Is loss-conditional training (LCT) of vector scaling (VS) above VS itself, where only a small head is trained?

    python benchmarks/conditional_features.py train DATA_FOLDER RESULTS.csv
    python benchmarks/conditional_features.py table RESULTS.csv

A network of published weights looks at the images once; on its features, one hidden layer and a linear layer are
trained at each (γ, τ) of a grid, and once over a distribution of them, with FiLM after the hidden layer and without.
The one model is then read at the same grid: as many candidates as the fixed points have, for a sixteenth of the
training. DATA_FOLDER is that of ``frozen_features.py``.
"""

import time
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import pandas as pd
import torch
from frozen_features import WEIGHTS, FeatureSet, composed, feature_sets, train_and_table
from published_runs import cell, markdown
from torch import nn

from medtail import metrics
from medtail.heads import LinearHead
from medtail.losses import VectorScalingLoss
from medtail.methods import LinearDensity, LossConditional, Supervised
from medtail.methods.one_head import OneHeadMethod

#: One positive image per hundred negative ones in training, as in the paper's main tables.
SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "automobile/truck": ("cifar/cifar10_auto_truck_beta100.npz", {"validation_fraction": 0.2}),
    "melanoma/rest": ("ham10000_128", {"positive": "mel", "subsample": {"name": "binary", "beta": 100}}),
}
GAMMAS, TAUS = (0.0, 0.1, 0.2, 0.3), (0.0, 1.0, 2.0, 3.0)
#: LCT's Table 2: the densities that cover the grid.
DENSITIES = {"gamma": LinearDensity(0, 0.3, 3.3), "tau": LinearDensity(0, 3, 0.33)}
HIDDEN, BATCH, SEEDS = 128, 128, 5


class HiddenLayer(nn.Sequential):
    """Features ``(N, D)`` to rectified features ``(N, 128)``."""

    def __init__(self, size: int) -> None:
        super().__init__(nn.Linear(size, HIDDEN), nn.ReLU())
        self.num_features = HIDDEN


def trained(method: OneHeadMethod, data: FeatureSet, steps: int) -> OneHeadMethod:
    """Train with the optimizer of the paper's small images, the rate falling to 0 along a cosine."""
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    features, targets = data.features["train"], data.targets["train"]
    batches = _batches(len(targets))
    method.train()
    for step in range(steps):
        method.set_step(step)
        rows = next(batches)
        optimizer.zero_grad()
        method({"image": features[rows], "target": targets[rows]}).loss.backward()
        nn.utils.clip_grad_norm_(method.parameters(), 0.5)
        optimizer.step()
        schedule.step()
    return method.eval()


def _batches(size: int) -> Iterator[torch.Tensor]:
    while True:
        yield from (rows for rows in torch.randperm(size).split(BATCH) if len(rows) == BATCH)


def judged(outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """Metrics of logits ``(n, 2)``; log-odds, because probabilities saturate."""
    scores, positives = (outputs[:, 1] - outputs[:, 0]).numpy(), targets.numpy()
    return {
        "auc": float(metrics.roc_auc(positives, scores)),
        "average_precision": float(metrics.average_precision(positives, scores)),
        "max_balanced_accuracy": float(metrics.max_balanced_accuracy(positives, scores)),
    }


def rows_of(name: str, data: FeatureSet, seed: int, steps: int) -> Iterator[dict[str, Any]]:
    """Train at every point of the grid and over the distribution, and judge both at every point."""
    counts, size = data.counts.tolist(), data.features["train"].shape[1]
    family = partial(VectorScalingLoss, counts)
    grid = [{"gamma": gamma, "tau": tau} for gamma, tau in product(GAMMAS, TAUS)]

    def readings(way: str, method: OneHeadMethod, points: list[dict[str, float]]) -> Iterator[dict[str, Any]]:
        start = time.perf_counter()
        trained(method, data, steps)
        seconds = time.perf_counter() - start
        for point in points:
            if method.conditional is not None:
                method.conditional.set_condition(point)
            with torch.inference_mode():
                values = {
                    f"{split}_{metric}": value
                    for split in ("validation", "test")
                    for metric, value in judged(
                        method.predict(data.features[split]).double(), data.targets[split]
                    ).items()
                }
            yield {
                "data": name,
                "way": way,
                "seed": seed,
                "steps": steps,
                **point,
                **values,
                "training_seconds": seconds,
            }

    for point in grid:
        torch.manual_seed(seed)
        yield from readings(
            "VS", Supervised(HiddenLayer(size), LinearHead(HIDDEN, 2), family(**point)), [point]
        )
    for way, film in {"VS + LCT": "identity", "VS + LCT without FiLM": "none"}.items():
        torch.manual_seed(seed)
        method = LossConditional(
            HiddenLayer(size), LinearHead(HIDDEN, 2), family, DENSITIES, seed=seed, film=film
        )
        yield from readings(way, method, grid)


def table(results: pd.DataFrame) -> str:
    """Return, for each set, length and way, what choices among the sixteen candidates come to, in Markdown."""
    lines = []
    for (data, steps, way), rows in results.groupby(["data", "steps", "way"], sort=False):
        seeds = rows.groupby("seed")
        chosen = rows.loc[seeds["validation_auc"].idxmax(), "test_auc"]
        best, mean = seeds["test_auc"].max(), seeds["test_auc"].mean()
        points = rows.groupby(["gamma", "tau"])["test_auc"].mean()
        cells = [cell(values.mean(), values.std()) for values in (chosen, best, mean)]
        lines.append([str(data), f"{steps:,}", str(way), *cells, f"{points.min():.3f} to {points.max():.3f}"])
    readings = ["AUC chosen on validation", "best on test", "mean of the grid", "means of points"]
    return markdown(["data", "steps", "way", *readings], lines)


def main() -> None:
    """Read the command."""
    parser, training = train_and_table(__doc__, SEEDS)
    training.add_argument("--steps", type=int, default=5000)
    arguments = parser.parse_args()
    if arguments.verb == "table":
        print(table(pd.read_csv(arguments.results)))
        return
    weights = arguments.data / WEIGHTS
    rows: list[dict[str, Any]] = []
    for name, (path, settings) in SETS.items():
        recipe = composed(weights, data=settings)
        (data,) = feature_sets(name, arguments.data / path, recipe)
        for seed in range(arguments.seeds):
            rows += rows_of(name, data, seed, arguments.steps)
            pd.DataFrame(rows).to_csv(arguments.results, index=False, float_format="%.5g")
            print(f"{name}: {seed + 1} of {arguments.seeds} seeds", flush=True)


if __name__ == "__main__":
    main()
