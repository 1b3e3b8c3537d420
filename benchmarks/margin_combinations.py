"""Which part of a margin loss does the work: its margin, or how it treats the imbalance beside it?

    python benchmarks/margin_combinations.py train DATA_FOLDER RESULTS.csv [--seeds 5]
    python benchmarks/margin_combinations.py table RESULTS.csv

DAL is a margin with the weights of the batch, DBM-BS another margin with the prior in the loss. Here every margin meets
every treatment, class-balanced draws among them, on the frozen features of ``frozen_features.py``: one cosine head,
one optimizer. Learning rate and scale of the cosines are chosen on validation with seed 0, the epoch on validation in
every run; test images are judged once, by the chosen epoch. DATA_FOLDER is that of ``frozen_features.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from frozen_features import (
    SETS,
    WEIGHTS,
    FeatureSet,
    composed,
    equal_shares,
    feature_sets,
    train_and_table,
    train_with,
)
from published_runs import cell, markdown

from medtail.data.samplers import SAMPLERS
from medtail.losses import BatchInverseFrequencyWeighting, PipelineLoss, PriorAdjustment
from medtail.losses.parts.adjustments import Adjustment
from medtail.losses.parts.margins import (
    AngularMargin,
    BatchAdaptiveMargin,
    ClassMargin,
    HardInstanceMargin,
    Margin,
    NoMargin,
)
from medtail.losses.parts.scales import FixedScale
from medtail.losses.parts.weightings import Weighting
from medtail.training.build import BuildContext

DATA = ("HAM10000", "PneumoniaMNIST", "automobile/truck", "CIFAR-100-LT")
RATES, SCALES, SEEDS = (1e-3, 1e-2), (4.0, 16.0, 32.0), 5

#: By class counts; the largest margins are those of the papers, in radians.
MARGINS: dict[str, Callable[[np.ndarray], Margin]] = {
    "no margin": lambda counts: NoMargin(),
    "DAL's margin": lambda counts: AngularMargin(BatchAdaptiveMargin(min_margin=0.0, max_margin=0.3)),
    "DBM's margin": lambda counts: AngularMargin(
        HardInstanceMargin(ClassMargin(counts, max_margin=0.1, power=1.0))
    ),
}


@final
@dataclass(frozen=True)
class Treatment:
    """What is done about the imbalance beside the margin.

    Attributes:
        weighting: Of the samples of a batch.
        adjustment: Of the scores, by class counts.
        sampler: A key of ``SAMPLERS``.
        prior_is_taken_out: Whether the scores are turned to equal shares after training.
    """

    weighting: Callable[[], Weighting | None] = lambda: None
    adjustment: Callable[[np.ndarray], Adjustment | None] = lambda counts: None
    sampler: str = "uniform"
    prior_is_taken_out: bool = False


TREATMENTS = {
    "nothing": Treatment(),
    "prior taken out afterwards": Treatment(prior_is_taken_out=True),
    "weights of the batch": Treatment(weighting=BatchInverseFrequencyWeighting),
    "prior in the loss": Treatment(adjustment=PriorAdjustment),
    "balanced draws": Treatment(sampler="class_balanced"),
}


def trained(
    data: FeatureSet, margin: str, treatment: str, scale: float, rate: float, seed: int, weights: Path
) -> dict[str, Any]:
    """Train one head and return its row."""
    way = TREATMENTS[treatment]
    torch.manual_seed(seed)
    loss = PipelineLoss(
        expects="cosines",
        margin=MARGINS[margin](data.counts),
        scale=FixedScale(scale),
        adjustment=way.adjustment(data.counts),
        weighting=way.weighting(),
        class_counts=data.counts,
    )
    sampler = SAMPLERS[way.sampler](data.targets["train"].numpy(), seed=seed)

    def draw(epoch: int) -> torch.Tensor:
        sampler.set_epoch(epoch)
        return torch.tensor(list(sampler))

    prior = equal_shares(data) if way.prior_is_taken_out else None
    context = BuildContext(composed(weights, rate=rate, seed=seed), data.counts)
    row = train_with(context, loss, data, {treatment: prior}, draw)[treatment]
    return {"margin": margin, "treatment": treatment, "scale": scale, **row}


def rows_of(data: FeatureSet, seeds: int, weights: Path) -> list[dict[str, Any]]:
    """Train every combination: at every rate and scale with the first seed, then at those that validation chose."""
    rows = []
    for margin, treatment in product(MARGINS, TREATMENTS):
        tried = [
            trained(data, margin, treatment, scale, rate, 0, weights)
            for scale, rate in product(SCALES, RATES)
        ]
        best = max(tried, key=lambda row: row["validation_balanced_accuracy"])
        rows += [{**row, "chosen": row is best} for row in tried]
        for seed in range(1, seeds):
            row = trained(data, margin, treatment, best["scale"], best["learning_rate"], seed, weights)
            rows.append({**row, "chosen": True})
        print(f"{data.name}: {margin}, {treatment}", flush=True)
    return rows


def table(results: pd.DataFrame) -> str:
    """Return balanced accuracy of every combination on every data set, in Markdown."""
    chosen = results[results["chosen"]]
    groups = chosen.groupby(["margin", "treatment", "data"])["balanced_accuracy"]
    means, deviations = groups.mean(), groups.std()
    errors = chosen.groupby(["margin", "treatment"])["ece"].mean()
    names = list(dict.fromkeys(chosen["data"]))
    lines = []
    for margin, treatment in product(MARGINS, TREATMENTS):
        keys = [(margin, treatment, name) for name in names]
        cells = [cell(means[key], deviations[key]) for key in keys]
        average = sum(means[key] for key in keys) / len(keys)
        lines.append([margin, treatment, *cells, f"{average:.3f}", f"{errors[margin, treatment]:.3f}"])
    return markdown(["margin", "treatment", *names, "mean", "ECE"], lines)


def gains(results: pd.DataFrame) -> str:
    """Return the points that a margin adds to each treatment, and in how many pairs of set and seed, in Markdown."""
    chosen = results[results["chosen"]]
    values = chosen.pivot_table("balanced_accuracy", ["data", "seed"], ["treatment", "margin"])
    plain, *margins = MARGINS
    lines = []
    for treatment in TREATMENTS:
        added = [values[treatment][margin] - values[treatment][plain] for margin in margins]
        cells = [f"{100 * pairs.mean():+.1f}, in {(pairs > 0).sum()} of {len(pairs)}" for pairs in added]
        lines.append([treatment, *cells])
    return markdown(["treatment", *margins], lines)


def main() -> None:
    """Read the command."""
    parser, _ = train_and_table(__doc__, SEEDS)
    arguments = parser.parse_args()
    if arguments.verb == "table":
        results = pd.read_csv(arguments.results)
        print(table(results), gains(results), sep="\n\n")
        return
    weights = arguments.data / WEIGHTS
    rows: list[dict[str, Any]] = []
    for name in DATA:
        # Of the five parts of CIFAR-100-LT, the first.
        features = next(feature_sets(name, arguments.data / SETS[name], composed(weights)))
        rows += rows_of(features, arguments.seeds, weights)
        pd.DataFrame(rows).to_csv(arguments.results, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
