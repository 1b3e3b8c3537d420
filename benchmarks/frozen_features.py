"""Which losses still matter when the features are those of a pretrained network: every loss on the same features.

    python benchmarks/frozen_features.py train DATA_FOLDER RESULTS_FOLDER [--only NAME …]
    python benchmarks/frozen_features.py rank RESULTS_FOLDER

DATA_FOLDER holds the sets of SETS and ``weights/tf_efficientnet_lite0_imagenet.safetensors``. The network looks at the
images of a set once; then a linear or cosine head is trained on its features with every loss and seed, as the recipe
``probe`` does, but for AdamW in place of the solver, so that losses differ in nothing else. Features are standardised
by those of training, since cosines of features that are all positive hardly differ. The rate is chosen on validation
with seed 0, the epoch on validation in every run; test images are judged once, by the chosen epoch.
``train`` continues where it was stopped; ``rank`` writes ``frozen_features.csv``, the means and mean ranks, and
``critical_difference.svg``.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from torch import nn

from medtail import metrics
from medtail.data import open_collection
from medtail.evaluation.comparison.figures.critical_difference import critical_difference
from medtail.evaluation.comparison.ranking import rank
from medtail.losses import LOSSES, ClassificationLoss
from medtail.methods import Supervised
from medtail.recipes.compose import compose, read_axis
from medtail.recipes.schema import Recipe
from medtail.training.build import BuildContext, build_method
from medtail.training.frozen.features import FrozenFeatures
from medtail.training.optimization.optimizers import build_optimizer, learning_rate_schedule
from medtail.training.prepare import prepare

SETS = {
    "HAM10000": "ham10000_128",
    "BCCD": "bccd_cells_64",
    "PneumoniaMNIST": "pneumoniamnist_ir9.npz",
    "automobile/truck": "cifar/cifar10_auto_truck_beta100.npz",
    "CIFAR-100-LT": "cifar/cifar100_lt_if100.npz",
}
WEIGHTS = "weights/tf_efficientnet_lite0_imagenet.safetensors"
#: CIFAR-100-LT is taken apart into sets of every fifth class, each with the imbalance of the whole.
PARTS = 5
RATES = (1e-4, 1e-3, 1e-2)
SEEDS = 5
EPOCHS = 100
ADAPTED = "ce, adapted"
COLOURS = "svg{--ink:#1a1a1a;--muted:#555;--grid:#ddd;--series-0:#1f5fa8;--series-1:#c4501b;--series-7:#999}"


@final
@dataclass(frozen=True)
class FeatureSet:
    """One split after the other: features ``(n, D)`` and class ids ``(n,)``."""

    name: str
    features: dict[str, torch.Tensor]
    targets: dict[str, torch.Tensor]

    @property
    def counts(self) -> np.ndarray:
        counts: np.ndarray = np.bincount(self.targets["train"].numpy())
        return counts


def composed(
    weights: Path,
    loss: str = "ce",
    rate: float = 1e-3,
    seed: int = 0,
    data: Mapping[str, Any] = MappingProxyType({}),
) -> Recipe:
    """The recipe of a loss on frozen features; ``data`` are settings of its section beside the size."""
    return compose(
        "images",
        "probe",
        {
            "data": {"image_size": 64, **data},
            "backbone": {"name": "tf_efficientnet_lite0", "weights": str(weights), "cached_features": True},
            "loss": read_axis("methods", loss)["loss"],
            "optimizer": {"name": "adamw", "learning_rate": rate, "weight_decay": 0.01},
            "training": {"epochs": EPOCHS, "batch_size": 512, "seed": seed, "precision": "32-true"},
        },
    )


def feature_sets(name: str, data: Path, recipe: Recipe) -> Iterator[FeatureSet]:
    """Let the network look at the images of one data set."""
    prepared = prepare(open_collection(str(data)), recipe)
    method = build_method(BuildContext.of(recipe, prepared.facts))
    known = FrozenFeatures.of(method, recipe, prepared)
    assert known is not None
    collection = prepared.collection
    rows = {split: collection.rows(split) for split in ("train", "validation", "test")}
    targets = {split: torch.from_numpy(collection.targets[rows[split]]).long() for split in rows}
    features = {split: known.plain(rows[split]) for split in rows}
    if name != "CIFAR-100-LT":
        yield FeatureSet(name, standardised(features), targets)
        return
    for part in range(PARTS):
        inside = {split: targets[split] % PARTS == part for split in rows}
        yield FeatureSet(
            f"{name} {part + 1}",
            standardised({split: features[split][inside[split]] for split in rows}),
            {split: targets[split][inside[split]] // PARTS for split in rows},
        )


def standardised(features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give every feature mean 0 and deviation 1 over training."""
    mean, deviation = features["train"].mean(0), features["train"].std(0).clamp_min(1e-6)
    return {split: (values - mean) / deviation for split, values in features.items()}


