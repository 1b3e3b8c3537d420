"""Everything a report is written from, read once from a run's files."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.evaluation.summaries.frequency_groups import FEW_BELOW, MANY_ABOVE, frequency_groups
from medtail.runs.facts import DatasetFacts
from medtail.runs.label_predictions import AnyPredictions, MultiLabelPredictions
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run

#: From an image's id to its pixels: uint8 (H, W, 3).
ReadImage = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class RunEvidence(ABC):
    """The files of one finished run, in memory; abstract: what the predictions are of.

    Attributes:
        run: The folder.
        facts: ``dataset.json``.
        recipe: ``recipe.yaml``.
        environment: ``environment.json``.
        summary: ``summary.json``.
        epochs: ``metrics.csv``.
        validation: Predictions of the split the checkpoint was chosen on.
        test: Predictions of the split that was read once.
        read_image: Reads a test image, or None where the images are not at hand.
    """

    run: Run
    facts: DatasetFacts
    recipe: dict[str, Any]
    environment: dict[str, Any]
    summary: dict[str, Any]
    epochs: pd.DataFrame
    validation: AnyPredictions
    test: AnyPredictions
    read_image: ReadImage | None

    @staticmethod
    @abstractmethod
    def read_predictions(path: Path) -> AnyPredictions:
        """Read one file of predictions."""

    @classmethod
    def read(cls, run: Run, read_image: ReadImage | None = None) -> Self:
        """Read a finished run.

        Raises:
            InputError: A file is missing, or the predictions are of other classes than the data.
        """
        evidence = cls(
            run=run,
            facts=DatasetFacts.load(run),
            recipe=run.read_recipe(),
            environment=json.loads(run.require(run.environment).read_text(encoding="utf-8")),
            summary=run.read_summary(),
            epochs=pd.read_csv(run.require(run.metrics)),
            validation=cls.read_predictions(run.predictions("validation")),
            test=cls.read_predictions(run.predictions("test")),
            read_image=read_image,
        )
        for split, predictions in (("validation", evidence.validation), ("test", evidence.test)):
            if list(predictions.class_names) != evidence.facts.class_names:
                raise InputError(
                    f"{run.predictions(split)} must be of the classes in {run.dataset}, "  # type: ignore[arg-type]
                    f"got {', '.join(predictions.class_names)}; restore the files of one run"
                )
        return evidence

    @property
    def method(self) -> str:
        """The key of the method's recipe."""
        return str(self.recipe["recipe"]["method"])

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in class-id order."""
        return self.test.class_names

    def counts(self, split: str) -> np.ndarray:
        """Images of each class in a split ``(C,)``."""
        return self.facts.counts(split)

    @cached_property
    def from_frequent_to_rare(self) -> list[int]:
        """Class ids by falling number of training images; the order in which everything is shown."""
        return [int(index) for index in np.argsort(-self.counts("train"), kind="stable")]

    @cached_property
    def frequency_groups(self) -> dict[str, list[int]]:
        """Class ids with many, a medium number of and few training images; groups without a class are left out."""
        ranges = {
            "many": f"over {MANY_ABOVE}",
            "medium": f"{FEW_BELOW}–{MANY_ABOVE}",
            "few": f"under {FEW_BELOW}",
        }
        groups = frequency_groups(self.counts("train"))
        return {f"{name} ({ranges[name]})": members for name, members in groups.items()}


@final
@dataclass(frozen=True)
class Evidence(RunEvidence):
    """Of one class an image."""

    validation: Predictions
    test: Predictions

    @staticmethod
    def read_predictions(path: Path) -> Predictions:
        """Read predictions of classes."""
        return Predictions.read(path)


@final
@dataclass(frozen=True)
class LabelEvidence(RunEvidence):
    """Of several labels an image."""

    validation: MultiLabelPredictions
    test: MultiLabelPredictions

    @staticmethod
    def read_predictions(path: Path) -> MultiLabelPredictions:
        """Read predictions of labels."""
        return MultiLabelPredictions.read(path)


def read_evidence(run: Run, read_image: ReadImage | None = None) -> Evidence | LabelEvidence:
    """Read a finished run of either kind.

    Raises:
        InputError: A file is missing, or the predictions are of other classes than the data.
    """
    multi_label = DatasetFacts.load(run).multi_label
    return LabelEvidence.read(run, read_image) if multi_label else Evidence.read(run, read_image)


def pooled_evidence(
    run: Run, pooled: AnyPredictions, facts: DatasetFacts, read_image: ReadImage | None = None
) -> Evidence | LabelEvidence:
    """What the report of a cross-validation is written from.

    Args:
        run: Folder with recipe, environment and summary.
        pooled: Out-of-fold predictions.
        facts: Of :func:`medtail.evaluation.summaries.cross_validation.pooled_facts`.
        read_image: From an image's id to its pixels, for the gallery.
    """
    shared: dict[str, Any] = {
        "run": run,
        "facts": facts,
        "recipe": run.read_recipe(),
        "environment": run.read_environment(),
        "summary": run.read_summary(),
        # Epochs and validation are those of a fold: its own report shows them, and no section of this one reads them.
        "epochs": pd.DataFrame(),
        "read_image": read_image,
    }
    if isinstance(pooled, MultiLabelPredictions):
        return LabelEvidence(**shared, validation=pooled, test=pooled)
    return Evidence(**shared, validation=pooled, test=pooled)
