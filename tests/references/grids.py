"""Finished grids as the command line leaves them, without the training."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from medtail.evaluation.summaries.ranking_metrics import RANKING_METRICS
from medtail.runs.grid import Grid, GridRuns, Point
from medtail.runs.run import EVALUATED_SPLITS, Run
from references.runs import make_predictions, make_run

#: From point, seed and split to the skill of a model: its logit of the true class.
Skill = Callable[[Point, int, str], float]

#: From point, seed, λ and split to the figures in a row of ``conditions.csv``.
Figures = Callable[[Point, int, Mapping[str, float], str], Mapping[str, float]]

VS = Grid("vs", "Vector scaling", "vector_scaling", {"loss.gamma": [0.0, 0.1], "loss.tau": [0, 1]})
VS_LCT = Grid(
    "vs_lct",
    "Loss-conditional vector scaling",
    "vs_lct",
    {
        "method.distributions.gamma": [[0.0, 0.3, 0.0], [0.0, 0.2, 5.0]],
        "method.distributions.tau": [[0, 3, 0.0], [1, 4, 0.0]],
    },
    baseline="vs",
)
VALUES = {"gamma": [0.0, 0.1, 0.2, 0.3], "tau": [0.0, 1.0, 2.0, 3.0, 4.0]}

CLASSES = {"class_names": ("benign", "melanoma"), "train": (900, 9), "test": (60, 30)}


def write_plain(
    folder: Path,
    skill: Skill,
    *,
    grid: Grid = VS,
    seeds: int = 2,
    classes: Mapping[str, Sequence] = CLASSES,
) -> Path:
    """Write a grid of models without λ."""
    runs = GridRuns(folder / grid.name, grid, seeds)
    for point, seed in product(grid.points, range(seeds)):
        run = _run(runs, point, seed, classes, {})
        for split in EVALUATED_SPLITS:
            predictions = make_predictions(
                classes["class_names"],
                classes["test"] if split == "test" else [count // 2 for count in classes["test"]],
                skill=skill(point, seed, split),
                seed=100 * point.number + seed,
            )
            predictions.write(run.predictions(split))
    runs.write()
    return runs.folder


def write_conditional(
    folder: Path,
    figures: Figures,
    *,
    grid: Grid = VS_LCT,
    values: Mapping[str, Sequence[float]] = VALUES,
    seeds: int = 2,
    classes: Mapping[str, Sequence] = CLASSES,
) -> Path:
    """Write a grid of models with λ."""
    runs = GridRuns(folder / grid.name, grid, seeds)
    for point, seed in product(grid.points, range(seeds)):
        method = {
            "name": "loss_conditional",
            "distributions": {name: [0.0, 1.0, 1.0] for name in values},
            "grid": {name: list(those) for name, those in values.items()},
        }
        run = _run(runs, point, seed, classes, {"method": method})
        write_conditions(run, values, partial(figures, point, seed))
    runs.write()
    return runs.folder


def write_conditions(
    run: Run,
    values: Mapping[str, Sequence[float]],
    figures: Callable[[Mapping[str, float], str], Mapping[str, float]],
) -> None:
    """Write ``conditions.csv``; metrics left out are 0.5."""
    rows = []
    for split in EVALUATED_SPLITS:
        for combination in product(*values.values()):
            condition = dict(zip(values, combination, strict=True))
            rest = dict.fromkeys(RANKING_METRICS, 0.5)
            rows.append({"split": split, **condition, **rest, **figures(condition, split)})
    pd.DataFrame(rows).to_csv(run.conditions, index=False)


def _run(
    runs: GridRuns,
    point: Point,
    seed: int,
    classes: Mapping[str, Sequence],
    settings: Mapping[str, Mapping],
) -> Run:
    merged: dict[str, dict] = {section: dict(values) for section, values in settings.items()}
    merged.setdefault("training", {})["seed"] = seed
    for path, value in point.values.items():
        inner: dict = merged
        *sections, key = path.split(".")
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = value
    return make_run(
        runs.run(point, seed).folder,
        method=runs.grid.method,
        settings=merged,
        resamples=2,
        epochs=3,
        **classes,
    )


def smooth(point: Point, seed: int, condition: Mapping[str, float], split: str) -> dict[str, float]:
    """Plausible metrics of a loss-conditional model, for looking at pages."""
    generator = np.random.default_rng(
        [point.number, seed, int(10 * sum(condition.values())), split == "test"]
    )
    noise = generator.normal(0, 0.004, len(RANKING_METRICS))
    gamma, tau = condition.get("gamma", 0.1), condition.get("tau", 1.0)
    auc = 0.87 + 0.01 * (point.number % 4) + 0.02 * np.exp(-((tau - 2) ** 2)) - 0.1 * (gamma - 0.1) ** 2
    figures = {
        "auc": auc,
        "average_precision": auc - 0.3,
        "brier": 0.05 + 0.02 * tau,
        "max_f1": auc - 0.35 + 0.02 * gamma,
        "max_balanced_accuracy": auc - 0.08,
        "balanced_accuracy": 0.6 + 0.05 * tau,
    }
    precisions = [0.8 - 0.006 * place**2.2 + 0.01 * tau * (place - 4) / 4 for place in range(8)]
    names = [name for name in RANKING_METRICS if name not in figures]
    values = {**figures, **dict(zip(names, precisions, strict=True))}
    return {name: float(value + change) for (name, value), change in zip(values.items(), noise, strict=True)}