def measured(logs: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """Metrics of logarithms of probabilities ``(n, C)``."""
    probabilities, truth = logs.exp().numpy(), targets.numpy()
    confusion = metrics.confusion_matrix(truth, probabilities.argmax(1), probabilities.shape[1])
    return {
        "balanced_accuracy": float(metrics.balanced_accuracy(confusion)),
        "macro_f1": float(metrics.macro_f1(confusion)),
        "accuracy": float(metrics.accuracy(confusion)),
        "auc": float(metrics.roc_auc(truth, probabilities)),
        "ece": float(metrics.expected_calibration_error(truth, probabilities)),
    }


def train_head(recipe: Recipe, data: FeatureSet) -> list[dict[str, Any]]:
    """Train one head; return its rows: as it is and, for cross-entropy, with the prior taken out."""
    torch.manual_seed(recipe.training.seed)
    context = BuildContext(recipe, data.counts)
    priors: dict[str, torch.Tensor | None] = {recipe.loss.name: None}
    if recipe.loss.name == "ce":
        priors[ADAPTED] = equal_shares(data)
    size = len(data.targets["train"])
    rows = train_with(context, context.loss(), data, priors, lambda epoch: torch.randperm(size))
    return [{"loss": name, **row} for name, row in rows.items()]


def equal_shares(data: FeatureSet) -> torch.Tensor:
    """The prior that gives every class the same share ``(C,)``."""
    return torch.full((len(data.counts),), 1 / len(data.counts), dtype=torch.float64)


def train_with(
    context: BuildContext,
    loss: ClassificationLoss,
    data: FeatureSet,
    priors: Mapping[str, torch.Tensor | None],
    draw: Callable[[int], torch.Tensor],
) -> dict[str, dict[str, Any]]:
    """Train one head and judge it with each of the priors; ``draw`` gives the rows of an epoch in their order.

    Each of them has the epoch that is best for it on validation: the prior is learned long after the directions are.
    """
    started, recipe = time.perf_counter(), context.recipe
    features, targets = data.features["train"], data.targets["train"]
    method = Supervised(nn.Identity(), context.head(loss.expects, features.shape[1]), loss)
    optimizer = build_optimizer(recipe, method)
    scheduler = learning_rate_schedule(recipe, optimizer, lambda: 1)["scheduler"]
    best: dict[str, dict[str, Any]] = {name: {"validation": -1.0} for name in priors}
    for epoch in range(recipe.training.epochs):
        method.train().set_epoch(epoch)
        for rows in draw(epoch).split(recipe.training.batch_size):
            if len(rows) > 1:
                optimizer.zero_grad()
                method({"image": features[rows], "target": targets[rows]}).loss.backward()
                optimizer.step()
        scheduler.step()
        method.eval()
        with torch.inference_mode():
            outputs = method.predict(data.features["validation"]).double()
            decided = {
                name: method.log_probabilities(outputs, prior).argmax(1) for name, prior in priors.items()
            }
        for name, classes in decided.items():
            confusion = metrics.confusion_matrix(
                data.targets["validation"].numpy(), classes.numpy(), len(data.counts)
            )
            value = float(metrics.balanced_accuracy(confusion))
            if value > best[name]["validation"]:
                state = {key: tensor.clone() for key, tensor in method.state_dict().items()}
                best[name] = {"validation": value, "epoch": epoch + 1, "state": state}
    judged = {}
    for name, prior in priors.items():
        method.load_state_dict(best[name]["state"])
        with torch.inference_mode():
            logs = method.log_probabilities(method.predict(data.features["test"]).double(), prior)
        judged[name] = {
            "data": data.name,
            "seed": recipe.training.seed,
            "learning_rate": recipe.optimizer.learning_rate,
            "epoch": best[name]["epoch"],
            "validation_balanced_accuracy": best[name]["validation"],
            "seconds": time.perf_counter() - started,
            **measured(logs, data.targets["test"]),
        }
    return judged


def train_losses(data: FeatureSet, seed: int, weights: Path, table: Path) -> None:
    """Train with every loss that the table lacks for a seed."""
    rows = pd.read_csv(table).to_dict("records") if table.is_file() else []
    for loss in LOSSES:
        if loss == "adacos" and len(data.counts) == 2:
            continue  # Its scale is 0 for two classes, and it refuses them.
        trained = {(row["seed"], row["learning_rate"]) for row in rows if row["loss"] == loss}
        readings = {loss, ADAPTED} if loss == "ce" else {loss}
        for rate in RATES if seed == 0 else {chosen_rate(rows, name) for name in sorted(readings)}:
            if (seed, rate) not in trained:
                rows += train_head(composed(weights, loss, rate, seed), data)
        pd.DataFrame(rows).to_csv(table, index=False, float_format="%.6g")
    print(f"{data.name}: {seed + 1} of {SEEDS} seeds", flush=True)


def chosen_rate(rows: list[dict[str, Any]], loss: str) -> float:
    """The rate at which a loss did best on validation with seed 0."""
    first = [row for row in rows if row["loss"] == loss and row["seed"] == 0]
    return float(max(first, key=lambda row: row["validation_balanced_accuracy"])["learning_rate"])


def chosen_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows at the rate that validation chose with seed 0."""
    chosen = [
        own[own["learning_rate"] == chosen_rate(own.to_dict("records"), str(loss))]
        for (_, loss), own in table.groupby(["data", "loss"])
    ]
    return pd.concat(chosen)


def write_ranks(results: Path) -> None:
    """Write all rows, the means and ranks, and the picture."""
    table = pd.concat([pd.read_csv(path) for path in sorted(results.glob("set_*.csv"))], ignore_index=True)
    table.to_csv(results / "frozen_features.csv", index=False, float_format="%.4g")
    chosen = chosen_rows(table)
    # Only seeds that every loss of a set has.
    trained = chosen.groupby(["data", "seed"])["loss"].transform("nunique")
    chosen = chosen[trained == trained.groupby(chosen["data"]).transform("max")]
    print(chosen.groupby("data")["seed"].nunique().to_dict())
    means = chosen.pivot_table(index="loss", columns="data", values="balanced_accuracy")
    ranking = rank(means.dropna())
    print(ranking.sentence, f"critical difference {ranking.critical_difference:.2f}", sep="\n")
    summary = means.assign(mean_rank=ranking.mean_ranks).sort_values("mean_rank")
    summary["auc"] = chosen.groupby("loss")["auc"].mean()
    summary["ece"] = chosen.groupby("loss")["ece"].mean()
    lines = [["loss", *summary.columns], ["---"] * (1 + len(summary.columns))]
    lines += [[str(row.Index), *(f"{value:.3f}" for value in row[1:])] for row in summary.itertuples()]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))
    # In a page, it finds its languages and colours there; a file of its own needs both.
    languages = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    picture = str(critical_difference(ranking)).replace("<svg ", f"<svg {languages} ", 1)
    picture = picture.replace(">", f"><style>{COLOURS}</style>", 1)
    (results / "critical_difference.svg").write_text(picture, encoding="utf-8")


def train_and_table(
    description: str | None, seeds: int
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The command of a benchmark on these features, ``train DATA RESULTS`` and ``table RESULTS``, and ``train``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    training = verbs.add_parser("train")
    training.add_argument("data", type=Path)
    training.add_argument("results", type=Path)
    training.add_argument("--seeds", type=int, default=seeds)
    verbs.add_parser("table").add_argument("results", type=Path)
    return parser, training


def main() -> None:
    """Read the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    training = verbs.add_parser("train")
    training.add_argument("data", type=Path)
    training.add_argument("results", type=Path)
    training.add_argument("--only", nargs="*", default=list(SETS))
    verbs.add_parser("rank").add_argument("results", type=Path)
    arguments = parser.parse_args()
    if arguments.verb == "rank":
        write_ranks(arguments.results)
        return
    weights = arguments.data / WEIGHTS
    arguments.results.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        started = time.perf_counter()
        sets = list(feature_sets(name, arguments.data / SETS[name], composed(weights)))
        print(f"{name}: features after {time.perf_counter() - started:.0f} s", flush=True)
        for seed in range(SEEDS):
            for data in sets:
                table = arguments.results / f"set_{data.name.replace('/', '-').replace(' ', '_')}.csv"
                train_losses(data, seed, weights, table)


if __name__ == "__main__":
    main()
