"""Grids of trainings: which hyper-parameters validation chooses, and what they are worth on test.

LCT reports the best test value of a grid (Table 3: "report the best values for each method"). That rewards the larger
grid for its size. Here validation chooses and test is only read; the paper's protocol is shown beside it, by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.evaluation.report.page import mean_and_deviation
from medtail.evaluation.summaries.condition_metrics import (
    Condition,
    ConditionMetrics,
    condition_title,
)
from medtail.evaluation.summaries.json_values import defined
from medtail.evaluation.summaries.ranking_metrics import RANKING_METRICS
from medtail.evaluation.summaries.validation_doubts import validation_doubts
from medtail.metrics import POSITIVE_CLASS_METRICS
from medtail.runs.facts import DatasetFacts
from medtail.runs.grid import Grid, GridRuns, Point
from medtail.runs.run import EVALUATED_SPLITS, EvaluatedSplit
from medtail.runs.settings import RunSettings

#: The last axis of the values of a grid.
_COLUMNS = tuple(RANKING_METRICS)

#: The split that chooses, by the name of the protocol: the honest one, and that of the paper.
PROTOCOLS: dict[str, EvaluatedSplit] = {"chosen_on_validation": "validation", "best_on_test": "test"}


@final
@dataclass(frozen=True)
class Estimate:
    """Mean and sample standard deviation over seeds; one seed has no deviation (NaN)."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return mean_and_deviation(self.mean, self.deviation)

    def to_dict(self) -> dict[str, float | None]:
        """For JSON."""
        return {"mean": defined(self.mean), "sd": defined(self.deviation)}


@final
@dataclass(frozen=True)
class Candidate:
    """What can be chosen: a training of a grid and, if its models have one, a λ.

    Attributes:
        point: The training.
        condition: λ; empty for models without.
        place: Its position in the values of its grid.
    """

    point: Point
    condition: Condition
    place: tuple[int, int]

    @property
    def title(self) -> str:
        """For people."""
        at = condition_title(self.condition)
        return f"{self.point.title}; λ: {at}" if at else self.point.title


@final
@dataclass(frozen=True)
class GridMetrics:
    """The metrics of every run of a grid.

    Attributes:
        grid: What was trained.
        seeds: How many seeds each point was trained with.
        parameters: Names of the parameters of λ; none for models without.
        conditions: L values of λ; a single empty one for models without.
        values: For each split, ``(P, L, S, M)``: points, conditions, seeds and :data:`RANKING_METRICS`.
    """

    grid: Grid
    seeds: int
    parameters: tuple[str, ...]
    conditions: tuple[Condition, ...]
    values: Mapping[EvaluatedSplit, np.ndarray]

    @classmethod
    def read(cls, runs: GridRuns) -> "GridMetrics":
        """Read every run of a grid.

        Raises:
            InputError: One is missing, has other settings than the grid says, or has other λ than the rest.
        """
        _check_complete(runs)
        points = runs.grid.points
        parts = [[_metrics_of(runs, point, seed) for seed in range(runs.seeds)] for point in points]
        first = parts[0][0]
        for point, own in zip(points, parts, strict=True):
            for seed, part in enumerate(own):
                if part.conditions != first.conditions:
                    raise InputError(
                        f"runs of grid {runs.grid.name} must have the same λ, "
                        f"{runs.run(point, seed).folder} has others than {runs.run(points[0], 0).folder}; "
                        f"give every training the same method.grid"
                    )
        values: dict[EvaluatedSplit, np.ndarray] = {
            split: np.array(
                [[part.values[split][list(RANKING_METRICS)].to_numpy() for part in own] for own in parts]
            ).transpose(0, 2, 1, 3)
            for split in EVALUATED_SPLITS
        }
        return cls(runs.grid, runs.seeds, first.parameters, first.conditions, values)

    def means(self, split: EvaluatedSplit, metric: str) -> np.ndarray:
        """Return means over seeds ``(P, L)``; NaN where one seed has no value."""
        means: np.ndarray = self.values[split][..., _COLUMNS.index(metric)].mean(axis=-1)
        return means

    def of_seeds(self, candidate: Candidate, split: EvaluatedSplit, metric: str) -> tuple[float, ...]:
        """Return what a candidate achieves with each seed."""
        return tuple(map(float, self.values[split][candidate.place][:, _COLUMNS.index(metric)]))

    def estimate(self, candidate: Candidate, split: EvaluatedSplit, metric: str) -> Estimate:
        """Return what a candidate achieves over seeds."""
        values = np.array(self.of_seeds(candidate, split, metric))
        return Estimate(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else float("nan"))

    def candidate(self, place: tuple[int, int]) -> Candidate:
        """Return the candidate at a position in the values."""
        return Candidate(self.grid.points[place[0]], self.conditions[place[1]], place)

    def best(self, metric: str, split: EvaluatedSplit, training: int | None = None) -> Candidate | None:
        """The candidate with the best mean over seeds of a metric on a split; None if it is undefined for all.

        Args:
            metric: Key of one of :data:`RANKING_METRICS`.
            split: What chooses.
            training: Index in ``grid.points`` of the one training whose λ may be chosen; any when None.
        """
        means = self.means(split, metric)
        if training is not None:
            index = RANKING_METRICS[metric].best(means[training])
            return None if index is None else self.candidate((training, index))
        index = RANKING_METRICS[metric].best(means.ravel())
        if index is None:
            return None
        row, column = divmod(index, means.shape[1])
        return self.candidate((row, column))

    @property
    def candidates(self) -> list[Candidate]:
        """Every candidate."""
        return [
            self.candidate((row, column))
            for row in range(len(self.grid.points))
            for column in range(len(self.conditions))
        ]


