"""Which runs may be compared: those of the same images; and what else differs between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

import numpy as np

from medtail.errors import InputError
from medtail.evaluation.comparison.labels import WITHOUT_EFFECT, labels_of
from medtail.evaluation.summaries.binary import BINARY_PREFIX, measure_binary
from medtail.evaluation.summaries.cross_validation import pooled_facts
from medtail.evaluation.summaries.frequency_groups import GROUP_PREFIX, GROUPS, group_metrics
from medtail.metrics.metric import LOWEST_RECALL, POSITIVE_CLASS_METRICS
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import EvaluatedSplit, Run
from medtail.runs.settings import RunSettings

#: The parts of a recipe that a method chooses.
_OF_THE_METHOD = ("recipe.", "method.", "head.", "loss.", "sampling.", "optimizer.sharpness")


@final
@dataclass(frozen=True)
class JudgedRun:
    """A finished run with its test predictions.

    Attributes:
        run: The folder.
        label: The row that it belongs to.
        settings: ``recipe.yaml``.
        facts: ``dataset.json``.
        predictions: Those of the split that is judged, sorted by id.
        adapted_from: The label of the run that these are adapted predictions of; None for those that were saved.
    """

    run: Run
    label: str
    settings: RunSettings
    facts: DatasetFacts
    predictions: SavedPredictions
    adapted_from: str | None = None

    @classmethod
    def read(cls, run: Run, label: str, split: EvaluatedSplit = "test") -> Self:
        """Read a finished run or cross-validation; the split of the latter is every image, out of its fold."""
        run.require(run.summary)
        facts, path = _judged(run, split)
        predictions = facts.task.read_predictions(path)
        facts.check_classes(path, predictions.class_names)
        return cls(
            run=run,
            label=label,
            settings=RunSettings.load(run),
            facts=facts,
            predictions=predictions.rows(np.argsort(predictions.ids, kind="stable")),
        )

    @property
    def method(self) -> str:
        """The key of the method's recipe."""
        return self.settings.method

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return self.settings.seed

    @property
    def metrics(self) -> dict[str, float]:
        """Every column of :func:`medtail.evaluation.comparison.columns.known_columns`."""
        measured = self.predictions.measure()
        values = {name: float(measured[name][0]) for name in self.facts.task.metrics}
        outcomes, names = self.predictions.outcomes(), self.predictions.class_names
        of_classes = {"recall": outcomes.recalls, "precision": outcomes.precisions, "f1": outcomes.f1}
        return {
            **values,
            LOWEST_RECALL.key: float(np.nanmin(self.recalls)),
            **self._binary,
            **self._groups,
            **{
                f"{kind}:{name}": float(value)
                for kind, each in of_classes.items()
                for name, value in zip(names, each[0], strict=True)
            },
        }

    @property
    def _binary(self) -> dict[str, float]:
        if not self.predictions.binary:
            return {}
        values = measure_binary(self.predictions, self.facts.positive_id)
        return {BINARY_PREFIX + name: float(values[name][0]) for name in POSITIVE_CLASS_METRICS}

    @property
    def _groups(self) -> dict[str, float]:
        groups = group_metrics(self.predictions.outcomes(), self.facts.training_counts)
        if groups is None or self.predictions.multi_label:
            return {}
        known = {name: group["accuracy"] for name, group in groups.items() if group["accuracy"] is not None}
        return {GROUP_PREFIX + name: float(known.get(name, "nan")) for name in GROUPS}

    @property
    def recalls(self) -> np.ndarray:
        """Recall of each class ``(C,)``; NaN without images."""
        recalls: np.ndarray = self.predictions.outcomes().recalls[0]
        return recalls


def _judged(run: Run, split: EvaluatedSplit) -> tuple[DatasetFacts, Path]:
    """Return the facts of a run and the file of the predictions that are judged.

    Raises:
        InputError: The run has no such split.
    """
    if run.folds_facts.is_file():
        if split == "validation":
            raise InputError(
                f"{run.folder} is a cross-validation, which has no validation split of its own; compare its images "
                f"out of fold with `split=test`"
            )
        saved = run.read_folds()
        folds = [run.fold(number) for number in range(1, int(saved["folds"]) + 1)]
        return pooled_facts(folds, str(saved["sha256"])), run.out_of_fold
    facts = DatasetFacts.load(run)
    if split == "validation" and not facts.has_validation:
        raise InputError(f"{run.folder} was trained without validation images; compare with `split=test`")
    return facts, run.predictions(split)


