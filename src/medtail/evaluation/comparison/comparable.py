"""Which runs may stand side by side: those of the same images, and what else differs between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from medtail.errors import InputError
from medtail.evaluation.summaries.binary import (
    BINARY_PREFIX,
    BINARY_TITLES,
    has_two_classes,
    measure_binary,
)
from medtail.evaluation.summaries.frequency_groups import group_figures
from medtail.evaluation.summaries.summary import measure, weighted_outcomes
from medtail.metrics import Outcomes
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run

#: The parts of a recipe that a method chooses.
_OF_THE_METHOD = ("recipe.", "method.", "head.", "loss.", "sampling.", "optimizer.sharpness")

#: Settings that change no result: the seed is compared over, the path is only where the same images lie.
_WITHOUT_EFFECT = ("training.seed", "data.path")


@final
@dataclass(frozen=True)
class JudgedRun:
    """A finished run with its test predictions, images in the order of their ids.

    Attributes:
        run: The folder.
        method: Key of its method.
        seed: Its seed.
        recipe: Every setting.
        facts: ``dataset.json``.
        test: Predictions of the test split, sorted by id.
    """

    run: Run
    method: str
    seed: int
    recipe: dict[str, Any]
    facts: DatasetFacts
    test: Predictions

    @classmethod
    def read(cls, run: Run) -> Self:
        """Read a finished run."""
        run.require(run.summary)
        recipe = run.read_recipe()
        test = Predictions.read(run.predictions("test"))
        order = np.argsort(test.ids, kind="stable")
        return cls(
            run=run,
            method=str(recipe["recipe"]["method"]),
            seed=int(recipe["training"]["seed"]),
            recipe=recipe,
            facts=DatasetFacts.load(run),
            test=Predictions(
                ids=test.ids[order],
                targets=test.targets[order],
                probabilities=test.probabilities[order],
                class_names=test.class_names,
                groups=None if test.groups is None else test.groups[order],
            ),
        )

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric of the summary, the lowest recall of any class, and of two classes the binary figures."""
        values = {name: float(value[0]) for name, value in measure(self.test).items()}
        return {**values, "lowest_recall": float(np.nanmin(self.recalls)), **self._binary}

    @property
    def _binary(self) -> dict[str, float]:
        if not has_two_classes(self.test):
            return {}
        figures = measure_binary(self.test, self.facts.positive_id)
        return {BINARY_PREFIX + name: float(figures[name][0]) for name in BINARY_TITLES}

    @property
    def recalls(self) -> np.ndarray:
        """Recall of each class ``(C,)``; NaN without test images."""
        recalls: np.ndarray = self._outcomes.recalls[0]
        return recalls

    @property
    def groups(self) -> dict[str, float]:
        """Accuracy on classes with many, a medium number of and few training images; empty below 20 classes."""
        figures = group_figures(self._outcomes, self.facts.training_counts) or {}
        return {
            name: float("nan") if group["accuracy"] is None else group["accuracy"]
            for name, group in figures.items()
        }

    @property
    def _outcomes(self) -> Outcomes:
        return weighted_outcomes(self.test, np.ones((len(self.test.ids), 1)))


def read_comparable(runs: Sequence[Run]) -> list[JudgedRun]:
    """Read runs that were trained and judged on the same images.

    Raises:
        InputError: There is no run, one is not finished, two are the same method and seed, or their classes,
            images, labels or splits differ.
    """
    if not runs:
        raise InputError("runs must hold at least one finished run, got none; give the folders of some")
    judged = [JudgedRun.read(run) for run in runs]
    first = judged[0]
    seen: dict[tuple[str, int], JudgedRun] = {}
    for other in judged:
        _check_same_images(first, other)
        twin = seen.setdefault((other.method, other.seed), other)
        if twin is not other:
            raise InputError(
                f"each method and seed may occur once, {twin.run.folder} and {other.run.folder} are both "
                f"{other.method} with seed {other.seed}; leave one out"
            )
    return judged


def _check_same_images(first: JudgedRun, other: JudgedRun) -> None:
    pair = f"{first.run.folder} and {other.run.folder}"
    if first.test.class_names != other.test.class_names:
        raise InputError(
            f"runs must be of the same classes, those of {pair} differ; compare runs of one data set"
        )
    if first.facts.fingerprint != other.facts.fingerprint:
        raise InputError(
            f"runs must be of the same images, labels and splits, those of {pair} differ "
            f"({first.facts.name}, {other.facts.name}); train them on one data set with the same "
            f"data.split_seed, data.positive and data.subsample"
        )
    if not np.array_equal(first.test.ids, other.test.ids) or not np.array_equal(
        first.test.targets, other.test.targets
    ):
        different = sorted(set(first.test.ids) ^ set(other.test.ids))
        named = f": {different[0]} is in one alone" if different else ""
        raise InputError(
            f"runs must be judged on the same test images, those of {pair} differ{named}; evaluate them again"
        )


def differing_settings(judged: Sequence[JudgedRun]) -> list[str]:
    """Say which settings differ though neither method nor seed explains it, one sentence each."""
    sentences = []
    for key in sorted({key for run in judged for key in _flat(run.recipe)}):
        if key in _WITHOUT_EFFECT:
            continue
        if not key.startswith(_OF_THE_METHOD):
            compared = {"": judged}
        else:
            compared = {
                method: [run for run in judged if run.method == method]
                for method in sorted({run.method for run in judged})
            }
        for method, members in compared.items():
            holders: dict[str, list[str]] = {}
            for run in members:
                value = str(_flat(run.recipe).get(key, "not set"))
                holders.setdefault(value, []).append(f"{run.method} seed {run.seed}")
            if len(holders) > 1:
                *rare, commonest = sorted(holders, key=lambda value: len(holders[value]))
                values = [f"{value} ({', '.join(holders[value])})" for value in rare]
                others = "all others" if len(holders[commonest]) > 1 else holders[commonest][0]
                where = f" within {method}" if method else ""
                sentences.append(f"{key} differs{where}: {'; '.join([*values, f'{commonest} ({others})'])}")
    return sentences


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