@final
@dataclass(frozen=True)
class Tuning:
    """Grids of one data set, tuned.

    Attributes:
        dataset: Name of the data.
        positive: The positive class, of two; None with more, whose metrics are one-versus-rest means.
        images: Number of validation and test images.
        grids: The grids in the order they were given.
        doubts: Reasons not to trust a choice made on this validation split, one sentence each.
    """

    dataset: str
    positive: str | None
    images: Mapping[EvaluatedSplit, int]
    grids: Sequence[GridMetrics]
    doubts: Sequence[str]

    @property
    def table(self) -> pd.DataFrame:
        """One row for each grid, metric and protocol: the choice, and its mean and deviation over seeds on both splits.

        Columns: ``grid``, ``metric``, ``protocol`` (of :data:`PROTOCOLS`), ``point``, ``training``, ``condition``,
        ``validation_mean``, ``validation_sd``, ``test_mean``, ``test_sd``, ``candidates``. NaN where undefined.
        """
        rows = []
        for grid in self.grids:
            for metric in POSITIVE_CLASS_METRICS:
                for protocol, chooser in PROTOCOLS.items():
                    rows.append(_row(grid, metric, protocol, chooser))
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; undefined values are None."""
        return {
            "format": 1,
            "dataset": self.dataset,
            "positive": self.positive,
            "images": dict(self.images),
            "doubts": list(self.doubts),
            "grids": [_grid_to_dict(grid) for grid in self.grids],
        }

    def to_markdown(self) -> str:
        """Return what validation chooses, the paper's protocol, and the choices."""
        seeds = ", ".join(f"{grid.grid.name} {grid.seeds}" for grid in self.grids)
        what = (
            f"Positive class **{self.positive}**."
            if self.positive
            else "Means over classes, one against the rest."
        )
        lines = [
            f"**{self.dataset}**, {self.images['validation']} validation and {self.images['test']} test images. {what} "
            f"Mean ± standard deviation over seeds ({seeds}).",
            "",
            *(line for doubt in self.doubts for line in (f"Note: {doubt}.", "")),
            "**Chosen on validation, read on test:**",
            "",
            *self._markdown_values("chosen_on_validation"),
            "",
            "**Not honest: the best of each grid on test itself** (the paper's protocol, to compare with its tables):",
            "",
            *self._markdown_values("best_on_test"),
            "",
            "What validation chose:",
            "",
            "| Metric | Grid | Training and λ | Validation | Test |",
            "| --- | --- | --- | --- | --- |",
        ]
        for metric in POSITIVE_CLASS_METRICS:
            for grid in self.grids:
                chosen = grid.best(metric, "validation")
                if chosen is not None:
                    values = (grid.estimate(chosen, split, metric) for split in EVALUATED_SPLITS)
                    lines.append(
                        f"| {POSITIVE_CLASS_METRICS[metric].heading} | {grid.grid.name} | {chosen.title} | "
                        f"{' | '.join(map(str, values))} |"
                    )
        return "\n".join(lines) + "\n"

    def _markdown_values(self, protocol: str) -> list[str]:
        names = [grid.grid.name for grid in self.grids]
        lines = [f"| Metric | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
        for metric in POSITIVE_CLASS_METRICS:
            values = [value_on_test(grid, metric, protocol) for grid in self.grids]
            lines.append(f"| {POSITIVE_CLASS_METRICS[metric].heading} | {' | '.join(values)} |")
        return lines


def tune(folders: Sequence[Path]) -> Tuning:
    """Choose hyper-parameters for every grid and every metric, from the files of finished runs alone.

    For each metric the mean over seeds of the *validation* value chooses the training and, for loss-conditional
    models, λ with it (one for all seeds); the mean and deviation over seeds of the *test* value at that choice is the
    result.

    Args:
        folders: Each holds the runs of a grid (``grid.json``).

    Raises:
        InputError: There is none, a run is missing or was trained with other settings than the grid says, the runs are
            not of the same images and splits, or two grids have one name.
    """
    if not folders:
        raise InputError("folders must name at least one grid of runs, got none; give the folders of some")
    read = [GridRuns.read(folder) for folder in folders]
    names = [runs.grid.name for runs in read]
    if len(set(names)) < len(names):
        raise InputError(f"grids must have different names, got {', '.join(names)}; leave one out")
    grids = [GridMetrics.read(runs) for runs in read]
    facts = _same_data(read)
    classes = facts.class_names
    return Tuning(
        dataset=facts.name,
        positive=classes[facts.positive_id] if len(classes) == 2 else None,
        images={split: int(sum(facts.class_counts[split])) for split in EVALUATED_SPLITS},
        grids=grids,
        doubts=validation_doubts(facts),
    )


def value_on_test(grid: GridMetrics, metric: str, protocol: str) -> str:
    """Return the test value of a protocol's choice, or a dash."""
    chosen = grid.best(metric, PROTOCOLS[protocol])
    return "–" if chosen is None else str(grid.estimate(chosen, "test", metric))


def _check_complete(runs: GridRuns) -> None:
    expected = [runs.run(point, seed) for point in runs.grid.points for seed in range(runs.seeds)]
    missing = [run.folder.name for run in expected if not run.summary.is_file()]
    if missing:
        raise InputError(
            f"{runs.folder} must hold all {len(expected)} finished runs of grid {runs.grid.name}, {len(missing)} are "
            f"missing, the first is {missing[0]}; train them with the same `grids`"
        )


def _metrics_of(runs: GridRuns, point: Point, seed: int) -> ConditionMetrics:
    run = runs.run(point, seed)
    settings = RunSettings.load(run)
    for path, value in {**point.values, "training.seed": seed}.items():
        saved = settings.get(path)
        if saved != value:
            raise InputError(
                f"{run.folder} must be a training with {path}={value}, as grid {runs.grid.name} says, "
                f"its recipe has {saved}; remove the folder or restore its files"
            )
    if not DatasetFacts.load(run).has_validation:
        raise InputError(
            f"the combinations of a grid are chosen on validation, which {run.folder} has none of; train the grid "
            f"with `data.validation=drawn`"
        )
    return ConditionMetrics.read(run)


def _same_data(read: Sequence[GridRuns]) -> DatasetFacts:
    every = [
        runs.run(point, seed) for runs in read for point in runs.grid.points for seed in range(runs.seeds)
    ]
    first = DatasetFacts.load(every[0])
    for run in every[1:]:
        if DatasetFacts.load(run).fingerprint != first.fingerprint:
            raise InputError(
                f"grids must be of the same images, labels and splits, those of {every[0].folder} and {run.folder} "
                f"differ; train them on one data set with one data.split_seed"
            )
    return first


def _row(grid: GridMetrics, metric: str, protocol: str, chooser: EvaluatedSplit) -> dict[str, Any]:
    row: dict[str, Any] = {"grid": grid.grid.name, "metric": metric, "protocol": protocol}
    chosen = grid.best(metric, chooser)
    row["point"] = None if chosen is None else chosen.point.number
    row["training"] = None if chosen is None else chosen.point.name
    row["condition"] = None if chosen is None else condition_title(chosen.condition)
    for split in EVALUATED_SPLITS:
        value = (
            Estimate(float("nan"), float("nan")) if chosen is None else grid.estimate(chosen, split, metric)
        )
        row[f"{split}_mean"], row[f"{split}_sd"] = value.mean, value.deviation
    return {**row, "candidates": len(grid.candidates)}


def _grid_to_dict(grid: GridMetrics) -> dict[str, Any]:
    return {
        "name": grid.grid.name,
        "description": grid.grid.description,
        "method": grid.grid.method,
        "baseline": grid.grid.baseline,
        "axes": {path: list(values) for path, values in grid.grid.axes.items()},
        "points": len(grid.grid.points),
        "points_of_the_whole_grid": grid.grid.size,
        "seeds": grid.seeds,
        "conditions": [dict(condition) for condition in grid.conditions],
        "choices": {
            metric: {
                protocol: _candidate_to_dict(grid, grid.best(metric, chooser), [metric])
                for protocol, chooser in PROTOCOLS.items()
            }
            for metric in POSITIVE_CLASS_METRICS
        },
        "candidates": [_candidate_to_dict(grid, candidate, _COLUMNS) for candidate in grid.candidates],
    }


def _candidate_to_dict(
    grid: GridMetrics, candidate: Candidate | None, metrics: Sequence[str]
) -> dict[str, Any] | None:
    if candidate is None:
        return None
    return {
        "point": candidate.point.number,
        "training": dict(candidate.point.values),
        "condition": dict(candidate.condition) or None,
        **{
            split: {name: grid.estimate(candidate, split, name).to_dict() for name in metrics}
            for split in EVALUATED_SPLITS
        },
    }