def read_comparable(
    runs: Sequence[Run], labels: Sequence[str] | None = None, split: EvaluatedSplit = "test"
) -> list[JudgedRun]:
    """Read runs that were trained and judged on the same images.

    Args:
        runs: Finished runs.
        labels: The row that each run belongs to; None takes method and the settings in which runs of it differ.
        split: The split that is judged.

    Splits may differ between seeds, as ``data.split_seed=run`` makes them, if they are the same for every method: then
    methods are compared seed by seed.

    Raises:
        InputError: There is no run, one is not finished, two have the same label and seed, or their classes,
            images, labels or splits differ for other reasons than their seeds.
    """
    if not runs:
        raise InputError("runs must hold at least one finished run, got none; give the folders of some")
    for run in runs:
        run.require(run.summary)
    labels = labels_of([RunSettings.load(run) for run in runs]) if labels is None else labels
    judged = [JudgedRun.read(run, label, split) for run, label in zip(runs, labels, strict=True)]
    first_of_split: dict[int, JudgedRun] = {}
    seen: dict[tuple[str, int], JudgedRun] = {}
    for other in judged:
        _check_same_classes(judged[0], other)
        _check_same_images(first_of_split.setdefault(other.settings.split_seed, other), other)
        twin = seen.setdefault((other.label, other.seed), other)
        if twin is not other:
            raise InputError(
                f"each method and seed may occur once, {twin.run.folder} and {other.run.folder} are both "
                f"{other.label} with seed {other.seed}; leave one out"
            )
    for other in first_of_split.values():
        _check_same_data(judged[0], other)
    if splits_differ(judged):
        _check_paired(judged)
    return judged


def splits_differ(judged: Sequence[JudgedRun]) -> bool:
    """Return whether the runs were split with different seeds, and so judged on different images."""
    return len({run.facts.fingerprint for run in judged}) > 1


def _check_paired(judged: Sequence[JudgedRun]) -> None:
    """Refuse methods that were trained on different splits."""
    splits_of: dict[str, dict[int, int]] = {}
    for run in judged:
        splits_of.setdefault(run.label, {})[run.seed] = run.settings.split_seed
    first, *others = splits_of
    for other in others:
        if splits_of[other] != splits_of[first]:
            raise InputError(
                f"runs whose splits differ must have the same seeds and splits for every method, "
                f"{_pairs(splits_of[first])} of {first} are not {_pairs(splits_of[other])} of {other}; train what is "
                f"missing, or take one data.split_seed"
            )


def _pairs(splits: Mapping[int, int]) -> str:
    return ", ".join(f"seed {seed} (split {split})" for seed, split in sorted(splits.items()))


def _check_same_classes(first: JudgedRun, other: JudgedRun) -> None:
    pair = f"{first.run.folder} and {other.run.folder}"
    if first.facts.multi_label != other.facts.multi_label:
        raise InputError(
            f"runs in one table must be of one task, those of {pair} have one class per image and several labels; "
            f"compare runs of one data set"
        )
    names, others = first.predictions.class_names, other.predictions.class_names
    if names != others:
        how = f"{len(names)} and {len(others)} classes" if len(names) != len(others) else "other names"
        raise InputError(
            f"runs in one table must be of the same classes, those of {pair} have {how}; compare runs of one data set, "
            f"or give the data sets themselves to `compare()`"
        )


def _check_same_data(first: JudgedRun, other: JudgedRun) -> None:
    pair = f"{first.run.folder} and {other.run.folder}"
    if first.facts.name != other.facts.name:
        raise InputError(
            f"runs must be of one data set, those of {pair} are of {first.facts.name} and {other.facts.name}; compare "
            f"runs of one"
        )


def _check_same_images(first: JudgedRun, other: JudgedRun) -> None:
    pair = f"{first.run.folder} and {other.run.folder}"
    if first.facts.fingerprint != other.facts.fingerprint:
        raise InputError(
            f"runs must be of the same images, labels and splits, those of {pair} differ "
            f"({first.facts.name}, {other.facts.name}); train them on one data set with the same "
            f"data.split_seed, data.positive and data.subsample"
        )
    if not np.array_equal(first.predictions.ids, other.predictions.ids) or not np.array_equal(
        first.predictions.targets, other.predictions.targets, equal_nan=True
    ):
        different = sorted(set(first.predictions.ids) ^ set(other.predictions.ids))
        named = f": only one has {different[0]}" if different else ""
        raise InputError(
            f"runs must be judged on the same images, those of {pair} differ{named}; evaluate them again"
        )


def differing_settings(judged: Sequence[JudgedRun]) -> list[str]:
    """Say, in one sentence each, which settings differ for other reasons than the labels and the seed."""
    sentences = []
    if splits_differ(judged):
        sentences.append("splits differ between seeds, and are the same for every method of a seed")
    flat = {id(run): run.settings.flat for run in judged}
    for key in sorted({key for settings in flat.values() for key in settings}):
        if key in WITHOUT_EFFECT or any(f" {key}=" in run.label for run in judged):
            continue
        if not key.startswith(_OF_THE_METHOD):
            compared = {"": judged}
        else:
            compared = {
                label: [run for run in judged if run.label == label]
                for label in sorted({run.label for run in judged})
            }
        for label, members in compared.items():
            holders: dict[str, list[str]] = {}
            for run in members:
                value = str(flat[id(run)].get(key, "not set"))
                holders.setdefault(value, []).append(f"{run.label} seed {run.seed}")
            if len(holders) > 1:
                *rare, commonest = sorted(holders, key=lambda value: len(holders[value]))
                values = [f"{value} ({', '.join(holders[value])})" for value in rare]
                others = "all others" if len(holders[commonest]) > 1 else holders[commonest][0]
                where = f" within {label}" if label else ""
                sentences.append(f"{key} differs{where}: {'; '.join([*values, f'{commonest} ({others})'])}")
    return sentences
