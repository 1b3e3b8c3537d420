"""Everything a report is written from, read once from a run's files."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self, final

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.evaluation.summaries.chosen_epoch import MONITORED, chosen_column
from medtail.evaluation.summaries.class_areas import class_areas
from medtail.evaluation.summaries.frequency_groups import FEW_BELOW, MANY_ABOVE, frequency_groups
from medtail.runs.facts import DatasetFacts
from medtail.runs.images.attributes import read_attributes
from medtail.runs.predictions import Predictions, SavedPredictions
from medtail.runs.run import EVALUATED_SPLITS, Run
from medtail.runs.settings import RunSettings

#: From an image's id to its pixels: uint8 (H, W, 3).
ReadImage = Callable[[str], np.ndarray]


@final
@dataclass(frozen=True)
class Judged:
    """What a report calls the images that the model is judged on.

    Attributes:
        kind: Before "images".
        split: All of them.
    """

    kind: str
    split: str


@final
@dataclass(frozen=True)
class ExternalData:
    """Where external images come from.

    Attributes:
        name: Short name of the data set.
        data: DATA as the user gave it.
        part: Which of its images, in words.
        group_column: The column that names groups, or None where they are unknown.
        unreadable: How many images were left out because they could not be read.
        atypicality: The share of validation images that are more typical than each image ``(N,)``; None where the run
            kept nothing to tell.
        unlike_from: From this atypicality on, an image counts as unlike those of validation.
        test_share: The share of the run's test images that are unlike those of validation.
    """

    name: str
    data: str
    part: str
    group_column: str | None
    unreadable: int
    atypicality: np.ndarray | None
    unlike_from: float
    test_share: float | None


#: The run's own images by their split, and those of other data.
TEST = Judged("test", "the test split")
VALIDATION = Judged("validation", "the validation split")
EXTERNAL = Judged("external", "the external data")


@final
@dataclass(frozen=True)
class Evidence:
    """The files of one finished run, in memory.

    Attributes:
        run: The folder.
        facts: ``dataset.json``.
        settings: ``recipe.yaml``.
        environment: ``environment.json``.
        summary: ``summary.json``.
        epochs: ``metrics.csv``.
        validation: Predictions of the validation split, or None for a run without.
        test: Predictions of the split that was read once, or of other data.
        read_image: Reads one of these images, or None where the images are not at hand.
        adapted: The same images at the operating point; None where there is none.
        attributes: What the data say of these images besides their labels, one row each; no column where nothing.
        judged: What these images are called.
        external_data: Where they come from, if they are not the run's own.
        combined: What the predictions are combined from, in a sentence; None where one model made them.
    """

    run: Run
    facts: DatasetFacts
    settings: RunSettings
    environment: dict[str, Any]
    summary: dict[str, Any]
    epochs: pd.DataFrame
    validation: SavedPredictions | None
    test: SavedPredictions
    read_image: ReadImage | None
    adapted: Predictions | None = None
    attributes: pd.DataFrame = field(default_factory=pd.DataFrame)
    judged: Judged = TEST
    external_data: ExternalData | None = None
    combined: str | None = None

    @classmethod
    def read(
        cls,
        run: Run,
        read_image: ReadImage | None = None,
        *,
        summary: dict[str, Any] | None = None,
        environment: dict[str, Any] | None = None,
    ) -> Self:
        """Read a finished run, or one that is about to be: its summary and environment may be given.

        Raises:
            InputError: A file is missing or damaged, or the predictions are of other classes than the data.
        """
        facts = DatasetFacts.load(run)
        predictions = {}
        for split in EVALUATED_SPLITS if facts.has_validation else ("test",):
            predictions[split] = facts.task.read_predictions(run.predictions(split))
            facts.check_classes(run.predictions(split), predictions[split].class_names)
        settings = RunSettings.load(run)
        watched = (
            chosen_column(settings.monitor, settings.monitor_window)
            if settings.monitor in MONITORED
            else None
        )
        return cls(
            run=run,
            facts=facts,
            settings=settings,
            environment=run.read_environment() if environment is None else environment,
            summary=run.read_summary() if summary is None else summary,
            epochs=run.read_epochs(*([watched] if watched else [])),
            validation=predictions.get("validation"),
            test=predictions["test"],
            read_image=read_image,
            adapted=_adapted(run, predictions["test"]),
            attributes=read_attributes(run, predictions["test"].ids).replace("", pd.NA),
        )

    @classmethod
    def judged_later(
        cls,
        run: Run,
        predictions: SavedPredictions,
        judged: Judged,
        *,
        summary: dict[str, Any],
        external_data: ExternalData | None = None,
        combined: str | None = None,
        adapted: Predictions | None = None,
        read_image: ReadImage | None = None,
    ) -> Self:
        """Return what a report is written from that is not the run's own: on other data, or of several runs or views.

        Args:
            run: Folder of the run, or of the first of several.
            predictions: Of the images that are judged.
            judged: What these are called.
            summary: Their metrics, from :func:`medtail.evaluation.summarize`.
            external_data: Where they come from, if they are not the run's own.
            combined: What the predictions are combined from, in a sentence; None where one model made them.
            adapted: The same images at the operating point of the run, where that is asked for.
            read_image: From an image's id to its pixels, for the gallery.
        """
        facts = DatasetFacts.load(run)
        if external_data is not None:
            # Groups are those of the images that are judged.
            facts = replace(facts, group_column=external_data.group_column)
        return cls(
            run=run,
            facts=facts,
            settings=RunSettings.load(run),
            environment=run.read_environment(),
            summary=summary,
            # The run's own report shows its epochs and validation; no section of this report reads them.
            epochs=pd.DataFrame(),
            validation=None,
            test=predictions,
            read_image=read_image,
            adapted=adapted,
            judged=judged,
            external_data=external_data,
            combined=combined,
        )

    @classmethod
    def pooled(
        cls,
        run: Run,
        predictions: SavedPredictions,
        facts: DatasetFacts,
        read_image: ReadImage | None = None,
        *,
        summary: dict[str, Any],
        environment: dict[str, Any],
    ) -> Self:
        """Return what the report of a cross-validation is written from.

        Args:
            run: Folder with the recipe.
            predictions: Out-of-fold predictions.
            facts: From :func:`medtail.evaluation.summaries.cross_validation.pooled_facts`.
            read_image: From an image's id to its pixels, for the gallery.
            summary: The content of ``summary.json``, which is written last.
            environment: The content of ``environment.json``.
        """
        return cls(
            run=run,
            facts=facts,
            settings=RunSettings.load(run),
            environment=environment,
            summary=summary,
            # Each fold's own report shows its epochs and validation; no section of this report reads them.
            epochs=pd.DataFrame(),
            validation=predictions,
            test=predictions,
            read_image=read_image,
        )

    @property
    def chosen_by_validation(self) -> bool:
        """Whether the epoch that is judged was chosen on validation."""
        return MONITORED[self.settings.monitor] is not None and self.settings.validation == "drawn"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in class-id order."""
        return self.test.class_names

    @property
    def over_groups(self) -> str:
        """To follow "95 % interval": how many groups the bootstrap draws from; empty where it draws images."""
        return "" if self.test.num_groups is None else f", {self.test.num_groups} groups"

    @property
    def positive(self) -> int | None:
        """Id of the positive class, of two; None with more classes."""
        binary = self.summary.get("binary")
        return None if binary is None else self.class_names.index(binary["positive"])

    @property
    def drawn_classes(self) -> list[int]:
        """Ids of the classes whose curves are drawn: those with images and others; of two, the positive one."""
        sizes, known = self.test.carried.sum(axis=0), self.test.known.sum(axis=0)
        drawn = [index for index in self.from_frequent_to_rare if 0 < sizes[index] < known[index]]
        # The curves of the other class are the same ones seen from the other side.
        return drawn if self.positive is None or not drawn else [self.positive]

    @property
    def group_members(self) -> dict[str, list[int]]:
        """As ``frequency_groups``, by names without their ranges."""
        return {name.split(" (")[0]: members for name, members in self.frequency_groups.items()}

    @cached_property
    def class_areas(self) -> list[dict[str, Any]]:
        """AUC and AP of each class with their intervals."""
        return class_areas(self.test)

    def counts(self, split: str) -> np.ndarray:
        """Images of each class in a split ``(C,)``."""
        return self.facts.counts(split)

    @cached_property
    def from_frequent_to_rare(self) -> list[int]:
        """Class ids, from most to fewest training images; the order in which everything is shown."""
        return [int(index) for index in np.argsort(-self.counts("train"), kind="stable")]

    @cached_property
    def frequency_groups(self) -> dict[str, list[int]]:
        """Class ids with many, a medium number of and few training images; groups without classes are left out."""
        ranges = {
            "many": f"over {MANY_ABOVE}",
            "medium": f"{FEW_BELOW}–{MANY_ABOVE}",
            "few": f"under {FEW_BELOW}",
        }
        groups = frequency_groups(self.counts("train"))
        return {f"{name} ({ranges[name]})": members for name, members in groups.items()}


def _adapted(run: Run, test: SavedPredictions) -> Predictions | None:
    """The test split at the operating point; None for a run without one."""
    if not run.operating_point.is_file():
        return None
    adapted = Predictions.read(run.require(run.operating_point_predictions))
    if not np.array_equal(adapted.ids, test.ids):
        raise InputError(
            f"{run.operating_point_predictions} must be of the test split of the run; write it again with `adapt()`"
        )
    return adapted
