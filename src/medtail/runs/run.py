"""A run: the folder that training leaves and everything later reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from medtail.errors import InputError
from medtail.files import from_cell
from medtail.metrics import METRICS
from medtail.runs.stored_files import check_numbers, damaged, read_csv, read_json, read_yaml, require_keys

#: A split that is judged.
EvaluatedSplit = Literal["validation", "test"]

#: The split that joins the test splits of all folds.
OUT_OF_FOLD = "out_of_fold"

#: Both of them, in the order in which tables show them.
EVALUATED_SPLITS: tuple[EvaluatedSplit, ...] = ("validation", "test")


@dataclass(frozen=True)
class Run:
    """The layout of a run folder: one name for each file, in one place."""

    folder: Path

    @classmethod
    def of(cls, folder: str) -> "Run":
        """Return the run in a folder that a setting names."""
        return cls(Path(folder))

    @property
    def recipe(self) -> Path:
        """Every setting of the run; training from it reproduces the run."""
        return self.folder / "recipe.yaml"

    @property
    def dataset(self) -> Path:
        """What was learned from the training data: classes, counts, image form, mean and deviation."""
        return self.folder / "dataset.json"

    @property
    def splits(self) -> Path:
        """Which image was in which split: columns ``id``, ``split`` and, when known, ``group``."""
        return self.folder / "splits.csv"

    @property
    def subsample(self) -> Path:
        """Which training images were kept, if the recipe left some out: columns ``id`` and ``kept`` (0 or 1)."""
        return self.folder / "subsample.csv"

    @property
    def augmented(self) -> Path:
        """A picture of the first training batch after augmentation."""
        return self.folder / "augmented.png"

    @property
    def environment(self) -> Path:
        """Versions, hardware and duration: what may differ between two runs of one recipe."""
        return self.folder / "environment.json"

    @property
    def metrics(self) -> Path:
        """One row per epoch."""
        return self.folder / "metrics.csv"

    @property
    def angles(self) -> Path:
        """Angles to class centres, one row per epoch, if the head emits cosines."""
        return self.folder / "angles.csv"

    @property
    def features(self) -> Path:
        """The input of the last layer for each test image."""
        return self.folder / "features" / "test.npz"

    @property
    def model_card(self) -> Path:
        """The model card: Markdown behind the metadata that Hugging Face reads."""
        return self.folder / "model_card.md"

    @property
    def published_card(self) -> Path:
        """The model card again, under the name that Hugging Face shows."""
        return self.folder / "README.md"

    @property
    def tables(self) -> Path:
        """The folder of the report's tables as CSV and LaTeX."""
        return self.folder / "tables"

    @property
    def typicality(self) -> Path:
        """How far validation images lie from their centre, by which new images are called typical or not."""
        return self.folder / "features" / "typicality.npz"

    @property
    def evaluations(self) -> Path:
        """The folder of the reports on other data."""
        return self.folder / "evaluations"

    def backbone_features(self, split: EvaluatedSplit) -> Path:
        """Backbone features of each image of a split, from which outputs at any λ of a loss family follow."""
        return self.folder / "features" / f"backbone_{split}.npz"

    @property
    def conditions(self) -> Path:
        """The metrics at each λ of the grid, one row for each split and λ."""
        return self.folder / "conditions.csv"

    @property
    def members(self) -> Path:
        """One row for each split and member of an ensemble, and for all of them together: every metric."""
        return self.folder / "members.csv"

    @property
    def operating_point(self) -> Path:
        """The rule that turns probabilities into decisions, chosen on validation."""
        return self.folder / "operating_point.json"

    @property
    def operating_point_predictions(self) -> Path:
        """The test split at the operating point: probabilities and decisions."""
        return self.folder / "predictions" / "test_at_operating_point.parquet"

    @property
    def attributes(self) -> Path:
        """What else the table of labels says of the judged images, if it says more: subgroups."""
        return self.folder / "predictions" / "attributes.parquet"

    @property
    def best_checkpoint(self) -> Path:
        """The epoch that is judged: the best on validation by ``training.monitor``."""
        return self.folder / "checkpoints" / "best.ckpt"

    @property
    def last_checkpoint(self) -> Path:
        """The last finished epoch, with all that resuming needs."""
        return self.folder / "checkpoints" / "last.ckpt"

    @property
    def summary(self) -> Path:
        """Test metrics. Its presence marks a finished run."""
        return self.folder / "summary.json"

    @property
    def heat_maps(self) -> Path:
        """Which test images were explained, in a folder with a picture of each; there only if this was asked for."""
        return self.folder / "heat_maps" / "examples.json"

    @property
    def label_errors(self) -> Path:
        """Images whose label held-out predictions doubt; there only if this was asked for."""
        return self.folder / "label_errors.csv"

    @property
    def report(self) -> Path:
        """The self-contained page."""
        return self.folder / "report.html"

    def predictions(self, split: EvaluatedSplit) -> Path:
        """The saved table of probabilities of one split."""
        return self.folder / "predictions" / f"{split}.parquet"

    @property
    def folds(self) -> Path:
        """The fold of each image of a cross-validation: columns ``id``, ``group`` when known, ``fold``."""
        return self.folder / "folds.csv"

    @property
    def folds_facts(self) -> Path:
        """The number of folds of a cross-validation, and the hash of ``folds.csv``."""
        return self.folder / "folds.json"

    @property
    def out_of_fold(self) -> Path:
        """The probabilities of each image of a cross-validation, by the model trained without it."""
        return self.folder / "predictions" / f"{OUT_OF_FOLD}.parquet"

    @property
    def claim(self) -> Path:
        """Which process writes the run; there only while one does."""
        return self.folder / ".claim.json"

    def fold(self, number: int) -> "Run":
        """The run of one fold, from 1 on."""
        return Run(self.folder / "folds" / f"fold-{number}")

    def require(self, path: Path) -> Path:
        """Return ``path``, one of this run's files.

        Raises:
            InputError: The folder or the file does not exist; the message says how to get it.
        """
        if not self.folder.is_dir():
            raise InputError(f"run folder {self.folder} does not exist; give the folder that `train()` wrote")
        if not path.is_file() and self.folds.is_file():
            raise InputError(
                f"{self.folder} is a cross-validation, which has no {path.relative_to(self.folder)} of its "
                f"own; give one of its folds, e.g. {self.fold(1).folder}, or finish it with `resume=True`"
            )
        if not path.is_file():
            raise InputError(
                f"{self.folder} is not a finished run: {path.relative_to(self.folder)} is missing; "
                f"train it, or continue it with `resume=True`"
            )
        return path

    def read_recipe(self) -> dict[str, Any]:
        """The recipe as plain values.

        Raises:
            InputError: The file is missing or damaged.
        """
        return read_yaml(self.require(self.recipe))

    def read_dataset(self) -> dict[str, Any]:
        """The content of ``dataset.json``.

        Raises:
            InputError: The file is missing or damaged.
        """
        return read_json(self.require(self.dataset))

    def read_folds(self) -> dict[str, Any]:
        """The content of ``folds.json``.

        Raises:
            InputError: The file is missing or damaged.
        """
        return self._read(self.folds_facts, "folds", "sha256")

    def read_environment(self) -> dict[str, Any]:
        """The content of ``environment.json``.

        Raises:
            InputError: The file is missing or damaged.
        """
        content = self._read(self.environment, "device", "hardware", "started", "seconds")
        if not isinstance(content["seconds"], int | float):
            raise damaged(self.environment, f"must give seconds as a number, got {content['seconds']!r}")
        return content

    def read_summary(self) -> dict[str, Any]:
        """The content of ``summary.json``.

        Raises:
            InputError: The file is missing or damaged.
        """
        return self._read(self.summary, "split", "n", "classes", "intervals", *METRICS)

    def read_splits(self) -> pd.DataFrame:
        """The content of ``splits.csv``.

        Raises:
            InputError: The file is missing or damaged.
        """
        table = read_csv(self.require(self.splits), texts=("id", "split"))
        return table.assign(id=[from_cell(name) for name in table["id"]])

    def read_epochs(self, *columns: str) -> pd.DataFrame:
        """The content of ``metrics.csv``, in which these columns must hold numbers.

        Raises:
            InputError: The file is missing or damaged, or lacks a column.
        """
        table = read_csv(
            self.require(self.metrics), numbers=("epoch", "learning_rate", "train_loss", *columns)
        )
        check_numbers(self.metrics, table, table.columns)
        if table["epoch"].isna().any():
            raise damaged(self.metrics, "has rows without epoch")
        return table

    def _read(self, path: Path, *keys: str) -> dict[str, Any]:
        content = read_json(self.require(path))
        require_keys(path, content, keys)
        return content
